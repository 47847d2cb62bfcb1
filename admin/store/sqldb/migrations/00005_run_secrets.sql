-- +goose Up
ALTER TABLE runs ADD COLUMN title_sealed {{blob}};
CREATE TABLE run_secrets (
    run_id   {{text}} PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    text_key {{blob}} NOT NULL,
    rows_key {{blob}} NOT NULL
);
CREATE INDEX runs_kept ON runs (owner_id, pinned, bytes, rows_key) WHERE rows_key IS NOT NULL;
