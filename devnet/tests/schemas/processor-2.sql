CREATE TABLE processor (
    name TEXT NOT NULL, coin TEXT NOT NULL, incarnation INTEGER NOT NULL,
    keystore_check BLOB NOT NULL, born_at INTEGER, superseding INTEGER NOT NULL DEFAULT 0)
    STRICT;
CREATE TABLE coordinator (key BLOB NOT NULL) STRICT;
CREATE TABLE coordinator_versions (
    oldest INTEGER NOT NULL, newest INTEGER NOT NULL) STRICT;

INSERT INTO processor (name, coin, incarnation, keystore_check, born_at, superseding)
    VALUES ('alice', 'btc', 1, x'01010101', 1, 1);
INSERT INTO coordinator (key)
    VALUES (x'01010101');
INSERT INTO coordinator_versions (oldest, newest)
    VALUES (1, 1);
