-- Schema 1. Released migrations are never edited; a change is a new file.
--
-- Times are milliseconds since 1970 (UTC), lengths of time are milliseconds, strings that come from the operating system
-- (arguments, paths, variables) are BLOBs because they need not be text. Words are those of the domain.

-- One row: who may write. Each start of a daemon raises the epoch, and every transaction compares it.
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    opened_at INTEGER NOT NULL
) STRICT;

CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO queue (id, name) VALUES (1, 'default');

-- Each distinct environment once. The values are in `content` and nowhere else.
CREATE TABLE environment (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    names BLOB NOT NULL,
    content BLOB NOT NULL
) STRICT;

CREATE TABLE task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL,
    queue INTEGER NOT NULL REFERENCES queue (id),
    priority INTEGER NOT NULL,
    position INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    slot INTEGER,
    reason_code TEXT,
    reason TEXT,
    cancel_requested_at INTEGER,
    cancel_reason TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    exit_code INTEGER,
    exit_signal INTEGER,
    run_at INTEGER,
    key TEXT,
    parent INTEGER,
    name TEXT,
    argv BLOB NOT NULL,
    shell INTEGER NOT NULL,
    cwd BLOB NOT NULL,
    environment INTEGER NOT NULL REFERENCES environment (id),
    umask INTEGER NOT NULL,
    limits TEXT NOT NULL,
    stdin TEXT NOT NULL,
    stdin_path BLOB,
    stdin_upload BLOB,
    split_output INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    retry_delay INTEGER NOT NULL,
    retry_backoff TEXT NOT NULL,
    retry_max_delay INTEGER NOT NULL,
    retry_on_codes TEXT NOT NULL,
    on_interrupt TEXT NOT NULL,
    timeout INTEGER,
    kill_signal INTEGER,
    kill_grace INTEGER
) STRICT;

-- What is ready, in the order in which it is claimed. What waits for time, for others or for release is not in here.
CREATE INDEX task_ready ON task (queue, priority DESC, position, id) WHERE state = 'queued';
-- The slots that are taken.
CREATE INDEX task_active ON task (queue, slot) WHERE state IN ('starting', 'running', 'paused');
-- Lists.
CREATE INDEX task_state ON task (state, id);
CREATE INDEX task_ended ON task (ended_at, id) WHERE ended_at IS NOT NULL;

CREATE TABLE label (
    task INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (task, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX label_value ON label (key, value, task);

-- What a task waits for; `kind` is `after` (success) or `after_any` (end).
CREATE TABLE dependency (
    task INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    place INTEGER NOT NULL,
    on_task INTEGER NOT NULL,
    PRIMARY KEY (task, kind, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependency_on_task ON dependency (on_task);

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    assignment BLOB NOT NULL UNIQUE,
    owner BLOB NOT NULL,
    boot BLOB NOT NULL,
    state TEXT NOT NULL,
    claimed_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    pid INTEGER,
    start_ticks INTEGER,
    process_boot BLOB,
    started_at INTEGER,
    ended_at INTEGER,
    exit_code INTEGER,
    exit_signal INTEGER,
    reason_code TEXT,
    reason TEXT,
    max_rss_bytes INTEGER,
    user_ms INTEGER,
    system_ms INTEGER,
    UNIQUE (task, number)
) STRICT;
-- What was claimed and has not ended, in the order of the claims.
CREATE INDEX attempt_open ON attempt (id) WHERE ended_at IS NULL;

CREATE TABLE output (
    attempt INTEGER NOT NULL REFERENCES attempt (id) ON DELETE CASCADE,
    stream TEXT NOT NULL,
    path BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB,
    PRIMARY KEY (attempt, stream)
) STRICT, WITHOUT ROWID;

-- The feed. AUTOINCREMENT: a number is never used again, whatever is deleted.
CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    task INTEGER NOT NULL,
    attempt INTEGER,
    from_state TEXT,
    to_state TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT
) STRICT;

-- How many tasks are in each state; kept by the triggers below, because counting a million rows takes 50 ms.
CREATE TABLE counter (
    state TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: how many ended since the project began, those removed since included.
CREATE TABLE total (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    processed INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL
) STRICT;
INSERT INTO total (id, processed, succeeded, failed) VALUES (1, 0, 0, 0);

CREATE TRIGGER task_counted AFTER INSERT ON task BEGIN
    INSERT INTO counter (state, n) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER task_recounted AFTER UPDATE OF state ON task WHEN new.state <> old.state BEGIN
    UPDATE counter SET n = n - 1 WHERE state = old.state;
    INSERT INTO counter (state, n) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER task_uncounted AFTER DELETE ON task BEGIN
    UPDATE counter SET n = n - 1 WHERE state = old.state;
END;
CREATE TRIGGER task_totalled AFTER UPDATE OF ended_at ON task
WHEN old.ended_at IS NULL AND new.ended_at IS NOT NULL BEGIN
    UPDATE total SET
        processed = processed + 1,
        succeeded = succeeded + (new.state = 'succeeded'),
        failed = failed + (new.state IN ('failed', 'timed_out'));
END;
