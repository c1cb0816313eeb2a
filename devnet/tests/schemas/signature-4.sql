CREATE TABLE sets (
    coin INTEGER NOT NULL, session INTEGER NOT NULL, block INTEGER NOT NULL,
    members BLOB NOT NULL, PRIMARY KEY (coin, session)) STRICT;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, coin INTEGER NOT NULL, session INTEGER NOT NULL,
    parameters BLOB NOT NULL, summary TEXT NOT NULL, done INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER) STRICT;
CREATE TABLE inputs (
    id TEXT NOT NULL, number INTEGER NOT NULL, input BLOB NOT NULL,
    PRIMARY KEY (id, number)) STRICT, WITHOUT ROWID;
CREATE TABLE early_statements (
    row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL,
    session INTEGER NOT NULL, signer BLOB NOT NULL, statement BLOB NOT NULL) STRICT;
CREATE TABLE vaults (
    coin INTEGER NOT NULL, session INTEGER NOT NULL, key_pair BLOB NOT NULL,
    state TEXT NOT NULL, block INTEGER NOT NULL,
    PRIMARY KEY (coin, session)) STRICT;
CREATE TABLE removed (
    coin INTEGER NOT NULL, session INTEGER NOT NULL, validator BLOB NOT NULL,
    PRIMARY KEY (coin, session, validator)) STRICT, WITHOUT ROWID;
CREATE TABLE relayed (
    row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL,
    message BLOB NOT NULL) STRICT;
CREATE TABLE halts (coin INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
CREATE TABLE signings (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    coin INTEGER NOT NULL, session INTEGER NOT NULL, state TEXT NOT NULL,
    parameters BLOB NOT NULL, digest BLOB NOT NULL, signatures BLOB,
    summary TEXT NOT NULL, faults INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER) STRICT;
CREATE INDEX signings_by_state ON signings (state, row);
CREATE INDEX signings_with_faults ON signings (row) WHERE faults > 0;
CREATE TABLE parked_statements (
    row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL, signer BLOB NOT NULL,
    id TEXT NOT NULL, size INTEGER NOT NULL, statement BLOB NOT NULL) STRICT;
CREATE INDEX parked_by_signer ON parked_statements (coin, signer, row, size);
CREATE INDEX parked_by_id ON parked_statements (id, row);
CREATE TABLE early_ready (
    row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL,
    session INTEGER NOT NULL, message BLOB NOT NULL) STRICT;
CREATE TABLE processor_versions (
    coin INTEGER PRIMARY KEY, oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL) STRICT;

INSERT INTO sets (coin, session, block, members)
    VALUES (1, 1, 1, x'00000000');
INSERT INTO sessions (id, coin, session, parameters, summary, done, started_ms, ended_ms)
    VALUES ('id', 1, 1, x'01010101', '{}', 1, 1, 1);
INSERT INTO inputs (id, number, input)
    VALUES ('id', 1, x'01010101');
INSERT INTO early_statements (row, coin, session, signer, statement)
    VALUES (1, 1, 1, x'01010101', x'01010101');
INSERT INTO vaults (coin, session, key_pair, state, block)
    VALUES (1, 1, x'01010101', 'confirmed', 1);
INSERT INTO removed (coin, session, validator)
    VALUES (1, 1, x'01010101');
INSERT INTO relayed (row, coin, message)
    VALUES (1, 1, x'01010101');
INSERT INTO halts (coin, reason)
    VALUES (1, 'reason');
INSERT INTO signings (row, id, coin, session, state, parameters, digest, signatures, summary, faults, started_ms, ended_ms)
    VALUES (1, 'id', 1, 1, 'confirmed', x'01010101', x'01010101', x'01010101', '{}', 1, 1, 1);
INSERT INTO parked_statements (row, coin, signer, id, size, statement)
    VALUES (1, 1, x'01010101', 'id', 1, x'01010101');
INSERT INTO early_ready (row, coin, session, message)
    VALUES (1, 1, 1, x'01010101');
INSERT INTO processor_versions (coin, oldest, newest)
    VALUES (1, 1, 1);
