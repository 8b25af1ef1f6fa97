-- Schema 4: lists that stay short walks however many tasks there are.

-- The queue first: then a list of one queue walks its tasks alone, and one of all queues walks one after the other.
DROP INDEX task_state;
CREATE INDEX task_listed ON task (queue, state, id);
CREATE INDEX task_name ON task (name, id) WHERE name IS NOT NULL;
