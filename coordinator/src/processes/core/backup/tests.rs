//! Backups of a state that was filled by hand, and what restoring makes of it.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serai_bus::{Database, DatabaseError, Migration, Position, Start, exchange};
use serai_messages::{Coin, Endpoint, Incarnation, IntentId, Record, Sequence};

use super::*;
use crate::coordinator::migrations;
use crate::processes::core::store;

const CONSUMER: exchange::Consumer<'_> =
    exchange::Consumer { reader: "signature", topic: "alice-btc" };

struct World {
    _folder: tempfile::TempDir,
    places: Places,
}

impl World {
    /// A coordinator that has read a topic, and one vault.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            name: "alice".parse().unwrap(),
            data_dir: folder.path().join("data"),
            backup_dir: folder.path().join("backups"),
        };
        fs::create_dir(&places.data_dir).unwrap();
        let world = Self { _folder: folder, places };
        let database = world.database();
        store::incarnation(&database).unwrap();
        world.read_up_to(&database, 7);
        fs::create_dir_all(world.places.vaults(Coin::Btc)).unwrap();
        fs::write(world.vault(), "sealed shares").unwrap();
        world
    }

    fn vault(&self) -> PathBuf {
        self.places.vaults(Coin::Btc).join("btc-0-0.vault")
    }

    fn database(&self) -> Database {
        Database::open(&store::database_path(&self.places.data_dir), &migrations()).unwrap()
    }

    fn read_up_to(&self, database: &Database, offset: u64) {
        let position = Position { offset, id: Some(IntentId::new("a/b").unwrap()) };
        let work = database.transaction(|tx| {
            exchange::set_position(tx, CONSUMER, &position).map_err(|source| database.error(source))
        });
        work.unwrap();
    }

    fn create(&self) -> Archive {
        create(&self.places, &migrations()).unwrap()
    }

    fn restore(&self, bus_lost: bool, replace: bool) -> Result<Restoration, BackupError> {
        restore(&self.places, &migrations(), None, bus_lost, replace)
    }

    fn start(&self) -> Start {
        let reset = serai_bus::OffsetReset::Latest;
        self.database().read(|c| exchange::start(c, CONSUMER, reset)).unwrap()
    }
}

#[test]
fn what_is_restored_is_what_was_there_and_lives_later() {
    let world = World::new();
    let made = world.create();
    // What comes after the backup is not in it.
    world.read_up_to(&world.database(), 9);
    fs::remove_dir_all(&world.places.data_dir).unwrap();
    fs::create_dir(&world.places.data_dir).unwrap();

    let restored = world.restore(false, false).unwrap();
    assert_eq!(restored.archive, made);
    assert_eq!(restored.replaced, None);
    assert_eq!(restored.vaults, [(Coin::Btc, world.vault())]);
    assert_eq!(fs::read_to_string(world.vault()).unwrap(), "sealed shares");
    let database = world.database();
    assert_eq!(store::incarnation(&database).unwrap(), restored.incarnation);
    assert!(restored.incarnation.0 > 1_700_000_000_000, "{}", restored.incarnation);
    let marked = database.read(store::restored).unwrap().unwrap();
    assert_eq!(marked.block, None);
    assert!(
        matches!(world.start(), Start::After(Position { offset: 7, .. })),
        "{:?}",
        world.start()
    );
    let rest = fs::read_dir(&world.places.data_dir).unwrap().map(|e| e.unwrap().file_name());
    assert!(rest.into_iter().all(|name| !name.to_string_lossy().starts_with('.')));
}

