-- What an office keeps, layout 1. It cannot be rebuilt from the chain.
-- secret permutes places in the status list (stele_credentials::status::Layout); next_number counts what was issued.
CREATE TABLE issuers (
    name        TEXT PRIMARY KEY,
    settings    TEXT NOT NULL,
    secret      BLOB NOT NULL,
    next_number INTEGER NOT NULL DEFAULT 0
) STRICT;

-- claims are personal data: they are removed when the credential was issued, the offer withdrawn, or its time is over.
CREATE TABLE offers (
    id          TEXT PRIMARY KEY,
    issuer      TEXT NOT NULL REFERENCES issuers (name),
    kind        TEXT NOT NULL,
    reference   TEXT,
    claims      TEXT,
    code        TEXT,
    tx_code     TEXT,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'ready', 'collected', 'withdrawn', 'expired')),
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX offers_by_issuer ON offers (issuer, made_at);
CREATE INDEX offers_by_reference ON offers (issuer, reference) WHERE claims IS NOT NULL;
CREATE INDEX offers_open ON offers (expires_at) WHERE claims IS NOT NULL;

-- One row for each passkey of a person: its public half, its counter, and whose it is.
CREATE TABLE passkeys (
    id          TEXT PRIMARY KEY,
    subject     TEXT NOT NULL,
    record      TEXT NOT NULL
) STRICT;

-- Small things that are written as a whole: the open enrolment codes.
CREATE TABLE documents (
    name        TEXT PRIMARY KEY,
    content     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- signed is SHA-256 of the signed part, by which a holder asks for the proof.
CREATE TABLE issued (
    issuer      TEXT NOT NULL REFERENCES issuers (name),
    number      INTEGER NOT NULL,
    offer       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    reference   TEXT,
    signed      BLOB NOT NULL UNIQUE,
    proof       BLOB NOT NULL,
    status      INTEGER NOT NULL DEFAULT 0,
    issued_at   INTEGER NOT NULL,
    PRIMARY KEY (issuer, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX issued_by_offer ON issued (offer);
CREATE INDEX issued_not_valid ON issued (issuer, number) WHERE status <> 0;
