-- How much an attempt may write.
ALTER TABLE task ADD COLUMN output_limit INTEGER;
