-- A store of schema 1, made once; see storetest.FillV1.
BEGIN TRANSACTION;
CREATE TABLE db_passwords (
    id           TEXT PRIMARY KEY,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    tool         TEXT NOT NULL,
    verifier     TEXT NOT NULL,
    created      BIGINT NOT NULL,
    parent_id    TEXT NOT NULL,
    expires      BIGINT NOT NULL,
    revoked      BIGINT NOT NULL,
    used         BIGINT NOT NULL,
    used_addr    TEXT NOT NULL,
    used_by      TEXT NOT NULL
);
INSERT INTO "db_passwords" VALUES('d_0000000000000006','p_0000000000000001','DBeaver','SCRAM-SHA-256$…',1772362800123456,'k_0',1772366400123456,0,1772362860123456,'10.1.1.1','DBeaver 24');
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO "goose_db_version" VALUES(1,0,1,'2026-11-25 23:08:17');
INSERT INTO "goose_db_version" VALUES(2,1,1,'2026-11-25 23:08:17');
CREATE TABLE grants (
    id               TEXT PRIMARY KEY,
    principal_id     TEXT REFERENCES principals (id) ON DELETE CASCADE,
    team_id          TEXT REFERENCES teams (id) ON DELETE CASCADE,
    target           TEXT NOT NULL,
    role             TEXT NOT NULL,
    warehouse_login  TEXT NOT NULL,
    warehouse_secret BLOB,
    created          BIGINT NOT NULL,
    by_login         TEXT NOT NULL,
    UNIQUE (principal_id, target),
    UNIQUE (team_id, target),
    CHECK ((principal_id IS NULL) <> (team_id IS NULL))
);
INSERT INTO "grants" VALUES('g_0000000000000004',NULL,'t_0000000000000003','*','admin','bi',X'00FF',1772362800123456,'local');
CREATE TABLE identities (
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
INSERT INTO "identities" VALUES('https://id','7','p_0000000000000001');
CREATE TABLE links (
    hash         BLOB PRIMARY KEY,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    created      BIGINT NOT NULL,
    by_login     TEXT NOT NULL,
    expires      BIGINT NOT NULL,
    used         BIGINT NOT NULL
);
INSERT INTO "links" VALUES(X'6C696E6B','p_0000000000000001',0,'',1772362801123456,0);
CREATE TABLE memberships (
    team_id      TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    source       TEXT NOT NULL,
    PRIMARY KEY (team_id, principal_id, source)
);
INSERT INTO "memberships" VALUES('t_0000000000000003','p_0000000000000001','local');
CREATE TABLE principals (
    id        TEXT PRIMARY KEY,
    kind      TEXT NOT NULL,
    login     TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    email     TEXT NOT NULL,
    about     TEXT NOT NULL,
    team_id   TEXT REFERENCES teams (id),
    disabled  SMALLINT NOT NULL,
    barred    SMALLINT NOT NULL,
    password  TEXT NOT NULL,
    salt      BLOB NOT NULL,
    created   BIGINT NOT NULL,
    signed_in BIGINT NOT NULL
);
INSERT INTO "principals" VALUES('p_0000000000000001','person','ana','Ana Ünal','ana@example.com','x',NULL,0,1,'$argon2id$…',X'0001FF',1772362800123456,1772366400123456);
INSERT INTO "principals" VALUES('s_0000000000000002','service','robot','Ana Ünal','ana@example.com','x','t_0000000000000003',0,0,'',X'0001FF',1772362800123456,1772366400123456);
CREATE TABLE revisions (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO "revisions" VALUES('people',1);
CREATE TABLE sightings (
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    tool         TEXT NOT NULL,
    addr         TEXT NOT NULL,
    name         TEXT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (principal_id, tool, addr)
);
INSERT INTO "sightings" VALUES('p_0000000000000001','psql','::1','',1772362800123456);
CREATE TABLE teams (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL
);
INSERT INTO "teams" VALUES('t_0000000000000003','bi',1772362800123456);
CREATE TABLE tokens (
    id        TEXT PRIMARY KEY,
    holder_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    hash      BLOB NOT NULL UNIQUE,
    scopes    TEXT NOT NULL,
    targets   TEXT NOT NULL,
    queries   TEXT NOT NULL,
    cidrs     TEXT NOT NULL,
    created   BIGINT NOT NULL,
    by_login  TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    expires   BIGINT NOT NULL,
    revoked   BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    used_addr TEXT NOT NULL
);
INSERT INTO "tokens" VALUES('k_0000000000000005','s_0000000000000002','ci',X'68617368206F66206B5F30303030303030303030303030303035','["runs:read","runs:write"]','["warehouse"]','{"q_1":3}','["10.0.0.0/8"]',1772362800123456,'ana','k_0',1772366400123456,0,1772362860123456,'10.1.1.1');
CREATE TABLE web_sessions (
    id           TEXT PRIMARY KEY,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    hash         BLOB NOT NULL UNIQUE,
    method       TEXT NOT NULL,
    addr         TEXT NOT NULL,
    agent        TEXT NOT NULL,
    parent_id    TEXT NOT NULL,
    created      BIGINT NOT NULL,
    seen         BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    ended        BIGINT NOT NULL
);
INSERT INTO "web_sessions" VALUES('w_0000000000000007','p_0000000000000001',X'68617368206F6620775F30303030303030303030303030303037','link','::1','Firefox','w_0',1772362800123456,1772362860123456,1772366400123456,0);
CREATE INDEX principals_team ON principals (team_id);
CREATE INDEX identities_principal ON identities (principal_id);
CREATE INDEX memberships_principal ON memberships (principal_id);
CREATE INDEX tokens_holder ON tokens (holder_id);
CREATE INDEX tokens_parent ON tokens (parent_id);
CREATE INDEX db_passwords_principal ON db_passwords (principal_id);
CREATE INDEX db_passwords_parent ON db_passwords (parent_id);
CREATE INDEX web_sessions_principal ON web_sessions (principal_id);
CREATE INDEX links_principal ON links (principal_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('goose_db_version',2);
COMMIT;
