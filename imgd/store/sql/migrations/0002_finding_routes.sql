-- The step of the decode ladder that gave the pixels of a finding; '' where none were needed.
ALTER TABLE findings ADD COLUMN route TEXT NOT NULL DEFAULT '';
