-- Schema 6: SQLite makes a table of a list of three or more, and made one for every row of `task` that was written.
DROP INDEX task_active;
CREATE INDEX task_active ON task (queue, slot) WHERE state = 'starting' OR state = 'running' OR state = 'paused';
-- Tasks that were moved from the place of their number, as long as they have not ended.
CREATE INDEX task_moved ON task (queue, priority, position, id) WHERE position <> id * 1048576 AND ended_at IS NULL;
