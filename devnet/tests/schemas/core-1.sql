CREATE TABLE instance (
    id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL) STRICT;
CREATE TABLE processor_keys (
    coin TEXT PRIMARY KEY, trusted BLOB, offered BLOB) STRICT;

INSERT INTO instance (id, incarnation)
    VALUES (1, 1);
INSERT INTO processor_keys (coin, trusted, offered)
    VALUES ('btc', x'01010101', x'01010101');
