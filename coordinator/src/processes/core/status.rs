//! The board: where each process says how far it is, and why it waits.
//!
//! # Owns
//! The latest state of every step of the seed's start chart, and of whatever else a process names.
//!
//! # Promises
//! Cheap to share and to write: one short lock, never across an await. `since` changes only when
//! the kind of state does. What waits for longer than [`STUCK_AFTER`] counts as not well, so that
//! health does not stay green while nothing moves.
//!
//! # Limits
//! At most [`MAX_FACTS`] facts beside the steps; more are dropped and counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serai_bus::wall_clock;
use serai_messages::Coin;
use serde_json::{Value, json};

/// Most facts that the board holds beside the steps.
pub const MAX_FACTS: usize = 256;

/// Waiting for longer than this is a cause of not being well.
pub const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);

/// A step of the seed's start chart, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The configuration is read and sound.
    CheckConfiguration,
    /// The validator's keys and one key per processor are there.
    LoadKeys,
    /// The public key is on the coin's topic.
    PublishKeys(Coin),
    /// The coin's processor has announced its key.
    LearnProcessorKey(Coin),
    /// The set's validators are read from `{name}-serai` and agree with the node.
    ReadValidators(Coin),
    /// Every other validator of the set has proven who it is.
    ConnectValidators,
    /// The coin has a vault.
    GenesisVault(Coin),
}

impl Step {
    /// The step's name in words, without its coin.
    pub const fn title(self) -> &'static str {
        match self {
            Step::CheckConfiguration => "check configuration",
            Step::LoadKeys => "load keys",
            Step::PublishKeys(_) => "publish keys",
            Step::LearnProcessorKey(_) => "learn processor key",
            Step::ReadValidators(_) => "read validators",
            Step::ConnectValidators => "connect validators",
            Step::GenesisVault(_) => "genesis vault",
        }
    }

    /// The coin that the step is about.
    pub const fn coin(self) -> Option<Coin> {
        match self {
            Step::PublishKeys(coin)
            | Step::LearnProcessorKey(coin)
            | Step::ReadValidators(coin)
            | Step::GenesisVault(coin) => Some(coin),
            Step::CheckConfiguration | Step::LoadKeys | Step::ConnectValidators => None,
        }
    }

    /// All steps for these coins, in order.
    pub fn all(coins: &[Coin]) -> Vec<Step> {
        let each = |step: fn(Coin) -> Step| coins.iter().copied().map(step);
        let mut steps = vec![Step::CheckConfiguration, Step::LoadKeys];
        steps.extend(each(Step::PublishKeys));
        steps.extend(each(Step::LearnProcessorKey));
        steps.extend(each(Step::ReadValidators));
        steps.push(Step::ConnectValidators);
        steps.extend(each(Step::GenesisVault));
        steps
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.coin() {
            Some(coin) => write!(f, "{} ({coin})", self.title()),
            None => f.write_str(self.title()),
        }
    }
}

/// How a step or fact stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not done, and for what it waits.
    Waiting(String),
    /// Done, or well.
    Ok,
    /// Failed, and why. It may become well again.
    Failed(String),
}

impl State {
    /// The kind: `waiting`, `ok`, `failed`.
    pub const fn name(&self) -> &'static str {
        match self {
            State::Waiting(_) => "waiting",
            State::Ok => "ok",
            State::Failed(_) => "failed",
        }
    }

    /// The reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            State::Waiting(reason) | State::Failed(reason) => Some(reason),
            State::Ok => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Step(Step),
    Fact { process: &'static str, name: String },
}

#[derive(Clone, Debug)]
struct Entry {
    state: State,
    since: Instant,
    since_ms: u64,
}

#[derive(Debug, Default)]
struct Facts {
    entries: BTreeMap<Subject, Entry>,
    dropped: u64,
}

/// The board. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Facts>>);

impl Board {
    /// A board on which every step for `coins` waits to begin.
    pub fn new(coins: &[Coin]) -> Self {
        let board = Self::default();
        for step in Step::all(coins) {
            board.set(step, State::Waiting("not begun".to_owned()));
        }
        board
    }

    /// Says how a step stands.
    pub fn set(&self, step: Step, state: State) {
        self.put(Subject::Step(step), state);
    }

    /// Says how anything else stands, for example `("observation", "serai node", …)`.
    pub fn report(&self, process: &'static str, name: impl Into<String>, state: State) {
        self.put(Subject::Fact { process, name: name.into() }, state);
    }

    /// Forgets what was said by [`Board::report`].
    pub fn withdraw(&self, process: &'static str, name: &str) {
        self.lock().entries.remove(&Subject::Fact { process, name: name.to_owned() });
    }

    /// How a step stands; `None` where it was never set.
    pub fn get(&self, step: Step) -> Option<State> {
        self.lock().entries.get(&Subject::Step(step)).map(|entry| entry.state.clone())
    }

    /// Why this coordinator is not well: what failed, and what waits for too long. Empty when well.
    pub fn causes(&self) -> Vec<String> {
        self.causes_at(Instant::now())
    }