#[test]
fn a_lost_bus_is_read_from_its_beginning() {
    let world = World::new();
    let database = world.database();
    let followed = |database: &Database| {
        let count = |c: &Connection| {
            c.query_row("SELECT count(*) FROM observed_coins", (), |row| row.get::<_, i64>(0))
        };
        database.read(count).unwrap()
    };
    let insert = database.transaction(|tx| {
        tx.execute("INSERT INTO observed_coins (coin, next) VALUES ('btc', NULL)", ())
            .map_err(|source| database.error(source))
    });
    insert.unwrap();
    let kinds = ["vault.burned", "signing.sign", "serai.new-set", "submit.batch", "external.kept"];
    let waiting = database.transaction(|tx| {
        for (number, kind) in (1..).zip(kinds) {
            let topic = if kind.contains("ing.") || kind.starts_with("vault") {
                "alice-btc"
            } else {
                "alice-serai"
            };
            exchange::enqueue(tx, topic, &record(kind, number))
                .map_err(|source| database.error(source))?;
        }
        Ok::<_, DatabaseError>(())
    });
    waiting.unwrap();
    let kept = |database: &Database| {
        let count = |c: &Connection| c.query_row("SELECT count(*) FROM relayed", (), |r| r.get(0));
        database.read(count).unwrap()
    };
    let relayed = database.transaction(|tx| {
        tx.execute("INSERT INTO relayed (coin, message) VALUES (1, x'00')", ())
            .map_err(|source| database.error(source))
    });
    relayed.unwrap();
    assert_eq!(kept(&database), 1);
    world.create();
    drop(database);
    world.restore(true, true).unwrap();
    assert_eq!(world.start(), Start::Earliest);
    assert_eq!((followed(&world.database()), kept(&world.database())), (0, 0));
    // What happened on Serai comes again, in order; the rest goes out.
    let left = |topic| {
        let pending = world.database().read(|c| exchange::pending(c, topic, 10)).unwrap();
        pending.into_iter().map(|outgoing| outgoing.record.kind).collect::<Vec<_>>()
    };
    assert_eq!(left("alice-btc"), ["signing.sign"]);
    assert_eq!(left("alice-serai"), ["submit.batch", "external.kept"]);
}

fn record(kind: &str, number: u64) -> Record {
    Record {
        id: IntentId::new(format!("{kind}/{number}")).unwrap(),
        kind: kind.to_owned(),
        from: Endpoint::Coordinator,
        to: Endpoint::Coordinator,
        session: String::new(),
        incarnation: Incarnation(1),
        sequence: Sequence(number),
        version: 1,
        sealed: false,
        body: Vec::new(),
    }
}

#[test]
fn a_state_that_is_there_is_moved_aside_only_when_told() {
    let world = World::new();
    world.create();
    world.read_up_to(&world.database(), 9);
    let error = world.restore(false, false).unwrap_err();
    assert!(error.to_string().contains("--replace"), "{error}");
    assert!(matches!(world.start(), Start::After(Position { offset: 9, .. })));

    let aside = world.restore(false, true).unwrap().replaced.unwrap();
    assert!(matches!(world.start(), Start::After(Position { offset: 7, .. })));
    let old = Database::open(&aside.join("state.sqlite"), &migrations()).unwrap();
    let position = old.read(|c| exchange::position(c, CONSUMER)).unwrap().unwrap();
    assert_eq!(position.offset, 9);
}

/// A restore that was broken off is taken up again, and nothing starts meanwhile.
#[test]
fn a_restore_that_was_broken_off_is_done_again() {
    let world = World::new();
    world.create();
    store::begin_restoring(&world.places.data_dir).unwrap();
    assert!(store::is_restoring(&world.places.data_dir));
    world.read_up_to(&world.database(), 9);
    // Without --replace: what is there is no state.
    world.restore(false, false).unwrap();
    assert!(!store::is_restoring(&world.places.data_dir));
    assert!(matches!(world.start(), Start::After(Position { offset: 7, .. })));
}

