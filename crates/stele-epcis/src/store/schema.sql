-- An owner's events, layout 1. Unlike the read model this file cannot be rebuilt from the chain.
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE jobs (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    created_ms  INTEGER NOT NULL,
    finished_ms INTEGER,
    success     INTEGER NOT NULL,
    behaviour   TEXT NOT NULL,
    errors      TEXT NOT NULL
);
CREATE INDEX jobs_running ON jobs (number) WHERE finished_ms IS NULL;

-- json holds the canonical event's bytes (canonical.rs); salt is a secret of the owner until it is shown with the event.
-- An event and its error declaration have one event id: declared tells them apart.
-- anchored says that the ledger was told, entry_id what it answered; visible, that queries may find the event.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id   TEXT NOT NULL,
    declared   INTEGER NOT NULL,
    type       TEXT NOT NULL,
    event_ms   INTEGER NOT NULL,
    record_ms  INTEGER NOT NULL,
    json       TEXT NOT NULL,
    salt       BLOB NOT NULL,
    commitment BLOB NOT NULL,
    entry_id   BLOB,
    anchored   INTEGER NOT NULL DEFAULT 0,
    job        INTEGER NOT NULL,
    visible    INTEGER NOT NULL,
    UNIQUE (event_id, declared)
);
CREATE INDEX events_by_time ON events (event_ms, seq) WHERE visible = 1;
CREATE INDEX events_by_record ON events (record_ms, seq) WHERE visible = 1;
CREATE INDEX events_by_type ON events (type) WHERE visible = 1;
CREATE INDEX events_pending ON events (job) WHERE visible = 0;

-- What visible events are found by (facts.rs).
CREATE TABLE terms (
    field TEXT NOT NULL, value TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (field, value, seq)
) WITHOUT ROWID;
CREATE TABLE numbers (
    field TEXT NOT NULL, value REAL NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (field, value, seq)
) WITHOUT ROWID;

-- Master data: which places lie in which, from the vocabularies of captured documents.
CREATE TABLE children (parent TEXT NOT NULL, child TEXT NOT NULL, PRIMARY KEY (parent, child)) WITHOUT ROWID;

CREATE TABLE queries (name TEXT PRIMARY KEY, body TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;