    /// What the start still waits for, genesis vaults left out: empty when ready to take part.
    pub fn unready(&self) -> Vec<String> {
        let facts = self.lock();
        facts
            .entries
            .iter()
            .filter_map(|(subject, entry)| match subject {
                Subject::Step(Step::GenesisVault(_)) | Subject::Fact { .. } => None,
                Subject::Step(step) => {
                    entry.state.reason().map(|why| format!("{step}: {}: {why}", entry.state.name()))
                }
            })
            .collect()
    }

    /// The board as data: `start`, a list of steps in order, and `facts`.
    pub fn to_json(&self) -> Value {
        let facts = self.lock();
        let mut start = Vec::new();
        let mut other = Vec::new();
        for (subject, entry) in &facts.entries {
            let mut item = match subject {
                Subject::Step(step) => json!({"step": step.title(), "coin": step.coin()}),
                Subject::Fact { process, name } => json!({"process": process, "fact": name}),
            };
            item["state"] = entry.state.name().into();
            item["reason"] = entry.state.reason().into();
            item["since_ms"] = entry.since_ms.into();
            match subject {
                Subject::Step(_) => start.push(item),
                Subject::Fact { .. } => other.push(item),
            }
        }
        json!({"start": start, "facts": other, "facts_dropped": facts.dropped})
    }

    fn causes_at(&self, now: Instant) -> Vec<String> {
        let facts = self.lock();
        facts
            .entries
            .iter()
            .filter_map(|(subject, entry)| {
                let name = match subject {
                    Subject::Step(step) => step.to_string(),
                    Subject::Fact { process, name } => format!("{process}: {name}"),
                };
                let waited = now.saturating_duration_since(entry.since);
                match &entry.state {
                    State::Failed(why) => Some(format!("{name}: {why}")),
                    State::Waiting(why) if waited >= STUCK_AFTER => {
                        Some(format!("{name}: waiting for {} min: {why}", waited.as_secs() / 60))
                    }
                    State::Waiting(_) | State::Ok => None,
                }
            })
            .collect()
    }

    fn put(&self, subject: Subject, state: State) {
        let mut facts = self.lock();
        if let Some(entry) = facts.entries.get_mut(&subject) {
            if entry.state.name() != state.name() {
                (entry.since, entry.since_ms) = (Instant::now(), now_ms());
            }
            entry.state = state;
            return;
        }
        let steps = Coin::ALL.len() * 4 + 3;
        if matches!(subject, Subject::Fact { .. }) && facts.entries.len() >= MAX_FACTS + steps {
            facts.dropped += 1;
            return;
        }
        let entry = Entry { state, since: Instant::now(), since_ms: now_ms() };
        facts.entries.insert(subject, entry);
    }

    // Every change to the map is one insertion, removal or assignment: after a panic it is still sound.
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since the Unix epoch by this machine's clock; for people, not for decisions.
pub fn now_ms() -> u64 {
    wall_clock::now_ms()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn steps_stand_in_the_order_of_the_start() {
        let board = Board::new(&[Coin::Btc, Coin::Xmr]);
        let start = board.to_json()["start"].as_array().unwrap().clone();
        let titles: Vec<_> = start
            .iter()
            .map(|s| (s["step"].as_str().unwrap().to_owned(), s["coin"].as_str().unwrap_or("")))
            .map(|(step, coin)| format!("{step} {coin}"))
            .collect();
        assert_eq!(titles[0], "check configuration ");
        assert_eq!(titles[2..4], ["publish keys btc", "publish keys xmr"]);
        assert_eq!(titles[9], "genesis vault btc");
        assert_eq!(titles.len(), 11);
    }

    #[test]
    fn failures_and_long_waits_are_causes() {
        let board = Board::new(&[Coin::Btc]);
        assert_eq!(board.causes(), Vec::<String>::new());
        board.set(Step::LoadKeys, State::Failed("no file".to_owned()));
        assert_eq!(board.causes(), ["load keys: no file"]);
        board.set(Step::LoadKeys, State::Ok);
        let later = Instant::now() + STUCK_AFTER;
        let stuck = board.causes_at(later);
        assert!(stuck.iter().any(|cause| cause.starts_with("genesis vault (btc): waiting")));
        assert!(!stuck.iter().any(|cause| cause.starts_with("load keys")));
    }

    #[test]
    fn ready_needs_every_step_but_the_vault() {
        let board = Board::new(&[Coin::Btc]);
        for step in Step::all(&[Coin::Btc]) {
            if !matches!(step, Step::GenesisVault(_)) {
                assert!(!board.unready().is_empty(), "{step}");
                board.set(step, State::Ok);
            }
        }
        assert_eq!(board.unready(), Vec::<String>::new());
    }

    #[test]
    fn a_fact_that_is_withdrawn_is_gone() {
        let board = Board::default();
        board.report("test", "a", State::Failed("broken".to_owned()));
        board.report("test", "b", State::Ok);
        board.withdraw("test", "a");
        assert_eq!(board.causes(), Vec::<String>::new());
        assert_eq!(board.to_json()["facts"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn facts_are_bounded() {
        let board = Board::default();
        for number in 0..2 * MAX_FACTS {
            board.report("test", number.to_string(), State::Ok);
        }
        assert!(board.to_json()["facts"].as_array().unwrap().len() < 2 * MAX_FACTS);
        assert!(board.to_json()["facts_dropped"].as_u64().unwrap() > 0);
    }
}
