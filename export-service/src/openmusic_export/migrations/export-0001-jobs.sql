CREATE TABLE export_jobs (
    id text PRIMARY KEY,
    playlist_id text NOT NULL,
    target_email text NOT NULL,
    requested_by text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'failed', 'cancelled')),
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz
);
