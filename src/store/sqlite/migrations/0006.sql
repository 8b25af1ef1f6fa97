-- Schema 6: tasks that were moved from the place of their number, as long as they have not ended.
CREATE INDEX task_moved ON task (queue, priority, position, id) WHERE position <> id * 1048576 AND ended_at IS NULL;
