-- Schema 8: how far tasks say they are.

-- What the last attempt said that said something: its number, when, how much is done, of how much, and a message.
ALTER TABLE task ADD COLUMN progress TEXT;
ALTER TABLE change ADD COLUMN progress TEXT;
