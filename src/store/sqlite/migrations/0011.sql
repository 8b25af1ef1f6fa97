-- Schema 11: how much of the machine a task may use, in one word; NULL for most.

ALTER TABLE task ADD COLUMN confinement TEXT;
ALTER TABLE schedule ADD COLUMN confinement TEXT;
