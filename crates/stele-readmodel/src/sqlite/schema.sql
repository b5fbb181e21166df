-- The read model's tables, layout 1 (docs/design/0005-read-model.md). Ids that repeat are interned: registers and
-- parties by number, so that rows and indexes stay small.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE registers (
    rid     INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    applied INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE parties (
    pid           INTEGER PRIMARY KEY,
    id            BLOB NOT NULL UNIQUE,
    kind          TEXT NOT NULL DEFAULT '',
    name          TEXT NOT NULL DEFAULT '',
    first_seen_ms INTEGER NOT NULL,
    entries       INTEGER NOT NULL DEFAULT 0
);
CREATE VIRTUAL TABLE party_text USING fts5 (words, tokenize = 'unicode61', prefix = '2 4');

CREATE TABLE entries (
    log_index     INTEGER PRIMARY KEY,
    height        INTEGER NOT NULL,
    time_ms       INTEGER NOT NULL,
    entry_id      BLOB NOT NULL,
    -- The first 8 bytes of entry_id: the index over them is a third of one over the whole.
    entry_id8     INTEGER NOT NULL,
    party         INTEGER NOT NULL,
    kid           BLOB NOT NULL,
    register      INTEGER NOT NULL,
    rule          TEXT NOT NULL,
    refused       INTEGER NOT NULL,
    command_index INTEGER,
    code          TEXT,
    names         TEXT NOT NULL,
    commands      INTEGER NOT NULL,
    size_bytes    INTEGER NOT NULL
);
CREATE INDEX entries_by_id ON entries (entry_id8);
CREATE INDEX entries_by_register ON entries (register);
CREATE INDEX entries_refused ON entries (refused) WHERE refused = 1;

-- Apart from the rows, so that lists never read past them.
CREATE TABLE bodies (
    log_index INTEGER PRIMARY KEY,
    commands  TEXT NOT NULL,
    events    TEXT NOT NULL
);
CREATE VIRTUAL TABLE entry_text USING fts5 (
    words, content = '', columnsize = 0, detail = full, tokenize = 'unicode61'
);

-- signer is 1 for the party that signed and 0 for one that the entry speaks of.
CREATE TABLE party_entries (
    pid       INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    signer    INTEGER NOT NULL,
    PRIMARY KEY (pid, log_index)
) WITHOUT ROWID;

CREATE TABLE items (
    item    INTEGER PRIMARY KEY,
    id      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    entries INTEGER NOT NULL DEFAULT 0,
    UNIQUE (id, kind)
);
CREATE TABLE item_entries (
    item      INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    PRIMARY KEY (item, log_index)
) WITHOUT ROWID;

CREATE TABLE blocks (
    height    INTEGER PRIMARY KEY,
    time_ms   INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    tree_size INTEGER NOT NULL,
    entries   INTEGER NOT NULL,
    refused   INTEGER NOT NULL
);

CREATE TABLE minutes (
    minute  INTEGER PRIMARY KEY,
    applied INTEGER NOT NULL,
    refused INTEGER NOT NULL
);
