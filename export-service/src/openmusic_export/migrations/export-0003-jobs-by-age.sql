CREATE INDEX export_jobs_by_age ON export_jobs (settled_at);
