-- Schema 7: schedules, and of which one a task is.

-- What its tasks are to do stands in the columns of `task` of the same names; its labels are keys and values in turn.
CREATE TABLE schedule (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    -- One of the three.
    cron TEXT,
    every INTEGER,
    at INTEGER,
    time_zone TEXT NOT NULL,
    missed TEXT NOT NULL,
    overlap TEXT NOT NULL,
    paused_at INTEGER,
    paused_reason TEXT,
    -- The cursor: the first time for which no task was added yet. NULL while it is paused.
    next_at INTEGER,
    last_at INTEGER,
    last_task INTEGER,
    queue INTEGER NOT NULL REFERENCES queue (id),
    priority INTEGER NOT NULL,
    key TEXT,
    task_name TEXT,
    labels BLOB NOT NULL,
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
    kill_grace INTEGER,
    output_limit INTEGER
) STRICT;
CREATE INDEX schedule_due ON schedule (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX schedule_environment ON schedule (environment);
CREATE INDEX schedule_queue ON schedule (queue);

ALTER TABLE task ADD COLUMN schedule TEXT;
-- Lists, and what has not ended when the schedule is due again.
CREATE INDEX task_schedule ON task (schedule, id) WHERE schedule IS NOT NULL;
CREATE INDEX task_overlap ON task (schedule, id) WHERE schedule IS NOT NULL AND ended_at IS NULL;

-- Changes may be about a schedule.
ALTER TABLE change ADD COLUMN schedule TEXT;
