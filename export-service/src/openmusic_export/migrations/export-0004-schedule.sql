-- When a pending job is tried next, and when a message last told of it: what RabbitMQ loses is announced again.
ALTER TABLE export_jobs
    ADD COLUMN next_attempt_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN announced_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN copies integer NOT NULL DEFAULT 0, -- mails that may have arrived
    ADD COLUMN dead_event_id text; -- the message that became its dead letter
CREATE INDEX export_jobs_by_next_attempt ON export_jobs (next_attempt_at) WHERE status = 'pending';
