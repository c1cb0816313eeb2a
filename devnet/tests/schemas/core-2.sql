CREATE TABLE instance (
    id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL) STRICT;
CREATE TABLE processor_keys (
    coin TEXT PRIMARY KEY, trusted BLOB, offered BLOB) STRICT;
CREATE TABLE restored (
    id INTEGER PRIMARY KEY CHECK (id = 1), at_ms INTEGER NOT NULL, block INTEGER) STRICT;

INSERT INTO instance (id, incarnation)
    VALUES (1, 1);
INSERT INTO processor_keys (coin, trusted, offered)
    VALUES ('btc', x'01010101', x'01010101');
INSERT INTO restored (id, at_ms, block)
    VALUES (1, 1, 1);
