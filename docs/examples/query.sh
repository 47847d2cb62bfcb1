#!/bin/sh
# SQL to CSV with curl (7.87 or later).
#
#   LOCKKEEPER_URL=https://lk.example.com LOCKKEEPER_TOKEN=lk_pat_... \
#     sh query.sh 'SELECT count(*) FROM sales WHERE day >= :since' since:date=2026-09-01 > sales.csv
#
# The token needs the scopes runs:write and runs:read.
set -eu
sql=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for pair; do # each NAME=VALUE becomes --url-query p.NAME=VALUE
  shift
  set -- "$@" --url-query "p.$pair"
done

printf %s "$sql" > "$work/sql"
# The token comes by a file that curl reads from its input, for arguments are
# seen by everybody on the machine.
status=$(curl -sS --max-time 90 -o "$work/body" -D "$work/headers" -w '%{http_code}' \
  -H 'Content-Type: application/sql' --data-binary "@$work/sql" "$@" \
  --config - "$LOCKKEEPER_URL/api/v1/query?format=csv" <<END
header = "Authorization: Bearer $LOCKKEEPER_TOKEN"
END
)

case $status in
200) ;;
202) # it runs longer than a request may
  echo "still running; its rows will be at $(sed -n 's/^[Ll]ocation: *//p' "$work/headers" | tr -d '\r')/result.csv" >&2
  exit 75 ;;
*)
  cat "$work/body" >&2 # a problem in JSON: detail says what to do
  exit 1 ;;
esac
if grep -qi '^lockkeeper-truncated:' "$work/headers"; then
  echo "the result was cut by a limit; ask for less" >&2
  exit 3
fi
cat "$work/body"
