-- +goose Up
CREATE TABLE revisions (
    name  {{text}} PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO revisions (name, value) VALUES ('people', 1);

CREATE TABLE teams (
    id      {{text}} PRIMARY KEY,
    name    {{text}} NOT NULL UNIQUE,
    created BIGINT NOT NULL
);

CREATE TABLE principals (
    id        {{text}} PRIMARY KEY,
    kind      {{text}} NOT NULL,
    login     {{text}} NOT NULL UNIQUE,
    name      {{text}} NOT NULL,
    email     {{text}} NOT NULL,
    about     {{text}} NOT NULL,
    team_id   {{text}} REFERENCES teams (id),
    disabled  SMALLINT NOT NULL,
    barred    SMALLINT NOT NULL,
    password  {{text}} NOT NULL,
    salt      {{blob}} NOT NULL,
    created   BIGINT NOT NULL,
    signed_in BIGINT NOT NULL
);
CREATE INDEX principals_team ON principals (team_id);

CREATE TABLE identities (
    issuer       {{text}} NOT NULL,
    subject      {{text}} NOT NULL,
    principal_id {{text}} NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_principal ON identities (principal_id);

CREATE TABLE memberships (
    team_id      {{text}} NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    principal_id {{text}} NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    source       {{text}} NOT NULL,
    PRIMARY KEY (team_id, principal_id, source)
);
CREATE INDEX memberships_principal ON memberships (principal_id);

CREATE TABLE grants (
    id               {{text}} PRIMARY KEY,
    principal_id     {{text}} REFERENCES principals (id) ON DELETE CASCADE,
    team_id          {{text}} REFERENCES teams (id) ON DELETE CASCADE,
    target           {{text}} NOT NULL,
    role             {{text}} NOT NULL,
    warehouse_login  {{text}} NOT NULL,
    warehouse_secret {{blob}},
    created          BIGINT NOT NULL,
    by_login         {{text}} NOT NULL,
    UNIQUE (principal_id, target),
    UNIQUE (team_id, target),
    CHECK ((principal_id IS NULL) <> (team_id IS NULL))
);

CREATE TABLE tokens (
    id        {{text}} PRIMARY KEY,
    holder_id {{text}} NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    name      {{text}} NOT NULL,
    hash      {{blob}} NOT NULL UNIQUE,
    scopes    {{text}} NOT NULL,
    targets   {{text}} NOT NULL,
    queries   {{text}} NOT NULL,
    cidrs     {{text}} NOT NULL,
    created   BIGINT NOT NULL,
    by_login  {{text}} NOT NULL,
    parent_id {{text}} NOT NULL,
    expires   BIGINT NOT NULL,
    revoked   BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    used_addr {{text}} NOT NULL
);
CREATE INDEX tokens_holder ON tokens (holder_id);
CREATE INDEX tokens_parent ON tokens (parent_id);

CREATE TABLE db_passwords (
    id           {{text}} PRIMARY KEY,
    principal_id {{text}} NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    tool         {{text}} NOT NULL,
    verifier     {{text}} NOT NULL,
    created      BIGINT NOT NULL,
    parent_id    {{text}} NOT NULL,
    expires      BIGINT NOT NULL,
    revoked      BIGINT NOT NULL,
    used         BIGINT NOT NULL,
    used_addr    {{text}} NOT NULL,
    used_by      {{text}} NOT NULL
);
CREATE INDEX db_passwords_principal ON db_passwords (principal_id);
CREATE INDEX db_passwords_parent ON db_passwords (parent_id);

CREATE TABLE web_sessions (
    id           {{text}} PRIMARY KEY,
    principal_id {{text}} NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    hash         {{blob}} NOT NULL UNIQUE,
    method       {{text}} NOT NULL,
    addr         {{text}} NOT NULL,
    agent        {{text}} NOT NULL,
    parent_id    {{text}} NOT NULL,
    created      BIGINT NOT NULL,
    seen         BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    ended        BIGINT NOT NULL
);
CREATE INDEX web_sessions_principal ON web_sessions (principal_id);

CREATE TABLE links (
    hash         {{blob}} PRIMARY KEY,
    principal_id {{text}} NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    created      BIGINT NOT NULL,
    by_login     {{text}} NOT NULL,
    expires      BIGINT NOT NULL,
    used         BIGINT NOT NULL
);
CREATE INDEX links_principal ON links (principal_id);

CREATE TABLE sightings (
    principal_id {{text}} NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    tool         {{text}} NOT NULL,
    addr         {{text}} NOT NULL,
    name         {{text}} NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (principal_id, tool, addr)
);
