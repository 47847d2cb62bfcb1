#!/usr/bin/env bash
# psql: simple protocol, several statements in a string, \copy, cursors by
# FETCH_COUNT, \gdesc, Ctrl-C.
set -uo pipefail
. "$(dirname "$0")/matrix.sh"

# q runs psql quietly: tuples only, SQLSTATE with each error.
q() { psql -XqAt -v VERBOSITY=verbose "$@" 2>&1; }

check_connect() {
  local got
  got="$(q -c '\conninfo' -c "show server_encoding")" || fail "$got" || return
  has "$got" UTF8 || return
  if [[ "$PGSSLMODE" == disable ]]; then [[ "$got" != *SSL* ]] || fail "$got"; else has "$got" SSL; fi
}

check_query() {
  expect "$(q -c "select i, 'row ' || i from generate_series(1, 1000) i" | tail -1)" "1000|row 1000" rows &&
    expect "$(q -c 'select 1; select 2; select 3' | tr '\n' ' ')" "1 2 3 " "several statements" &&
    expect "$(printf 'select 1 \\; select 2;' | q | tr '\n' ' ')" "1 2 " "one string of two" &&
    expect "$(printf 'select 1 as a, now() as b \\gdesc\n' | q | tr '\n' ' ')" "a|integer b|timestamp with time zone " gdesc &&
    expect "$(printf -- '-- a comment\n;select 1;' | q)" 1 "empty query" &&
    has "$(q -c "drop table if exists nothing_here")" "does not exist, skipping" &&
    has "$(q -c '\d scratch' -c '\dt')" "integer" "forbidden"
}

check_prepared_many() {
  {
    echo "prepare twice(int) as select \$1 * 2;"
    for i in {1..300}; do echo "execute twice($i);"; done
    echo "deallocate twice; select count(*) from pg_prepared_statements;"
  } >"$work/many.sql"
  expect "$(q -f "$work/many.sql" | tail -2 | tr '\n' ' ')" "600 0 "
}

check_copy_in() {
  seq 20000 | sed 's/$/\tline/' >"$work/rows"
  expect "$(q -c begin -c "\\copy scratch from '$work/rows'" -c 'select count(*) from scratch' -c rollback)" 20000 rows &&
    expect "$(q -c begin -c 'copy scratch from stdin' -c 'select count(*) from scratch' -c rollback <"$work/rows")" 20000 stdin
}

check_copy_out() {
  q -c "\\copy (select i, repeat('y', 100) from generate_series(1, 50000) i) to '$work/out'" >/dev/null
  expect "$(wc -l <"$work/out")" 50000 lines &&
    has "$(q -c 'copy forbidden to stdout' -c 'select 40 + 2')" 42501 "$refusal" $'\n42'
}

check_copy_fail() {
  has "$(printf 'x\ty\n' | q -c 'copy scratch from stdin' -c 'select 40 + 2')" 22P02 $'\n42' &&
    expect "$(q -c 'select count(*) from scratch')" 0 rows
}

check_server_cursor() {
  expect "$(q -v FETCH_COUNT=100 -c 'select generate_series(1, 10000)' | awk '{s += $1} END {print s}')" 50005000 sum &&
    has "$(q -v FETCH_COUNT=10 -c 'select 1/(i - 500) from generate_series(1, 1000) i' -c 'select 40 + 2' | tail -5)" 22012 $'\n42'
}

check_notify() {
  local out="$work/heard" pid
  coproc LISTENER { psql -XqAt 2>&1; }
  pid=$LISTENER_PID
  echo "listen matrix_news; select 'ready';" >&"${LISTENER[1]}"
  read -r -t 20 -u "${LISTENER[0]}" _ || fail "no listener" || return
  q -c "notify matrix_news, 'read all about it'" >/dev/null
  echo "select 1;" >&"${LISTENER[1]}"
  eval "exec ${LISTENER[1]}>&-"
  timeout 20 cat <&"${LISTENER[0]}" >"$out"
  wait "$pid"
  has "$(<"$out")" 'notification "matrix_news" with payload "read all about it"'
}

