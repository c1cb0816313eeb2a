CREATE TABLE observed_chain (
    one INTEGER PRIMARY KEY CHECK (one = 1), genesis BLOB NOT NULL,
    number INTEGER, hash BLOB, CHECK ((number IS NULL) = (hash IS NULL))) STRICT;
CREATE TABLE observed_keys (
    coin TEXT NOT NULL, session INTEGER NOT NULL, key_pair BLOB NOT NULL,
    PRIMARY KEY (coin, session)) STRICT;
CREATE TABLE observed_coins (coin TEXT PRIMARY KEY, next INTEGER) STRICT;
CREATE TABLE submissions (
    row INTEGER PRIMARY KEY AUTOINCREMENT, intent TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    detail TEXT NOT NULL) STRICT;
CREATE INDEX submissions_by_state ON submissions (state, row);
CREATE TABLE batches (
    coin TEXT PRIMARY KEY, executed INTEGER NOT NULL, last INTEGER NOT NULL,
    block INTEGER NOT NULL, gap TEXT) STRICT;
CREATE TABLE burns (
    coin TEXT PRIMARY KEY, seen INTEGER NOT NULL, block INTEGER NOT NULL,
    event INTEGER NOT NULL) STRICT;
ALTER TABLE submissions ADD COLUMN handed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE executed_batches (
    coin TEXT NOT NULL, id INTEGER NOT NULL, block INTEGER NOT NULL, hash BLOB NOT NULL,
    external_block BLOB NOT NULL, instructions_hash BLOB NOT NULL, failed BLOB NOT NULL,
    supply INTEGER NOT NULL, PRIMARY KEY (coin, id)) STRICT, WITHOUT ROWID;
CREATE TABLE payments (
    coin TEXT NOT NULL, block INTEGER NOT NULL, event INTEGER NOT NULL,
    external_coin INTEGER, amount INTEGER, state TEXT NOT NULL, tx BLOB, height INTEGER,
    reason TEXT, PRIMARY KEY (block, event)) STRICT;
CREATE TABLE solvency (
    coin TEXT PRIMARY KEY, short INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE solvency_setting (
    one INTEGER PRIMARY KEY CHECK (one = 1), pause INTEGER NOT NULL) STRICT;

INSERT INTO observed_chain (one, genesis, number, hash)
    VALUES (1, x'01010101', 1, x'01010101');
INSERT INTO observed_keys (coin, session, key_pair)
    VALUES ('btc', 1, x'01010101');
INSERT INTO observed_coins (coin, next)
    VALUES ('btc', 1);
INSERT INTO submissions (row, intent, body, state, attempts, detail, handed)
    VALUES (1, 'intent', x'01010101', 'confirmed', 1, 'detail', 1);
INSERT INTO batches (coin, executed, last, block, gap)
    VALUES ('btc', 1, 1, 1, 'gap');
INSERT INTO burns (coin, seen, block, event)
    VALUES ('btc', 1, 1, 1);
INSERT INTO executed_batches (coin, id, block, hash, external_block, instructions_hash, failed, supply)
    VALUES ('btc', 1, 1, x'01010101', x'01010101', x'01010101', x'01010101', 1);
INSERT INTO payments (coin, block, event, external_coin, amount, state, tx, height, reason)
    VALUES ('btc', 1, 1, 1, 1, 'confirmed', x'01010101', 1, 'reason');
INSERT INTO solvency (coin, short, body)
    VALUES ('btc', 1, x'01010101');
INSERT INTO solvency_setting (one, pause)
    VALUES (1, 1);
