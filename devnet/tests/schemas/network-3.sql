CREATE TABLE peer_queues (
    receiver BLOB PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    rows INTEGER NOT NULL, bytes INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;
CREATE TABLE peer_outbox (
    receiver BLOB NOT NULL, sequence INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (receiver, sequence)) STRICT;
CREATE TABLE peer_cursors (
    sender BLOB PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    proof BLOB) STRICT;
CREATE TABLE refused_statements (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    sender BLOB NOT NULL, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    reason TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE (sender, incarnation, sequence)) STRICT;
CREATE TABLE told_reach (
    validator BLOB PRIMARY KEY, online INTEGER NOT NULL,
    changes INTEGER NOT NULL) STRICT;
CREATE TABLE peer_versions (
    validator BLOB PRIMARY KEY, oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL) STRICT;

INSERT INTO peer_queues (receiver, incarnation, sequence, rows, bytes, dropped)
    VALUES (x'01010101', 1, 1, 1, 1, 1);
INSERT INTO peer_outbox (receiver, sequence, body)
    VALUES (x'01010101', 1, x'01010101');
INSERT INTO peer_cursors (sender, incarnation, sequence, proof)
    VALUES (x'01010101', 1, 1, x'01010101');
INSERT INTO refused_statements (row, sender, incarnation, sequence, reason, body)
    VALUES (1, x'01010101', 1, 1, 'reason', x'01010101');
INSERT INTO told_reach (validator, online, changes)
    VALUES (x'01010101', 1, 1);
INSERT INTO peer_versions (validator, oldest, newest)
    VALUES (x'01010101', 1, 1);
