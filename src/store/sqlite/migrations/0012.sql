-- Schema 12: the last task there was when a schedule was added: those of an earlier one of its name are none of its own.
ALTER TABLE schedule ADD COLUMN after_task INTEGER NOT NULL DEFAULT 0;
