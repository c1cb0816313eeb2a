CREATE TABLE vaults (
    session INTEGER NOT NULL, attempt INTEGER NOT NULL,
    ristretto BLOB NOT NULL, external BLOB NOT NULL,
    keys BLOB NOT NULL, nonces BLOB, confirmed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session, attempt)) STRICT;
ALTER TABLE vaults ADD COLUMN members BLOB NOT NULL DEFAULT x'00000000';

INSERT INTO vaults (session, attempt, ristretto, external, keys, nonces, confirmed, members)
    VALUES (1, 1, x'01010101', x'01010101', x'01010101', x'01010101', 1, x'00000000');
