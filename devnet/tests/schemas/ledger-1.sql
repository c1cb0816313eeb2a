CREATE TABLE ledger (snapshot BLOB NOT NULL) STRICT;
CREATE TABLE ledger_events (number INTEGER PRIMARY KEY, event BLOB NOT NULL) STRICT;
CREATE TABLE due (id TEXT PRIMARY KEY, due BLOB NOT NULL) STRICT;
CREATE TABLE plans (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL, plan BLOB NOT NULL, raw BLOB,
    state TEXT NOT NULL) STRICT;
CREATE INDEX plans_by_state ON plans (state);
CREATE TABLE holdings (batch INTEGER PRIMARY KEY, due BLOB NOT NULL) STRICT;
CREATE TABLE external_chain (genesis BLOB NOT NULL) STRICT;

INSERT INTO ledger (snapshot)
    VALUES (x'01010101');
INSERT INTO ledger_events (number, event)
    VALUES (1, x'01010101');
INSERT INTO due (id, due)
    VALUES ('id', x'01010101');
INSERT INTO plans (id, hash, plan, raw, state)
    VALUES ('id', x'01010101', x'01010101', x'01010101', 'confirmed');
INSERT INTO holdings (batch, due)
    VALUES (1, x'01010101');
INSERT INTO external_chain (genesis)
    VALUES (x'01010101');
