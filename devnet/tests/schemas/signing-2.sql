CREATE TABLE things (
    id TEXT PRIMARY KEY, stored BLOB NOT NULL, signatures BLOB) STRICT;
CREATE TABLE preprocesses (
    id TEXT NOT NULL, opener BLOB NOT NULL, number INTEGER NOT NULL,
    digest BLOB NOT NULL, preprocess BLOB NOT NULL, seeds BLOB NOT NULL,
    PRIMARY KEY (id, opener, number)) STRICT;
CREATE INDEX preprocesses_by_digest ON preprocesses (id, digest);
CREATE TABLE used_preprocesses (
    digest BLOB PRIMARY KEY, id TEXT NOT NULL, message BLOB NOT NULL,
    signing_set BLOB NOT NULL, open BLOB NOT NULL, answer BLOB NOT NULL) STRICT;
CREATE TABLE waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE, stored BLOB NOT NULL) STRICT;
CREATE INDEX waiting_by_session ON waiting (session, number);
CREATE INDEX unsigned_things ON things (id) WHERE signatures IS NULL;

INSERT INTO things (id, stored, signatures)
    VALUES ('id', x'01010101', x'01010101');
INSERT INTO preprocesses (id, opener, number, digest, preprocess, seeds)
    VALUES ('id', x'01010101', 1, x'01010101', x'01010101', x'01010101');
INSERT INTO used_preprocesses (digest, id, message, signing_set, open, answer)
    VALUES (x'01010101', 'id', x'01010101', x'01010101', x'01010101', x'01010101');
INSERT INTO waiting (number, session, id, stored)
    VALUES (1, 1, 'id', x'01010101');
