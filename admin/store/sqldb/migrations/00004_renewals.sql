-- +goose Up
CREATE TABLE renewals (
    issuer  {{text}} NOT NULL,
    subject {{text}} NOT NULL,
    sealed  {{blob}} NOT NULL,
    version {{text}} NOT NULL,
    checked BIGINT NOT NULL,
    due     BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject),
    FOREIGN KEY (issuer, subject) REFERENCES identities (issuer, subject) ON DELETE CASCADE
);
CREATE INDEX renewals_due ON renewals (issuer, due);
