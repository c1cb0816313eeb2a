//! What a person sees while the network works.
//!
//! # Owns
//! Lines about events, and on a terminal one live line per coin.
//!
//! # Promises
//! Elsewhere than on a terminal only plain lines are written, each once.
//!
//! # Limits
//! Stages are what one coordinator says of its own work; whether a vault is there is read from the
//! chain.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serai_messages::Coin;

/// Where lines go.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    live: Option<MultiProgress>,
    coins: BTreeMap<Coin, Line>,
}

#[derive(Debug)]
struct Line {
    bar: Option<ProgressBar>,
    text: String,
}

impl Progress {
    /// Lines for `coins`; live ones where standard output is a terminal.
    pub fn new(coins: &[Coin]) -> Self {
        let live = std::io::stdout().is_terminal().then(MultiProgress::new);
        let style = ProgressStyle::with_template("  {spinner} {prefix}  {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let coins = coins.iter().map(|coin| {
            let bar = live.as_ref().map(|live| {
                let bar = live.add(ProgressBar::new_spinner());
                bar.set_style(style.clone());
                bar.set_prefix(coin.name());
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            (*coin, Line { bar, text: String::new() })
        });
        Self { begun: Instant::now(), coins: coins.collect(), live }
    }

    /// An event.
    pub fn event(&self, text: &str) {
        let line = format!("[{:>6.1}s] {text}", self.begun.elapsed().as_secs_f32());
        self.print(&line);
    }

    /// A line as it is.
    pub fn print(&self, line: &str) {
        match &self.live {
            // The terminal is gone when this fails, and with it whoever would read.
            Some(live) => drop(live.println(line)),
            None => println!("{line}"),
        }
    }

    /// What a coin's validators are at; written only when it has changed.
    pub fn stage(&mut self, coin: Coin, text: &str) {
        let begun = self.begun;
        let Some(line) = self.coins.get_mut(&coin) else { return };
        if line.text == text {
            return;
        }
        text.clone_into(&mut line.text);
        match &line.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => println!("[{:>6.1}s] {coin}: {text}", begun.elapsed().as_secs_f32()),
        }
    }

    /// What was last said of a coin.
    pub fn text(&self, coin: Coin) -> &str {
        self.coins.get(&coin).map(|line| line.text.as_str()).unwrap_or_default()
    }

    /// A coin is done.
    pub fn done(&mut self, coin: Coin, text: &str) {
        self.stage(coin, text);
        if let Some(bar) = self.coins.get(&coin).and_then(|line| line.bar.as_ref()) {
            bar.finish_with_message(text.to_owned());
        }
    }
}

/// What a coordinator's `sessions` answer says of a coin's newest session, in a line.
pub fn describe(sessions: &serde_json::Value, coin: Coin) -> Option<String> {
    use serde_json::Value;
    let of_coin =
        |session: &&Value| session.get("coin").and_then(Value::as_str) == Some(coin.name());
    let number = |session: &Value, key: &str| session.get(key).and_then(Value::as_u64);
    let newest = sessions
        .as_array()?
        .iter()
        .filter(of_coin)
        .max_by_key(|session| number(session, "session"))?;
    let stage = newest.get("stage").and_then(Value::as_str)?;
    let mut text = format!("session {}", number(newest, "session")?);
    match number(newest, "attempt") {
        Some(attempt) if attempt > 0 => text.push_str(&format!(", attempt {attempt}")),
        _ => {}
    }
    text.push_str(&format!(": {}", stage.replace('-', " ")));
    let faults = newest.get("faults").and_then(Value::as_array).map_or(0, Vec::len);
    if faults > 0 {
        text.push_str(&format!(" (faults: {faults}, see explain)"));
    }
    Some(text)
}

/// What a coordinator's `status` answer says of the first step towards a coin's vault that is not
/// done, in a line.
pub fn describe_start(status: &serde_json::Value, coin: Coin) -> Option<String> {
    use serde_json::Value;
    let text = |step: &Value, key: &str| Some(step.get(key)?.as_str()?.to_owned());
    let about = |step: &&Value| text(step, "coin").is_none_or(|of| of == coin.name());
    let open = |step: &&Value| text(step, "state").is_some_and(|state| state != "ok");
    let step = status.get("start")?.as_array()?.iter().filter(about).find(open)?;
    let reason = text(step, "reason").map(|reason| format!(" ({reason})"));
    Some(format!("{}{}", text(step, "step")?, reason.unwrap_or_default()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_session_in_a_line() {
        let session = |session: u32, stage: &str, faults: usize| {
            json!({ "coin": "btc", "session": session, "attempt": 2, "stage": stage,
                    "faults": vec![json!({}); faults] })
        };
        let sessions = json!([session(0, "confirmed", 0), session(1, "proof-shares", 1)]);
        assert_eq!(
            describe(&sessions, Coin::Btc).unwrap(),
            "session 1, attempt 2: proof shares (faults: 1, see explain)"
        );
        assert_eq!(describe(&sessions, Coin::Eth), None);
        assert_eq!(describe(&json!("nonsense"), Coin::Btc), None);
    }

    #[test]
    fn the_first_open_step_in_a_line() {
        let step = |coin: Option<&str>, step: &str, state: &str, reason: Option<&str>| json!({ "coin": coin, "step": step, "state": state, "reason": reason });
        let status = json!({ "start": [
            step(None, "load keys", "ok", None),
            step(Some("eth"), "publish keys", "failed", Some("elsewhere")),
            step(Some("btc"), "learn processor key", "waiting", Some("no record yet")),
        ] });
        assert_eq!(
            describe_start(&status, Coin::Btc).unwrap(),
            "learn processor key (no record yet)"
        );
        assert_eq!(describe_start(&status, Coin::Xmr), None);
    }
}
