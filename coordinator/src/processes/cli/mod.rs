//! The command line: of the program, of a running coordinator (admin socket and prompt), and the
//! pages over HTTP, which say the same.
//!
//! # Owns
//! The program's arguments and exit codes, `{data_dir}/admin.sock`, the prompt, and the HTTP
//! address.
//!
//! # Promises
//! Every question is answered from one [`Answers`]: the socket, the prompt and HTTP never disagree.
//! Exit codes: 0 done, 64 wrong usage or configuration, 1 failed. With `--json` standard output is
//! one JSON document.
//!
//! # Limits
//! One question is at most [`admin::MAX_REQUEST_BYTES`]; [`admin::MAX_CONNECTIONS`] may be asked at
//! once, and each is answered within [`ANSWER_TIMEOUT`]. Pages can be read, nothing can be changed
//! over HTTP.

mod actor;
pub mod admin;
mod answers;
mod args;
mod backups;
mod commands;
mod http;
mod prompt;
mod render;
mod telemetry;

pub use actor::{Actor, CliError, Mailbox, Settings, new};
pub use answers::{ANSWER_TIMEOUT, AnswerError, Answers};
pub use args::{Command, Invocation, RunArgs, parse};
pub use commands::{EXIT_FAILED, EXIT_USAGE, execute};
pub use render::render;
pub use telemetry::{Telemetry, TelemetryError};
