# What the shell clients of the matrix share; sourced by them. Each check is a
# function check_NAME; run_checks prints one line for each:
#
#     ok NAME MILLISECONDS
#     FAIL NAME reason
#     skip NAME reason
#
# The programs of Postgres read their server from the environment.

export PGHOST="$LK_HOST" PGPORT="$LK_PORT" PGUSER="$LK_USER" PGPASSWORD="${LK_PASSWORD:-}" PGDATABASE="$LK_DB"
export PGSSLMODE="${LK_SSLMODE:-disable}" PGSSLROOTCERT="${LK_CA:-}" PGCONNECT_TIMEOUT=20
unset PGOPTIONS PGSERVICE PGAPPNAME PGPASSFILE

order="connect query bind_types prepared_many copy_in copy_out copy_fail server_cursor pipeline notify
  cancel error error_in_tx refuse refuse_in_tx timeout timeout_in_tx large_result large_bind
  oversize_text kill_reconnect"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

refusal="permission denied"
unreadable=42601
if [[ "${LK_GOVERNED:-0}" == 1 ]]; then
  refusal="forbidden is closed here"
  unreadable=42501 # what cannot be parsed meets every deny rule it might fall under
fi

fail() { echo "$*" >"$work/why"; return 1; }
skip() { echo "$*" >"$work/skip"; return 1; }

# expect GOT WANT WHAT
expect() { [[ "$1" == "$2" ]] || fail "${3:-value}: got '${1:0:300}', want '${2:0:300}'"; }

# has TEXT WORDS...: every one of the words stands in the text
has() {
  local text="$1" word
  shift
  for word in "$@"; do
    [[ "$text" == *"$word"* ]] || { fail "no '$word' in '${text:0:400}'"; return 1; }
  done
}

# lasts FROM TO COMMAND...: milliseconds
lasts() {
  local from="$1" to="$2" start end
  shift 2
  start=$(date +%s%3N)
  "$@" || return 1
  end=$(date +%s%3N)
  ((end - start >= from && end - start <= to)) || fail "took $((end - start)) ms, want $from to $to"
}

run_checks() {
  local name start status failed=0
  for name in $order "$@"; do
    [[ -z "${LK_CHECKS:-}" || ",$LK_CHECKS," == *",$name,"* ]] || continue
    rm -f "$work/why" "$work/skip"
    if ! declare -F "check_$name" >/dev/null; then
      echo "skip $name ${no_such:-the program has none}"
      continue
    fi
    start=$(date +%s%3N)
    status=0
    "check_$name" || status=$?
    if ((status == 0)); then
      echo "ok $name $(($(date +%s%3N) - start))"
    elif [[ -e "$work/skip" ]]; then
      echo "skip $name $(cat "$work/skip")"
    else
      echo "FAIL $name $(tr '\n' ' ' <"$work/why" 2>/dev/null | cut -c1-600 || echo "exit $status")"
      failed=1
    fi
  done
  return "$failed"
}