# Ctrl-C: psql sends the cancel request. Job control keeps the shell from
# telling its child to ignore the signal.
interrupted() {
  local pid
  set -m
  q -c 'select pg_sleep(30)' >"$work/cancelled" &
  pid=$!
  set +m
  until [[ -n "$(psql -XqAt "$LK_KILL" -c "select 1 from pg_stat_activity where query like 'select pg_sleep%' and datname = '$LK_DB'")" ]]; do
    kill -0 "$pid" || return
  done
  kill -INT -- "-$pid"
  wait "$pid"
  return 0
}
check_cancel() { lasts 0 20000 interrupted && has "$(<"$work/cancelled")" 57014 "user request"; }

check_error() {
  has "$(q -c 'select * from no_such_table' -c 'selec 1' -c 'select 40 + 2')" 42P01 "$unreadable" $'\n42'
}

# in_tx SQL SQLSTATE TEXT: the statement fails its transaction, and under
# ON_ERROR_ROLLBACK only itself.
in_tx() {
  local got
  got="$(q -c begin -c 'insert into scratch values (1)' -c "$1" -c 'select 1' -c rollback -c 'select count(*) from scratch')"
  has "$got" "$2" "$3" 25P02 && expect "${got: -1}" 0 "rows after rollback" || return
  got="$(q -v ON_ERROR_ROLLBACK=on -c begin -c 'insert into scratch values (1)' -c "$1" -c 'insert into scratch values (2)' \
    -c commit -c 'select count(*) from scratch' -c 'delete from scratch')"
  has "$got" "$2" "$3" && expect "${got: -1}" 2 "rows after commit"
}
check_error_in_tx() { in_tx 'select * from no_such_table' 42P01 ''; }

check_refuse() {
  local got
  got="$(q -c 'select * from forbidden' -c 'select 40 + 2')"
  has "$got" 42501 "$refusal" $'\n42' || return
  got="$(q -c 'insert into scratch values (1); select * from forbidden' -c 'select count(*) from scratch')"
  has "$got" 42501 && expect "${got: -1}" 0 "rows of a refused string"
}
check_refuse_in_tx() { in_tx 'select * from forbidden' 42501 "$refusal"; }

timed_out() { got="$(PGUSER=$LK_SLOW_USER q -c 'select pg_sleep(30)' -c 'select 40 + 2')"; }
check_timeout() { local got && lasts 1900 5000 timed_out && has "$got" 57014 "statement timeout" $'\n42'; }

timed_out_in_tx() { PGUSER=$LK_SLOW_USER in_tx 'select pg_sleep(30)' 57014 "statement timeout"; }
check_timeout_in_tx() { lasts 3900 8000 timed_out_in_tx; }

check_large_result() {
  q -o "$work/large" -c "select repeat('abcdefgh', 8388608)"
  expect "$(stat -c %s "$work/large")" 67108865 bytes &&
    expect "$(md5sum <"$work/large" | cut -c1-32)" "$(psql -XqAt "$LK_KILL" -c "select md5(repeat('abcdefgh', 8388608) || e'\n')")" md5
}

check_large_bind() { skip "psql 15 binds nothing"; }
check_bind_types() { skip "psql 15 binds nothing"; }

check_oversize_text() {
  { printf 'select 1 /* '; head -c $((17 << 20)) /dev/zero | tr '\0' x; printf ' */;\nselect 40 + 2;\n'; } >"$work/oversize.sql"
  local got
  got="$(q -f "$work/oversize.sql" | cut -c1-300)"
  if [[ "${LK_GOVERNED:-0}" == 1 ]]; then has "$got" 54000 $'\n42'; else has "$got" 1 $'\n42'; fi
}

check_kill_reconnect() {
  local got
  cat >"$work/kill.sql" <<'SQL'
select pg_backend_pid() as pid \gset
\setenv VICTIM :pid
\! psql -XqAt "$LK_KILL" -c "select pg_terminate_backend($VICTIM, 5000)" >/dev/null
select 1;
SQL
  got="$(q <"$work/kill.sql")"
  has "$got" "terminating connection" && expect "$(q -c 'select 40 + 2')" 42
}

run_checks
