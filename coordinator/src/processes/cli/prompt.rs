//! The prompt of a coordinator that was started on a terminal.

use std::io::Write;
use std::path::Path;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use serai_messages::Name;
use tokio_util::sync::CancellationToken;

use super::admin::{Request, ask, socket_path};
use super::render::render;

const HELP: &str = "\
status            the whole picture
vaults            the vaults
sessions          key generations and signings
explain [ID]      what a session, or everything unfinished, waits for
peers             the other validators
topics            the topics and their readers
topics resume T   let readers of a topic that was recreated go on
stop              stop the coordinator (as Ctrl-C does)
exit              leave the prompt; the coordinator goes on (as Ctrl-D does)
";

/// What a line at the prompt asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    Help,
    Exit,
    Stop,
    Ask(Request),
    Unknown(String),
}

fn read(line: &str) -> Line {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [] => Line::Nothing,
        ["help" | "?"] => Line::Help,
        ["exit" | "quit"] => Line::Exit,
        ["stop"] => Line::Stop,
        ["status"] => Line::Ask(Request::Status),
        ["vaults"] => Line::Ask(Request::Vaults),
        ["sessions"] => Line::Ask(Request::Sessions),
        ["explain"] => Line::Ask(Request::Explain { id: None }),
        ["explain", id] => Line::Ask(Request::Explain { id: Some((*id).to_owned()) }),
        ["peers"] => Line::Ask(Request::Peers),
        ["topics"] => Line::Ask(Request::Topics),
        ["topics", "resume", topic] => {
            Line::Ask(Request::ResumeTopic { topic: (*topic).to_owned() })
        }
        _ => Line::Unknown(words.join(" ")),
    }
}

/// The terminal as it was before the prompt. Dropping this puts it back: the prompt's own thread
/// may be in the middle of a line when the program ends.
pub(super) struct Terminal {
    before: Option<Termios>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && let Err(error) = tcsetattr(std::io::stdin(), OptionalActions::Now, before)
        {
            tracing::debug!(%error, "cannot put the terminal back");
        }
    }
}

/// Starts the prompt on its own thread: reading a line blocks. It asks through the admin socket.
pub(super) fn start(name: &Name, data_dir: &Path, stop: CancellationToken) -> Terminal {
    let before = tcgetattr(std::io::stdin()).ok();
    let (label, socket) = (format!("{name}> "), socket_path(data_dir));
    let started = std::thread::Builder::new()
        .name("prompt".to_owned())
        .spawn(move || run(&label, &socket, &stop));
    if let Err(error) = started {
        tracing::warn!(%error, "there is no prompt");
    }
    Terminal { before }
}

fn run(label: &str, socket: &Path, stop: &CancellationToken) {
    let mut editor = match DefaultEditor::new() {
        Ok(editor) => editor,
        Err(error) => return tracing::warn!(%error, "there is no prompt"),
    };
    loop {
        let line = match editor.readline(label) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => return stop.cancel(),
            Err(_) => return,
        };
        // A line that can't be remembered was still typed.
        let _ = editor.add_history_entry(line.as_str());
        let text = match read(&line) {
            Line::Nothing => continue,
            Line::Help => HELP.to_owned(),
            Line::Exit => return,
            Line::Stop => return stop.cancel(),
            Line::Ask(request) => match ask(socket, &request) {
                Ok(answer) => render(request.name(), &answer),
                Err(error) => format!("{error}\n"),
            },
            Line::Unknown(words) => format!("{words:?} is no command; try help\n"),
        };
        if std::io::stdout().lock().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_help_lists() {
        for line in HELP.lines() {
            let words = line.split("  ").next().unwrap().replace("[ID]", "x");
            let read = read(&words);
            assert!(!matches!(read, Line::Unknown(_) | Line::Nothing), "{words}: {read:?}");
        }
        assert_eq!(read("  "), Line::Nothing);
        assert_eq!(read("vaults now"), Line::Unknown("vaults now".to_owned()));
        assert_eq!(read("explain btc-0"), Line::Ask(Request::Explain { id: Some("btc-0".into()) }));
    }
}
