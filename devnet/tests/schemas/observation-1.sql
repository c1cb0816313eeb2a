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

INSERT INTO observed_chain (one, genesis, number, hash)
    VALUES (1, x'01010101', 1, x'01010101');
INSERT INTO observed_keys (coin, session, key_pair)
    VALUES ('btc', 1, x'01010101');
INSERT INTO observed_coins (coin, next)
    VALUES ('btc', 1);
INSERT INTO submissions (row, intent, body, state, attempts, detail)
    VALUES (1, 'intent', x'01010101', 'confirmed', 1, 'detail');
INSERT INTO batches (coin, executed, last, block, gap)
    VALUES ('btc', 1, 1, 1, 'gap');
INSERT INTO burns (coin, seen, block, event)
    VALUES ('btc', 1, 1, 1);
