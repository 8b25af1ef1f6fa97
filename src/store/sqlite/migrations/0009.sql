-- Schema 9: resources.

-- What a task needs while it runs, `gpu=1,mem=8GiB`; empty for most, which stay in the index that they were in.
ALTER TABLE task ADD COLUMN needs TEXT NOT NULL DEFAULT '';
ALTER TABLE schedule ADD COLUMN needs TEXT NOT NULL DEFAULT '';
DROP INDEX task_ready;
CREATE INDEX task_ready ON task (queue, priority DESC, position, id) WHERE state = 'queued' AND needs = '';
-- Those that need something: for lists, and for a claim, which goes through the needs that there are.
CREATE INDEX task_ready_needy ON task (queue, priority DESC, position, id) WHERE state = 'queued' AND needs > '';
CREATE INDEX task_needs ON task (queue, needs, priority DESC, position, id) WHERE state = 'queued' AND needs > '';

-- What an attempt was granted, `gpu=#0+1,mem=8GiB`.
ALTER TABLE attempt ADD COLUMN granted TEXT;
CREATE INDEX attempt_granted ON attempt (id) WHERE granted IS NOT NULL AND ended_at IS NULL;

-- Tasks that are ready and wait for a resource, since then, and the `updated_at` that was seen of each: a row of a task
-- that was changed since says nothing any more.
CREATE TABLE short (
    task INTEGER PRIMARY KEY REFERENCES task (id) ON DELETE CASCADE,
    since INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT;

-- The share of a queue where queues take turns; NULL where nobody gave it one. And what the configuration said last.
ALTER TABLE queue ADD COLUMN weight INTEGER;
ALTER TABLE queue ADD COLUMN configured_weight INTEGER;
