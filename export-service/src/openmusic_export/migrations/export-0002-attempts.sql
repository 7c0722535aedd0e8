ALTER TABLE export_jobs ADD COLUMN attempts integer NOT NULL DEFAULT 0;
