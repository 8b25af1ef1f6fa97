-- Schema 5: tasks with a key that have not ended: an add with the same key is answered with them.
CREATE INDEX task_key ON task (key, id) WHERE key IS NOT NULL AND ended_at IS NULL;
