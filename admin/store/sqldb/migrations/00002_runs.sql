-- +goose Up
CREATE TABLE runs (
    id            {{text}} PRIMARY KEY,
    owner_id      {{text}} NOT NULL,
    kind          {{text}} NOT NULL,
    login         {{text}} NOT NULL,
    name          {{text}} NOT NULL,
    actor_id      {{text}} NOT NULL,
    actor         {{text}} NOT NULL,
    token         {{text}} NOT NULL,
    target        {{text}} NOT NULL,
    state         {{text}} NOT NULL,
    via           {{text}} NOT NULL,
    title         {{text}} NOT NULL,
    access        {{text}} NOT NULL,
    urgency       {{text}} NOT NULL,
    on_limit      {{text}} NOT NULL,
    limits        {{text}} NOT NULL,
    tags          {{text}} NOT NULL,
    multi         SMALLINT NOT NULL,
    keep          SMALLINT NOT NULL,
    pinned        SMALLINT NOT NULL,
    deleted       SMALLINT NOT NULL,
    query_id      {{text}} NOT NULL,
    query_version BIGINT NOT NULL,
    query_title   {{text}} NOT NULL,
    submitted     BIGINT NOT NULL,
    started       BIGINT NOT NULL,
    finished      BIGINT NOT NULL,
    expires       BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    sql_sealed    {{blob}},
    params        {{blob}},
    outcome       {{blob}},
    rows_key      {{blob}},
    bytes         BIGINT NOT NULL,
    origin        {{text}} NOT NULL
);
CREATE INDEX runs_submitted ON runs (submitted, id);
CREATE INDEX runs_owner ON runs (owner_id, submitted);
CREATE INDEX runs_login ON runs (login, submitted);
CREATE INDEX runs_query ON runs (query_id, submitted);
CREATE INDEX runs_state ON runs (state);
CREATE INDEX runs_expires ON runs (expires);

CREATE TABLE run_viewers (
    run_id    {{text}} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    viewer_id {{text}} NOT NULL,
    login     {{text}} NOT NULL,
    name      {{text}} NOT NULL,
    by_login  {{text}} NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (run_id, viewer_id)
);
CREATE INDEX run_viewers_viewer ON run_viewers (viewer_id);

CREATE TABLE run_keys (
    hash   {{blob}} PRIMARY KEY,
    body   {{blob}} NOT NULL,
    run_id {{text}} NOT NULL,
    at     BIGINT NOT NULL
);
CREATE INDEX run_keys_at ON run_keys (at);

CREATE TABLE queries (
    id          {{text}} PRIMARY KEY,
    owner_id    {{text}} NOT NULL,
    owner_login {{text}} NOT NULL,
    owner_name  {{text}} NOT NULL,
    title       {{text}} NOT NULL,
    description {{text}} NOT NULL,
    text        {{text}} NOT NULL,
    params      {{text}} NOT NULL,
    chart       {{text}} NOT NULL,
    tags        {{text}} NOT NULL,
    team        {{text}} NOT NULL,
    draft       SMALLINT NOT NULL,
    target      {{text}} NOT NULL,
    version     BIGINT NOT NULL,
    rev         BIGINT NOT NULL,
    working     {{text}} NOT NULL,
    created     BIGINT NOT NULL,
    updated     BIGINT NOT NULL,
    search      {{text}} NOT NULL
);
CREATE INDEX queries_owner ON queries (owner_id);
CREATE INDEX queries_team ON queries (team);
CREATE INDEX queries_updated ON queries (updated, id);

CREATE TABLE query_versions (
    query_id {{text}} NOT NULL REFERENCES queries (id) ON DELETE CASCADE,
    version  BIGINT NOT NULL,
    text     {{text}} NOT NULL,
    params   {{text}} NOT NULL,
    chart    {{text}} NOT NULL,
    by_login {{text}} NOT NULL,
    at       BIGINT NOT NULL,
    title    {{text}} NOT NULL,
    PRIMARY KEY (query_id, version)
);

CREATE TABLE query_stars (
    query_id  {{text}} NOT NULL REFERENCES queries (id) ON DELETE CASCADE,
    person_id {{text}} NOT NULL,
    PRIMARY KEY (query_id, person_id)
);
CREATE INDEX query_stars_person ON query_stars (person_id);

CREATE TABLE query_tags (
    query_id {{text}} NOT NULL REFERENCES queries (id) ON DELETE CASCADE,
    tag      {{text}} NOT NULL,
    PRIMARY KEY (query_id, tag)
);
CREATE INDEX query_tags_tag ON query_tags (tag);

CREATE TABLE query_releases (
    query_id {{text}} NOT NULL REFERENCES queries (id) ON DELETE CASCADE,
    service  {{text}} NOT NULL,
    version  BIGINT NOT NULL,
    by_login {{text}} NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (query_id, service, version)
);
