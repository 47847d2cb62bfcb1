-- The people of the demo. Their passwords equal their names: this Postgres
-- listens on loopback only and is gone in a minute.

CREATE ROLE analyst LOGIN PASSWORD 'analyst';
CREATE ROLE bi LOGIN PASSWORD 'bi';
CREATE ROLE loader LOGIN PASSWORD 'loader';
CREATE ROLE admin LOGIN PASSWORD 'admin';

-- The login that watches locks and ends sessions. It reads no table.
CREATE ROLE lockkeeper_operator LOGIN PASSWORD 'lockkeeper_operator';
GRANT pg_monitor, pg_signal_backend TO lockkeeper_operator;

GRANT USAGE ON SCHEMA school TO analyst, bi, loader, admin;
GRANT SELECT ON ALL TABLES IN SCHEMA school TO analyst, bi;
GRANT ALL ON ALL TABLES IN SCHEMA school TO loader, admin;
GRANT USAGE ON SCHEMA pii TO analyst, admin;
GRANT SELECT ON ALL TABLES IN SCHEMA pii TO analyst, admin;
