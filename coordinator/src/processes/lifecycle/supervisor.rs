//! The life of one coin's processor: start, watch, restart, stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::core::status::{Board, State};
use super::child::Processor;
use super::mailbox::{Mailbox, ProcessorState};
use super::plan::Plan;
use super::vacancy;

/// Watches one coin's processor until it is told to stop.
pub(super) struct Supervisor {
    plan: Plan,
    mailbox: Mailbox,
    board: Board,
    stop: CancellationToken,
    changed: Arc<Notify>,
}

/// Pauses that double.
#[derive(Debug)]
struct Backoff {
    next: Duration,
    min: Duration,
    max: Duration,
}

impl Backoff {
    fn new(min: Duration, max: Duration) -> Self {
        Self { next: min, min, max }
    }

    fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.max);
        pause
    }

    fn reset(&mut self) {
        self.next = self.min;
    }
}

/// How one life of a managed processor ended.
enum End {
    /// We stopped it.
    Stopped,
    /// It ended, or had to be killed.
    Died {
        /// How.
        reason: String,
        /// Whether it had shown a heartbeat.
        healthy: bool,
    },
}

/// What happened while watching.
enum Observed {
    Stop,
    Ended(String),
    Silent,
}

impl Supervisor {
    pub(super) fn new(plan: Plan, mailbox: Mailbox, board: Board, stop: CancellationToken) -> Self {
        let changed = mailbox.with(plan.coin, |slot| slot.changed.clone()).unwrap_or_default();
        Self { plan, mailbox, board, stop, changed }
    }

    /// Runs until stopped.
    pub(super) async fn run(self) {
        if !self.plan.managed {
            return self.watch_foreign().await;
        }
        let mut backoff = Backoff::new(self.plan.backoff_min, self.plan.backoff_max);
        loop {
            let (reason, healthy) = match self.live().await {
                End::Stopped => return self.enter(ProcessorState::Stopped, None),
                End::Died { reason, healthy } => (reason, healthy),
            };
            if healthy {
                backoff.reset();
            }
            let pause = backoff.pause();
            tracing::warn!(coin = %self.plan.coin, reason, "the processor ended; starting it again in {pause:?}");
            metrics::counter!("processor_restarts_total", "coin" => self.plan.coin.name())
                .increment(1);
            self.mailbox.with(self.plan.coin, |slot| {
                slot.status.restarts = slot.status.restarts.saturating_add(1);
                slot.status.last_end = Some(reason.clone());
            });
            self.enter(ProcessorState::BackingOff, None);
            self.report(State::Failed(reason));
            tokio::select! {
                () = self.stop.cancelled() => return self.enter(ProcessorState::Stopped, None),
                () = sleep(pause) => {}
            }
        }
    }

    /// One life of a managed processor; on return it is reaped.
    async fn live(&self) -> End {
        if vacancy::is_held(&self.plan.folder) {
            let folder = self.plan.folder.display();
            self.report(State::Waiting(format!(
                "a processor of an earlier life still holds {folder}; it ends by itself, or end it"
            )));
            tokio::select! {
                () = self.stop.cancelled() => return End::Stopped,
                () = vacancy::wait(&self.plan.folder) => {}
            }
        }
        let mut processor = match Processor::start(&self.plan) {
            Ok(processor) => processor,
            Err(error) => {
                let program = self.plan.program.display();
                let reason = format!("{program} does not start: {error}");
                return End::Died { reason, healthy: false };
            }
        };
        tracing::info!(coin = %self.plan.coin, pid = processor.pid(), "processor started");
        self.enter(ProcessorState::Starting, processor.pid());
        // Heartbeats from before belong to an earlier life.
        let mut beats = self.mailbox.with(self.plan.coin, |slot| slot.beats).unwrap_or_default();
        let before = beats;
        let observed = self.watch(Some(&mut processor), &mut beats).await;
        let healthy = beats != before;
        match observed {
            Observed::Stop => {
                processor.stop().await;
                End::Stopped
            }
            Observed::Ended(reason) => {
                processor.drain().await;
                End::Died { reason: self.see_log(&reason), healthy }
            }
            Observed::Silent => {
                self.enter(ProcessorState::Hung, processor.pid());
                processor.kill().await;
                processor.drain().await;
                let timeout = self.plan.heartbeat_timeout;
                let reason = self.see_log(&format!("silent for {timeout:?} and killed"));
                End::Died { reason, healthy }
            }
        }
    }

    /// Watches a processor that something else starts and stops.
    async fn watch_foreign(&self) {
        self.report(State::Waiting("it is not managed here, and not heard of yet".to_owned()));
        let mut beats = 0;
        loop {
            match self.watch(None, &mut beats).await {
                Observed::Stop => return self.enter(ProcessorState::Stopped, None),
                Observed::Silent | Observed::Ended(_) => {
                    self.enter(ProcessorState::Hung, None);
                    let timeout = self.plan.heartbeat_timeout;
                    self.report(State::Failed(format!(
                        "silent for {timeout:?}; it is not managed here, so restart it"
                    )));
                }
            }
        }
    }

    /// Watches until the processor ends, is silent for too long while its topic is read, or this
    /// program stops. `beats` is the count of heartbeats that has been seen.
    async fn watch(&self, mut processor: Option<&mut Processor>, beats: &mut u64) -> Observed {
        let look = || self.mailbox.with(self.plan.coin, |slot| (slot.beats, slot.listening));
        // Of a processor that is not managed, only a word is of interest before its first one and
        // after it fell silent.
        let mut listening = self.plan.managed && look().is_some_and(|(_, listening)| listening);
        let mut deadline = Instant::now() + self.plan.heartbeat_timeout;
        loop {
            let pid = processor.as_ref().and_then(|processor| processor.pid());
            tokio::select! {
                () = self.stop.cancelled() => return Observed::Stop,
                status = ended(&mut processor) => {
                    return Observed::Ended(match status {
                        Ok(status) => status.to_string(),
                        Err(error) => format!("lost: {error}"),
                    });
                }
                () = self.changed.notified() => {
                    let (beats_now, listening_now) = look().unwrap_or_default();
                    if beats_now != *beats {
                        self.enter(ProcessorState::Running, pid);
                        self.report(State::Ok);
                    }
                    if beats_now != *beats || listening_now != listening {
                        deadline = Instant::now() + self.plan.heartbeat_timeout;
                    }
                    (*beats, listening) = (beats_now, listening_now);
                }
                () = sleep_until(deadline), if listening => return Observed::Silent,
            }
        }
    }

    fn see_log(&self, reason: &str) -> String {
        format!("{reason}; see {}", self.plan.log.display())
    }

    fn enter(&self, state: ProcessorState, pid: Option<u32>) {
        self.mailbox.with(self.plan.coin, |slot| {
            slot.status.state = state;
            slot.status.pid = pid;
        });
    }

    fn report(&self, state: State) {
        self.board.report("lifecycle", format!("{} processor", self.plan.coin), state);
    }
}

/// Pending for ever without a processor.
async fn ended(
    processor: &mut Option<&mut Processor>,
) -> std::io::Result<std::process::ExitStatus> {
    match processor {
        Some(processor) => processor.ended().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_their_cap_and_begin_anew() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(500), ms(3000));
        let pauses: Vec<_> = (0..5).map(|_| backoff.pause()).collect();
        assert_eq!(pauses, [ms(500), ms(1000), ms(2000), ms(3000), ms(3000)]);
        backoff.reset();
        assert_eq!(backoff.pause(), ms(500));
    }
}
