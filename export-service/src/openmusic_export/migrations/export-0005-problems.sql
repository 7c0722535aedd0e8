ALTER TABLE export_jobs ADD COLUMN problem text; -- the kind of the last failure; reason has its details
CREATE INDEX export_jobs_by_requester ON export_jobs (requested_by, id);
