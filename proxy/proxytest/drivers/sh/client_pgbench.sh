#!/usr/bin/env bash
# pgbench: TPC-B and lookups in simple, extended and prepared mode, pipelines.
set -uo pipefail
. "$(dirname "$0")/matrix.sh"

# bench ARGS...: quietly, everything in $got
bench() { got="$(pgbench "$@" 2>&1)" || true; }

# script TEXT: a script file for -f
script() { printf '%s\n' "$@" >"$work/script.sql"; }

# failed_none: the run processed all it was asked for
failed_none() { has "$got" "number of failed transactions: 0 " "number of transactions actually processed: $1/$1"; }

check_connect() { local got && bench -i -q -s 1 && has "$got" "done in"; }

# Each mode works on its own copy of the tables.
run_mode() {
  local got
  bench -n -M "$1" -c 4 -j 2 -t 20 && failed_none 80 || return
  bench -n -S -M "$1" -c 8 -j 2 -t 50 && failed_none 400 || return
  bench -n -S -C -M "$1" -c 2 -t 5 && failed_none 10
}
check_query() { run_mode simple; }
check_bind_types() { run_mode extended; }
check_prepared_many() { run_mode prepared; }

check_pipeline() {
  local got mode
  script '\startpipeline' 'select 1;' 'select abalance from pgbench_accounts where aid = 7;' 'select 2;' '\endpipeline'
  for mode in extended prepared; do
    bench -n -M "$mode" -c 2 -t 50 -f "$work/script.sql" && failed_none 100 || return
  done
}

# broken TEXT WORDS...: a script fails its client, in each mode, in and out of
# a transaction
broken() {
  local got mode text="$1"
  shift
  for mode in simple extended prepared; do
    script "$text"
    bench -n -M "$mode" -t 1 -f "$work/script.sql" && has "$got" "$@" "processed: 0/1" || return
    script 'begin;' "insert into scratch values (1);" "$text" 'commit;'
    bench -n -M "$mode" -t 1 -f "$work/script.sql" && has "$got" "$@" "processed: 0/1" || return
  done
  expect "$(psql -XqAt -c 'select count(*) from scratch')" 0 "rows of failed transactions"
}
check_error() { broken 'select * from no_such_table;' 'relation "no_such_table" does not exist'; }
check_refuse() { broken 'select * from forbidden;' "$refusal"; }
check_refuse_in_tx() { skip "within refuse"; }
check_error_in_tx() { skip "within error"; }

slow() {
  local mode=("$@") m
  for m in "${mode[@]}"; do
    script 'select pg_sleep(30);'
    PGUSER="$LK_SLOW_USER" bench -n -M "$m" -t 1 -f "$work/script.sql"
    has "$got" "statement timeout" "processed: 0/1" || return
  done
}
check_timeout() { local got && lasts 5900 10000 slow simple extended prepared; }

run_checks
