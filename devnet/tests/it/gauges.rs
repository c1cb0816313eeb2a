//! What is read of running programs from outside: rows of their queues, and the memory that they hold.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serai_devnet::cluster::{Cluster, Program};
use serai_messages::{Coin, Name};

/// Rows in a coordinator's database.
#[derive(Clone, Copy, Debug, Default)]
pub struct CoordinatorRows {
    /// Records for the bus, of the topic for which most wait.
    pub outbox: u64,
    /// Statements for the peer for which most wait.
    pub peers: u64,
    /// Their bytes.
    pub peers_bytes: u64,
    /// Statements that no peer's queue had room for.
    pub dropped: u64,
    /// Statements that wait for their thing, of the signer of whom there are most.
    pub parked: u64,
    /// Signings under way.
    pub running: u64,
    /// Inputs in the logs of all that is under way.
    pub log: u64,
    /// Signings that have ended.
    pub done: u64,
}

/// Rows in a processor's database.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessorRows {
    /// Records for the bus.
    pub outbox: u64,
    /// Serai's events that wait for a block of the external chain.
    pub events: u64,
    /// Things that are not signed and being signed.
    pub unsigned: u64,
    /// Preprocesses that wait for a session.
    pub preprocesses: u64,
    /// Payments that wait for their turn to be signed.
    pub waiting: u64,
    /// Bytes of the ledger's snapshot.
    pub ledger: u64,
}

/// What one look has found.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Seconds since the first look.
    pub at: f64,
    /// The largest figure among the coordinators.
    pub coordinator: CoordinatorRows,
    /// The largest figure among the processors.
    pub processor: ProcessorRows,
    /// Resident memory of the largest coordinator, in MiB.
    pub coordinator_mib: u64,
    /// Likewise of the processors.
    pub processor_mib: u64,
    /// Payments and batches signed so far, by the coordinator that knows most.
    pub signed: u64,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (c, p) = (&self.coordinator, &self.processor);
        write!(
            f,
            "{:>6.1} | {:>6} | {:>6} {:>5} {:>6} {:>7} {:>6} {:>4} | {:>6} {:>6} {:>8} {:>6} \
             {:>7} {:>7} {:>4}",
            self.at,
            self.signed,
            c.outbox,
            c.peers,
            c.parked,
            c.running,
            c.log,
            self.coordinator_mib,
            p.outbox,
            p.events,
            p.unsigned,
            p.preprocesses,
            p.waiting,
            p.ledger / 1024,
            self.processor_mib,
        )
    }
}

/// What stands above the columns.
pub const HEADER: &str = "\
     s | signed | coordinator:                            | processor:
       |        | outbox peers parked running    log  MiB | outbox events unsigned  prepr. waiting ledger/K  MiB";

/// Looks at all programs of these validators and this coin.
pub fn look(network: &Cluster, names: &[Name], coin: Coin, at: Duration) -> Look {
    let mut look = Look { at: at.as_secs_f64(), ..Look::default() };
    let layout = network.layout();
    for name in names {
        let rows = coordinator(&layout.data(name).join("state.sqlite"));
        let of = &mut look.coordinator;
        *of = CoordinatorRows {
            outbox: of.outbox.max(rows.outbox),
            peers: of.peers.max(rows.peers),
            peers_bytes: of.peers_bytes.max(rows.peers_bytes),
            dropped: of.dropped.max(rows.dropped),
            parked: of.parked.max(rows.parked),
            running: of.running.max(rows.running),
            log: of.log.max(rows.log),
            done: of.done.max(rows.done),
        };
        let rows = processor(&layout.processor(name, coin).join("state.sqlite"));
        let of = &mut look.processor;
        *of = ProcessorRows {
            outbox: of.outbox.max(rows.outbox),
            events: of.events.max(rows.events),
            unsigned: of.unsigned.max(rows.unsigned),
            preprocesses: of.preprocesses.max(rows.preprocesses),
            waiting: of.waiting.max(rows.waiting),
            ledger: of.ledger.max(rows.ledger),
        };
        let pid = network.pid(&Program::Coordinator(name.clone()));
        look.coordinator_mib = look.coordinator_mib.max(pid.map_or(0, resident_mib));
    }
    for living in network.processors() {
        look.processor_mib = look.processor_mib.max(resident_mib(living.pid));
    }
    look.signed = look.coordinator.done;
    look
}

/// Opens a running program's database, to be read.
fn open(path: &Path) -> Option<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    connection.busy_timeout(Duration::from_secs(10)).ok()?;
    Some(connection)
}

/// A number; 0 where there is none, or no such table yet.
fn number(connection: &Connection, query: &str) -> u64 {
    let found = connection.query_row(query, (), |row| row.get::<_, Option<i64>>(0));
    found.ok().flatten().and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}

/// The rows of a coordinator's queues.
pub fn coordinator(path: &Path) -> CoordinatorRows {
    let Some(connection) = open(path) else { return CoordinatorRows::default() };
    let number = |query| number(&connection, query);
    CoordinatorRows {
        outbox: number("SELECT max(n) FROM (SELECT count(*) AS n FROM outbox GROUP BY topic)"),
        peers: number("SELECT max(rows) FROM peer_queues"),
        peers_bytes: number("SELECT max(bytes) FROM peer_queues"),
        dropped: number("SELECT sum(dropped) FROM peer_queues"),
        parked: number(
            "SELECT max(n) FROM
                 (SELECT count(*) AS n FROM parked_statements GROUP BY coin, signer)",
        ),
        running: number("SELECT count(*) FROM signings WHERE state = 'running'"),
        log: number("SELECT count(*) FROM inputs"),
        done: number("SELECT count(*) FROM signings WHERE state = 'done'"),
    }
}

/// The rows of a processor's queues.
pub fn processor(path: &Path) -> ProcessorRows {
    let Some(connection) = open(path) else { return ProcessorRows::default() };
    let number = |query| number(&connection, query);
    ProcessorRows {
        outbox: number("SELECT count(*) FROM outbox"),
        events: number("SELECT count(*) FROM ledger_events"),
        unsigned: number("SELECT count(*) FROM things WHERE signatures IS NULL"),
        preprocesses: number("SELECT count(*) FROM preprocesses"),
        waiting: number("SELECT count(*) FROM waiting"),
        ledger: number("SELECT length(snapshot) FROM ledger"),
    }
}

/// Resident memory of a process, in MiB; 0 where it has ended.
fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap_or_default();
    kib / 1024
}
