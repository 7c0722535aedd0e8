-- How far each file was imported: a file that is imported again continues there.
CREATE TABLE imports (
    file_hash bytea PRIMARY KEY,
    rows_done bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