/// A log that the former database has left would be taken for the new one's.
#[test]
fn what_is_left_of_a_former_database_is_moved_aside() {
    let world = World::new();
    world.create();
    let state = store::database_path(&world.places.data_dir);
    let former = world.database();
    world.read_up_to(&former, 9);
    for suffix in ["-wal", "-shm"] {
        let name = format!("state.sqlite{suffix}");
        fs::copy(state.with_file_name(&name), world.places.backup_dir.join(&name)).unwrap();
    }
    drop(former);
    fs::remove_file(&state).unwrap();
    for suffix in ["-wal", "-shm"] {
        let name = format!("state.sqlite{suffix}");
        fs::copy(world.places.backup_dir.join(&name), state.with_file_name(&name)).unwrap();
    }
    let restored = world.restore(false, false).unwrap();
    assert!(restored.replaced.unwrap().join("state.sqlite-wal").exists());
    assert!(
        matches!(world.start(), Start::After(Position { offset: 7, .. })),
        "{:?}",
        world.start()
    );
    assert_eq!(store::incarnation(&world.database()).unwrap(), restored.incarnation);
}

/// The clock was ahead, and was set right: the new backup is the newest all the same, and stays.
#[test]
fn a_clock_that_goes_back_makes_no_backup_old() {
    let world = World::new();
    let first = world.create();
    edit(&first.path, &first.manifest.made.to_string(), "2099-01-01T00:00:00Z");
    let ahead = world.places.backup_dir.join("alice-20990101T000000.000Z");
    fs::rename(&first.path, &ahead).unwrap();
    let next = world.create();
    assert_eq!(next.name(), "alice-20990101T000000.001Z");
    let found = find(&world.places.backup_dir, &world.places.name, None).unwrap();
    assert_eq!(found, next);
    // What the restored state waits for is a block of today, not of 2099.
    assert!(next.manifest.clock < ahead_of_clock());
    world.restore(false, true).unwrap();
    let restored = world.database().read(store::restored).unwrap().unwrap();
    assert!(restored.at_ms < ahead_of_clock().as_millisecond(), "{restored:?}");
    // A copy under a name of one's own is not among them.
    fs::rename(&ahead, world.places.backup_dir.join("alice-before-the-move")).unwrap();
    assert_eq!(list(&world.places.backup_dir, &world.places.name).unwrap().len(), 1);
}

