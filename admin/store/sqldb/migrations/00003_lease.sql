-- +goose Up
CREATE TABLE office_leases (
    name    {{text}} PRIMARY KEY,
    epoch   BIGINT NOT NULL,
    holder  {{text}} NOT NULL,
    expires BIGINT NOT NULL
);
