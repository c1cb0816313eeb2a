//! Threads of processes: each process runs on its own named thread with its own single-threaded
//! tokio runtime.
//!
//! # Owns
//! The threads, their stop tokens, and how each of them ended.
//!
//! # Promises
//! The first process that ends without being told to (in error, by a panic, or of itself) is
//! reported by [`Scope::ended`] with its name and reason. [`Scope::stop`] stops in reverse order
//! of start, each process within its deadline, and names those that did not make it.
//!
//! # Limits
//! A process that blocks its thread for ever can't be ended from within; it is left to the end of
//! the program.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It returned without an error.
    Finished,
    /// It returned an error.
    Failed(String),
    /// It panicked.
    Panicked(String),
}

/// A process and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The process' name.
    pub name: &'static str,
    /// How.
    pub ending: Ending,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match &self.ending {
            Ending::Finished => write!(f, "the {name} process ended of itself"),
            Ending::Failed(reason) => write!(f, "the {name} process failed: {reason}"),
            Ending::Panicked(reason) => write!(f, "the {name} process panicked: {reason}"),
        }
    }
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the {name} process: {source}")]
pub struct StartError {
    /// The process.
    pub name: &'static str,
    /// The system's error.
    pub source: std::io::Error,
}

/// A process that did not stop in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {name} process did not stop within {deadline:?}")]
pub struct StopError {
    /// The process.
    pub name: &'static str,
    /// The time that it had.
    pub deadline: Duration,
}

#[derive(Debug)]
struct Task {
    name: &'static str,
    token: CancellationToken,
    done: oneshot::Receiver<Ending>,
    ending: Option<Ending>,
}

/// The running processes, in order of start.
#[derive(Debug, Default)]
pub struct Scope {
    tasks: Vec<Task>,
}

impl Scope {
    /// Starts `process` on a thread called `name`. The future is made on that thread and need not
    /// be `Send`; it is to return soon after its token is cancelled.
    ///
    /// # Errors
    /// When the system gives no thread or no runtime.
    pub fn start<M, F, E>(&mut self, name: &'static str, process: M) -> Result<(), StartError>
    where
        M: FnOnce(CancellationToken) -> F + Send + 'static,
        F: Future<Output = Result<(), E>>,
        E: fmt::Display,
    {
        let error = |source| StartError { name, source };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(error)?;
        let token = CancellationToken::new();
        let (report, done) = oneshot::channel();
        let stop = token.clone();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let run = AssertUnwindSafe(|| runtime.block_on(process(stop)));
                let ending = match std::panic::catch_unwind(run) {
                    Ok(Ok(())) => Ending::Finished,
                    Ok(Err(error)) => Ending::Failed(error.to_string()),
                    Err(payload) => Ending::Panicked(message(payload.as_ref())),
                };
                // Blocking work that a process left behind must not hold up its end.
                runtime.shutdown_background();
                // The scope may be gone already; nobody is left to tell then.
                let _ = report.send(ending);
            })
            .map_err(error)?;
        self.tasks.push(Task { name, token, done, ending: None });
        Ok(())
    }

    /// Waits until a process ends; pending for ever while there is none. Cancel safe.
    pub async fn ended(&mut self) -> Ended {
        FirstEnded(self).await
    }

    /// Stops all processes, the last started first, each within `deadline`.
    ///
    /// # Errors
    /// The processes that did not stop in time; the others are stopped all the same.
    pub async fn stop(&mut self, deadline: Duration) -> Result<(), Vec<StopError>> {
        let mut late = Vec::new();
        while let Some(task) = self.tasks.pop() {
            task.token.cancel();
            if task.ending.is_some() {
                continue;
            }
            match tokio::time::timeout(deadline, task.done).await {
                Ok(Ok(Ending::Finished)) => tracing::debug!(process = task.name, "stopped"),
                Ok(Ok(ending)) => {
                    let ended = Ended { name: task.name, ending };
                    tracing::error!(process = task.name, "while stopping: {ended}");
                }
                Ok(Err(_)) => {}
                Err(_) => late.push(StopError { name: task.name, deadline }),
            }
        }
        if late.is_empty() { Ok(()) } else { Err(late) }
    }
}

struct FirstEnded<'a>(&'a mut Scope);

impl Future for FirstEnded<'_> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        for task in self.0.tasks.iter_mut().filter(|task| task.ending.is_none()) {
            if let Poll::Ready(ending) = Pin::new(&mut task.done).poll(context) {
                let ending =
                    ending.unwrap_or_else(|_| Ending::Panicked("its thread vanished".to_owned()));
                task.ending = Some(ending.clone());
                return Poll::Ready(Ended { name: task.name, ending });
            }
        }
        Poll::Pending
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn processes_run_on_threads_of_their_names() {
        let mut scope = Scope::default();
        scope
            .start("observation", |_| async {
                Err::<(), _>(std::thread::current().name().unwrap_or("none").to_owned())
            })
            .unwrap();
        let ended = scope.ended().await;
        assert_eq!(ended.ending, Ending::Failed("observation".to_owned()));
        assert_eq!(ended.to_string(), "the observation process failed: observation");
    }

    #[tokio::test]
    async fn a_panic_ends_the_service_with_its_reason() {
        let mut scope = Scope::default();
        scope
            .start("idle", |token| async move {
                token.cancelled().await;
                Ok::<_, Infallible>(())
            })
            .unwrap();
        scope.start("broken", |_| async { panic!("on purpose") as Result<(), String> }).unwrap();
        let ended = tokio::time::timeout(DEADLINE, scope.ended()).await.unwrap();
        assert_eq!(ended.name, "broken");
        assert_eq!(ended.ending, Ending::Panicked("on purpose".to_owned()));
        scope.stop(DEADLINE).await.unwrap();
    }

    #[tokio::test]
    async fn stopping_goes_in_reverse_order() {
        let stopped = Arc::new(Mutex::new(Vec::new()));
        let mut scope = Scope::default();
        for name in ["first", "second", "third"] {
            let stopped = stopped.clone();
            scope
                .start(name, move |token| async move {
                    token.cancelled().await;
                    stopped.lock().unwrap().push(name);
                    Ok::<_, Infallible>(())
                })
                .unwrap();
        }
        scope.stop(DEADLINE).await.unwrap();
        assert_eq!(*stopped.lock().unwrap(), ["third", "second", "first"]);
    }

    #[tokio::test]
    async fn a_process_that_does_not_stop_is_named() {
        let mut scope = Scope::default();
        scope.start("deaf", |_| std::future::pending::<Result<(), Infallible>>()).unwrap();
        let late = scope.stop(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(late[0].name, "deaf");
    }
}
