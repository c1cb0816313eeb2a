//! The admin socket: `{data_dir}/admin.sock`, mode 0600. A question is one line of JSON,
//! `{"command":"status"}`; its answer is one line, `{"ok":…}` or `{"error":"…"}`.

mod client;
mod request;
mod server;

pub use client::{AskError, ask};
pub use request::{Request, answer};
pub use server::{MAX_CONNECTIONS, MAX_REQUEST_BYTES, Server, socket_path};