fn ahead_of_clock() -> jiff::Timestamp {
    "2099-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn each_life_is_later_than_the_one_before() {
    let world = World::new();
    let mut last = Incarnation(1);
    for _ in 0..3 {
        world.create();
        let next = world.restore(false, true).unwrap().incarnation;
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}

#[test]
fn damage_is_found_and_named() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("btc/btc-0-0.vault is not the file", |path| {
            fs::write(path.join("btc/btc-0-0.vault"), "sealed Shares").unwrap();
        }),
        ("btc/btc-0-0.vault: No such file", |path| {
            fs::remove_file(path.join("btc/btc-0-0.vault")).unwrap();
        }),
        ("state.sqlite.gz is not the file", |path| {
            let mut bytes = fs::read(path.join("state.sqlite.gz")).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path.join("state.sqlite.gz"), bytes).unwrap();
        }),
        ("manifest.json", |path| fs::write(path.join("manifest.json"), "{").unwrap()),
        ("it has form 2", |path| edit(path, "\"format\": 1", "\"format\": 2")),
        ("outside of it", |path| edit(path, "btc/btc-0-0.vault", "../../data/lock")),
    ];
    for (expected, damage) in damages {
        let world = World::new();
        let made = world.create();
        verify(&made, &migrations(), world.places.data_dir.as_path()).unwrap();
        damage(&made.path);
        let error = find(&world.places.backup_dir, &world.places.name, Some(&made.name()))
            .and_then(|archive| verify(&archive, &migrations(), &world.places.data_dir))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
        // The state stays what it was.
        world.restore(false, true).unwrap_err();
        assert!(matches!(world.start(), Start::After(_)));
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let path = path.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

/// A row that differs is found although every checksum of files is right.
#[test]
fn rows_are_compared_with_what_was_read() {
    let world = World::new();
    let made = world.create();
    let content = made.manifest.content.clone();
    let table = content.get("positions").unwrap();
    edit(&made.path, &table.sha256, &"0".repeat(64));
    let archive = find(&world.places.backup_dir, &world.places.name, None).unwrap();
    let error =
        verify(&archive, &migrations(), world.places.data_dir.as_path()).unwrap_err().to_string();
    assert!(error.contains("table positions"), "{error}");
}

#[test]
fn a_newer_programs_state_is_refused_in_words() {
    let world = World::new();
    let made = world.create();
    let older: Vec<Migration> = migrations()
        .into_iter()
        .map(|one| Migration {
            steps: if one.component == "core" { &one.steps[..1] } else { one.steps },
            ..one
        })
        .collect();
    let error = verify(&made, &older, &world.places.data_dir).unwrap_err().to_string();
    assert!(error.contains("schema version 2 of core"), "{error}");
}

#[test]
fn only_what_is_complete_is_listed_and_only_what_is_wanted_kept() {
    let world = World::new();
    let Places { backup_dir, name, .. } = &world.places;
    let error = create(
        &Places { data_dir: backup_dir.join("none"), ..world.places.clone() },
        &migrations(),
    );
    assert!(matches!(error, Err(BackupError::NoState { .. })));
    assert!(list(backup_dir, name).unwrap().is_empty());
    let first = world.create();
    fs::create_dir(backup_dir.join(".partial-alice.x")).unwrap();
    fs::create_dir(backup_dir.join(".partial-alice-2.x")).unwrap();
    fs::create_dir(backup_dir.join("bob-20260101T000000.000Z")).unwrap();
    let second = world.create();
    assert!(!backup_dir.join(".partial-alice.x").exists(), "what a crash has left");
    assert!(backup_dir.join(".partial-alice-2.x").exists(), "another validator's");
    let names: Vec<_> =
        list(backup_dir, name).unwrap().into_iter().map(|one| one.unwrap().name()).collect();
    assert_eq!(names, [second.name(), first.name()]);
    // Sixty more, made within one day: the newest stay.
    for number in 0..60 {
        copy(&first.path, &backup_dir.join(format!("alice-20250101T0000{number:02}.000Z")), number);
    }
    world.create();
    let left = list(backup_dir, name).unwrap();
    // The 48 newest; of the day of the copies, the newest is among them.
    assert_eq!(left.len(), 48);
    let error = find(backup_dir, name, Some("../data")).unwrap_err().to_string();
    assert!(error.contains("holds no backup"), "{error}");
}

/// The same backup, as if made earlier.
fn copy(from: &Path, to: &Path, second: u32) {
    fs::create_dir_all(to.join("btc")).unwrap();
    for file in ["manifest.json", "state.sqlite.gz", "btc/btc-0-0.vault"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let text = fs::read_to_string(to.join("manifest.json")).unwrap();
    let mut manifest: Manifest = serde_json::from_str(&text).unwrap();
    manifest.made = format!("2025-01-01T00:00:{second:02}Z").parse().unwrap();
    fs::write(to.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// The program writes while its backups are made: each is of one instant, and verified.
#[test]
fn a_running_program_is_backed_up() {
    let world = World::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let database = world.database();
            for offset in 8.. {
                world.read_up_to(&database, offset);
                if done.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..5 {
            let made = world.create();
            verify(&made, &migrations(), world.places.data_dir.as_path()).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn errors_say_which_database() {
    let world = World::new();
    fs::write(store::database_path(&world.places.data_dir), "no database").unwrap();
    let error = create(&world.places, &migrations()).unwrap_err();
    assert!(matches!(error, BackupError::Database(DatabaseError::Sqlite { .. })), "{error}");
    assert!(error.to_string().contains("data/state.sqlite"), "{error}");
    assert_eq!(fs::read_dir(&world.places.backup_dir).unwrap().count(), 1, "only the lock is left");
}
