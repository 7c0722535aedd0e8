ALTER TABLE export_jobs ADD COLUMN format text NOT NULL DEFAULT 'json';
