//! The admin socket: questions and answers, bounds, and what a crash leaves behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serai_coordinator::processes::cli::admin::{
    AskError, MAX_CONNECTIONS, MAX_REQUEST_BYTES, Request, Server, ask, socket_path,
};
use serai_messages::{Coin, ProcessorKey};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::answers::Echo;

const DEADLINE: Duration = Duration::from_secs(20);

/// A server on its own thread.
struct Running {
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(socket: &Path) -> Self {
        let stop = CancellationToken::new();
        let (path, token) = (socket.to_owned(), stop.clone());
        let (bound, ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(&path).unwrap();
                bound.send(()).unwrap();
                server.run(Arc::new(Echo), token).await;
            });
        });
        ready.recv_timeout(DEADLINE).unwrap();
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn line(stream: &UnixStream) -> Value {
    let mut line = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn every_question_has_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let socket = socket_path(folder.path());
    let _running = Running::start(&socket);
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    assert_eq!(ask(&socket, &Request::Status).unwrap()["name"], "alice");
    assert_eq!(ask(&socket, &Request::Vaults).unwrap(), json!([]));
    let sessions = ask(&socket, &Request::Sessions).unwrap();
    assert_eq!(sessions[0]["reason"].as_str().unwrap().len(), 200_000);
    let explain = |id: Option<&str>| ask(&socket, &Request::Explain { id: id.map(str::to_owned) });
    assert_eq!(explain(None).unwrap(), json!([{"id": null}]));
    assert_eq!(explain(Some("btc-0")).unwrap(), json!([{"id": "btc-0"}]));
    assert_eq!(explain(Some("none")).unwrap_err().to_string(), "there is no session none");
    assert_eq!(ask(&socket, &Request::Peers).unwrap()[0]["validator"], "bob");
    assert_eq!(ask(&socket, &Request::Topics).unwrap()[0]["topic"], "alice-btc");
    let resume = Request::ResumeTopic { topic: "alice-btc".to_owned() };
    assert_eq!(ask(&socket, &resume).unwrap(), json!({"resumed": "alice-btc"}));
    let key = ProcessorKey([7; 32]);
    let accept = Request::AcceptKey { coin: Coin::Eth, key: Some(key) };
    assert_eq!(ask(&socket, &accept).unwrap(), json!({"coin": "eth", "trusted": key}));
}

#[test]
fn one_connection_asks_several_questions_and_mistakes_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let socket = socket_path(folder.path());
    let _running = Running::start(&socket);
    let mut stream = connect(&socket);
    stream.write_all(b"{\"command\":\"dance\"}\n").unwrap();
    let error = line(&stream)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("dance"), "{error}");
    stream.write_all(b"{\"command\":\"explain\",\"extra\":1}\n").unwrap();
    assert!(line(&stream)["error"].is_string());
    stream.write_all(b"{\"command\":\"explain\"}\n").unwrap();
    assert_eq!(line(&stream), json!({"ok": [{"id": null}]}));
}

#[test]
fn a_question_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let socket = socket_path(folder.path());
    let _running = Running::start(&socket);
    let mut stream = connect(&socket);
    stream.write_all(&vec![b' '; MAX_REQUEST_BYTES as usize]).unwrap();
    let error = line(&stream)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("longer than"), "{error}");
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap(), 0, "the connection is still open");
}

#[test]
fn connections_are_bounded_and_free_again_when_closed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = socket_path(folder.path());
    let _running = Running::start(&socket);
    let mut held: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(&socket)).collect();
    for stream in &mut held {
        stream.write_all(b"{\"command\":\"vaults\"}\n").unwrap();
        assert_eq!(line(stream), json!({"ok": []}));
    }
    let error = ask(&socket, &Request::Status).unwrap_err();
    assert!(error.to_string().contains("under way already"), "{error}");
    drop(held);
    let begin = std::time::Instant::now();
    while ask(&socket, &Request::Status).is_err() {
        assert!(begin.elapsed() < DEADLINE, "no connection became free");
        std::thread::yield_now();
    }
}

#[test]
fn a_question_under_way_does_not_hold_up_others() {
    let folder = tempfile::tempdir().unwrap();
    let socket = socket_path(folder.path());
    let _running = Running::start(&socket);
    let mut stuck = connect(&socket);
    stuck.write_all(b"{\"command\":\"explain\",\"id\":\"stuck\"}\n").unwrap();
    assert_eq!(ask(&socket, &Request::Vaults).unwrap(), json!([]));
    // It is told in time why there is no answer.
    let error = line(&stuck)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("no answer to \"explain\""), "{error}");
}

#[test]
fn a_socket_left_by_a_crash_is_replaced_and_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = socket_path(folder.path());
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(matches!(ask(&socket, &Request::Status), Err(AskError::NotRunning { .. })));
    let running = Running::start(&socket);
    assert!(ask(&socket, &Request::Status).is_ok());
    drop(running);
    assert!(!socket.exists());
    let error = ask(&socket, &Request::Status).unwrap_err().to_string();
    assert!(error.contains("no coordinator is running"), "{error}");
}

#[test]
fn a_data_folder_may_have_a_long_path() {
    let folder = tempfile::tempdir().unwrap();
    let long: PathBuf = folder.path().join("long".repeat(30)).join("path".repeat(30));
    std::fs::create_dir_all(&long).unwrap();
    let socket = socket_path(&long);
    let _running = Running::start(&socket);
    assert!(ask(&socket, &Request::Status).is_ok());
}
