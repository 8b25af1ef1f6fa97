-- Schema 2: queues with slots and pauses, dependencies that know how they stand, pauses of attempts, files to be deleted,
-- changes of queues, and counters for each queue.

-- Which project this is, a UUID; a copy of the database in another place has the same. NULL until the first start.
ALTER TABLE meta ADD COLUMN project BLOB;

ALTER TABLE queue ADD COLUMN slots INTEGER NOT NULL DEFAULT 0;
-- What the configuration said last; NULL if it never named the queue.
ALTER TABLE queue ADD COLUMN configured INTEGER;
ALTER TABLE queue ADD COLUMN paused_at INTEGER;
ALTER TABLE queue ADD COLUMN paused_reason TEXT;
ALTER TABLE queue ADD COLUMN paused_until INTEGER;
-- Removed, but tasks that have ended name it.
ALTER TABLE queue ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

-- What waits for the clock, in the order in which its time comes.
CREATE INDEX task_due ON task (run_at, id) WHERE state IN ('scheduled', 'retrying');
-- Whether an environment is still needed.
CREATE INDEX task_environment ON task (environment);

-- How a dependency stands: `waits`, `met` or `broken`.
ALTER TABLE dependency ADD COLUMN edge TEXT NOT NULL DEFAULT 'waits';
UPDATE dependency SET edge = CASE
    WHEN EXISTS (SELECT 1 FROM task t WHERE t.id = on_task AND t.ended_at IS NULL) THEN 'waits'
    WHEN kind = 'after_any' THEN 'met'
    WHEN EXISTS (SELECT 1 FROM task t WHERE t.id = on_task AND t.state = 'succeeded') THEN 'met'
    ELSE 'broken'
END;
CREATE INDEX dependency_open ON dependency (task, edge) WHERE edge <> 'met';
-- Tasks that have ended or begun anew, and up to which of those that depend on them that was told. In the order of `seq`.
CREATE TABLE unsettled (
    seq INTEGER PRIMARY KEY,
    task INTEGER NOT NULL UNIQUE,
    told INTEGER NOT NULL
) STRICT;

-- On the clock of the run of the machine in `process_boot`, in milliseconds.
ALTER TABLE attempt ADD COLUMN paused_at INTEGER;
ALTER TABLE attempt ADD COLUMN paused_for INTEGER NOT NULL DEFAULT 0;

-- Files of removed tasks that are still to be deleted.
CREATE TABLE litter (
    path BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Changes may be about a queue.
CREATE TABLE change_2 (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    task INTEGER,
    queue TEXT,
    attempt INTEGER,
    from_state TEXT,
    to_state TEXT,
    by TEXT NOT NULL,
    reason TEXT
) STRICT;
INSERT INTO change_2 (seq, at, kind, task, attempt, from_state, to_state, by, reason)
    SELECT seq, at, kind, task, attempt, from_state, to_state, by, reason FROM change ORDER BY seq;
DROP TABLE change;
ALTER TABLE change_2 RENAME TO change;

DROP TRIGGER task_counted;
DROP TRIGGER task_recounted;
DROP TRIGGER task_uncounted;
DROP TABLE counter;
CREATE TABLE counter (
    queue INTEGER NOT NULL,
    state TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;
INSERT INTO counter (queue, state, n) SELECT queue, state, count(*) FROM task GROUP BY queue, state;

CREATE TRIGGER task_counted AFTER INSERT ON task BEGIN
    INSERT INTO counter (queue, state, n) VALUES (new.queue, new.state, 1)
    ON CONFLICT (queue, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER task_recounted AFTER UPDATE OF state ON task WHEN new.state <> old.state BEGIN
    UPDATE counter SET n = n - 1 WHERE queue = old.queue AND state = old.state;
    INSERT INTO counter (queue, state, n) VALUES (new.queue, new.state, 1)
    ON CONFLICT (queue, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER task_uncounted AFTER DELETE ON task BEGIN
    UPDATE counter SET n = n - 1 WHERE queue = old.queue AND state = old.state;
END;
