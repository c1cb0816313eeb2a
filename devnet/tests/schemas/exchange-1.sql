CREATE TABLE positions (
    reader TEXT NOT NULL, topic TEXT NOT NULL, handled INTEGER NOT NULL, id TEXT,
    PRIMARY KEY (reader, topic)) STRICT;
CREATE TABLE accepted (
    reader TEXT NOT NULL, topic TEXT NOT NULL, sender TEXT NOT NULL,
    incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (reader, topic, sender)) STRICT;
CREATE TABLE sequences (
    topic TEXT NOT NULL, receiver TEXT NOT NULL,
    incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (topic, receiver)) STRICT;
CREATE TABLE outbox (
    row INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL,
    id TEXT NOT NULL, kind TEXT NOT NULL, sender TEXT NOT NULL, receiver TEXT NOT NULL,
    session TEXT NOT NULL, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    version INTEGER NOT NULL, sealed INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX outbox_by_topic ON outbox (topic, row);

INSERT INTO positions (reader, topic, handled, id)
    VALUES ('signature', 'alice-btc', 1, 'id');
INSERT INTO accepted (reader, topic, sender, incarnation, sequence)
    VALUES ('signature', 'alice-btc', 'processor/btc', 1, 1);
INSERT INTO sequences (topic, receiver, incarnation, sequence)
    VALUES ('alice-btc', 'processor/btc', 1, 1);
INSERT INTO outbox (row, topic, id, kind, sender, receiver, session, incarnation, sequence, version, sealed, body)
    VALUES (1, 'alice-btc', 'id', 'keygen.start', 'processor/btc', 'processor/btc', 'session', 1, 1, 1, 1, x'01010101');
