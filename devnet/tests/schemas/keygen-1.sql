CREATE TABLE attempts (
    session INTEGER NOT NULL, attempt INTEGER NOT NULL,
    party BLOB NOT NULL, seed BLOB NOT NULL,
    PRIMARY KEY (session, attempt)) STRICT;
CREATE TABLE steps (
    session INTEGER NOT NULL, attempt INTEGER NOT NULL, step TEXT NOT NULL,
    digest BLOB NOT NULL, input BLOB NOT NULL, answers BLOB NOT NULL,
    PRIMARY KEY (session, attempt, step)) STRICT;
CREATE TABLE chain (genesis BLOB NOT NULL) STRICT;

INSERT INTO attempts (session, attempt, party, seed)
    VALUES (1, 1, x'01010101', x'01010101');
INSERT INTO steps (session, attempt, step, digest, input, answers)
    VALUES (1, 1, 'step', x'01010101', x'01010101', x'01010101');
INSERT INTO chain (genesis)
    VALUES (x'01010101');
