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
