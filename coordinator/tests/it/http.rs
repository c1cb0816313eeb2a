//! The pages over HTTP, and that they and the socket say the same.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serai_coordinator::processes::cli::admin::{Request, ask, socket_path};
use serai_coordinator::processes::cli::{self, Settings, Telemetry};
use serai_coordinator::processes::core::status::{Board, State, Step};
use serai_coordinator::processes::core::task::Scope;
use serai_messages::Coin;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::answers::Echo;

const DEADLINE: Duration = Duration::from_secs(20);

fn telemetry() -> Telemetry {
    static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
    TELEMETRY.get_or_init(|| Telemetry::install().unwrap()).clone()
}

struct Answer {
    code: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn request(address: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { code, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &address.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_socket_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let board = Board::new(&[Coin::Btc]);
    let settings = Settings {
        name: "alice".parse().unwrap(),
        data_dir: folder.path().to_owned(),
        http: Some("127.0.0.1:0".parse().unwrap()),
        prompt: false,
        stop: CancellationToken::new(),
    };
    let (tell, address) = tokio::sync::oneshot::channel();
    let mut scope = Scope::default();
    let shown = board.clone();
    scope
        .start("cli", move |stop| async move {
            let (actor, mailbox) = cli::new(settings, Arc::new(Echo), shown, telemetry())?;
            tell.send(mailbox.http_address().unwrap()).unwrap();
            actor.run(stop).await
        })
        .unwrap();
    let address = tokio::time::timeout(DEADLINE, address).await.unwrap().unwrap();

    tokio::task::spawn_blocking(move || {
        let health = get(address, "/health");
        assert_eq!((health.code, health.json()["well"].clone()), (200, true.into()));
        board.set(Step::LoadKeys, State::Failed("no key".to_owned()));
        let health = get(address, "/health");
        assert_eq!(health.code, 503);
        assert_eq!(health.json()["causes"][0], "load keys: no key");
        assert!(get(address, "/metrics").body.contains("coordinator_well{name=\"alice\"} 0"));

        let ready = get(address, "/ready");
        assert_eq!(ready.code, 503);
        assert!(ready.json()["waiting"].as_array().unwrap().len() > 1);
        for step in Step::all(&[Coin::Btc]) {
            board.set(step, State::Ok);
        }
        assert_eq!(get(address, "/ready").code, 200);
        assert!(get(address, "/metrics").body.contains("coordinator_well{name=\"alice\"} 1"));

        let socket = socket_path(folder.path());
        for (path, question) in [
            ("status", Request::Status),
            ("vaults", Request::Vaults),
            ("sessions", Request::Sessions),
            ("explain", Request::Explain { id: None }),
            ("peers", Request::Peers),
            ("batches", Request::Batches),
            ("payments", Request::Payments),
            ("solvency", Request::Solvency),
        ] {
            let page = get(address, &format!("/api/v1/{path}"));
            assert_eq!(page.code, 200, "{path}");
            assert_eq!(page.json(), ask(&socket, &question).unwrap(), "{path}");
        }
        let status = get(address, "/api/v1/status").json();
        assert_eq!(status["http"], address.to_string());
        assert_eq!(status["name"], "alice");

        let document = get(address, "/api/v1/openapi.json").json();
        for path in document["paths"].as_object().unwrap().keys() {
            assert_eq!(get(address, path).code, 200, "{path}");
        }
        let page = get(address, "/");
        assert!(page.body.contains("<!doctype html>"));
        assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);

        assert_eq!(get(address, "/api/v1/keys").code, 404);
        assert_eq!(request(address, "POST", "/api/v1/status", "localhost").code, 405);
        assert_eq!(request(address, "GET", "/api/v1/status", "evil.example").code, 421);
        assert_eq!(request(address, "GET", "/api/v1/status", "localhost:1").code, 200);
        // Kept until here: the socket is in it.
        drop(folder);
    })
    .await
    .unwrap();
    scope.stop(DEADLINE).await.unwrap();
}
