PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-25 23:30:18');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-25 23:30:18');
CREATE TABLE revisions (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO revisions VALUES('people',7);
CREATE TABLE teams (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL
);
INSERT INTO teams VALUES('g_00000000000000aa','Data 🦁',1772366400123456);
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
INSERT INTO principals VALUES('u_00000000000000aa','person','ana','Ana Ünal','ana@example.com','',NULL,0,1,'$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA',X'0001ff',1772366400123456,1772452800123456);
INSERT INTO principals VALUES('s_00000000000000aa','service','bot','it''s a bot','',replace('loads;\nand sleeps','\n',char(10)),'g_00000000000000aa',1,0,'',X'07',1772539200123456,0);
CREATE TABLE identities (
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
INSERT INTO identities VALUES('https://id.example.com','12','u_00000000000000aa');
CREATE TABLE memberships (
    team_id      TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    source       TEXT NOT NULL,
    PRIMARY KEY (team_id, principal_id, source)
);
INSERT INTO memberships VALUES('g_00000000000000aa','u_00000000000000aa','identity');
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
INSERT INTO grants VALUES('a_00000000000000aa','u_00000000000000aa',NULL,'dwh','operator','ana_ro',X'01020300ff',1772366400123456,'local');
INSERT INTO grants VALUES('a_00000000000000ab',NULL,'g_00000000000000aa','*','member','',NULL,1772452800123456,'ana');
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
INSERT INTO tokens VALUES('k_00000000000000aa','s_00000000000000aa','nightly',X'3031323334353637383961626364656630313233343536373839616263646566','["runs:read","runs:write"]','["dwh"]','{"q_1":3}','["10.0.0.0/8"]',1772366400123456,'ana','k_00000000000000a0',33329275200123456,1772712000123456,1772625600123456,'10.1.1.1');
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
INSERT INTO db_passwords VALUES('d_00000000000000aa','u_00000000000000aa','DBeaver','SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5',1772366400123456,'',33329275200123456,0,1772452800123456,'::1','DBeaver 24');
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
INSERT INTO web_sessions VALUES('w_00000000000000aa','u_00000000000000aa',X'6665646362613938373635343332313066656463626139383736353433323130','oidc','::1','Firefox','',1772366400123456,1772452800123456,33329275200123456,0);
CREATE TABLE links (
    hash         BLOB PRIMARY KEY,
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    created      BIGINT NOT NULL,
    by_login     TEXT NOT NULL,
    expires      BIGINT NOT NULL,
    used         BIGINT NOT NULL
);
INSERT INTO links VALUES(X'6c696e6b','u_00000000000000aa',1772366400123456,'local',33329275200123456,0);
CREATE TABLE sightings (
    principal_id TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    tool         TEXT NOT NULL,
    addr         TEXT NOT NULL,
    name         TEXT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (principal_id, tool, addr)
);
INSERT INTO sightings VALUES('u_00000000000000aa','psql','10.0.0.1','DBeaver',1772539200123456);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',2);
CREATE INDEX principals_team ON principals (team_id);
CREATE INDEX identities_principal ON identities (principal_id);
CREATE INDEX memberships_principal ON memberships (principal_id);
CREATE INDEX tokens_holder ON tokens (holder_id);
CREATE INDEX tokens_parent ON tokens (parent_id);
CREATE INDEX db_passwords_principal ON db_passwords (principal_id);
CREATE INDEX db_passwords_parent ON db_passwords (parent_id);
CREATE INDEX web_sessions_principal ON web_sessions (principal_id);
CREATE INDEX links_principal ON links (principal_id);
COMMIT;
