-- Schema 10: hooks, and how far each came.

-- Of tasks: events and lines for the shell in turn.
ALTER TABLE task ADD COLUMN hooks BLOB;
ALTER TABLE schedule ADD COLUMN hooks BLOB;
CREATE INDEX task_hooks ON task (id) WHERE hooks IS NOT NULL;

-- The last change of which each hook was told, and whether it is told when a queue is empty.
CREATE TABLE hook (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    empties INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
