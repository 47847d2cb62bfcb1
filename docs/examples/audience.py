#!/usr/bin/env python3
"""The audience of a mailing, from one version of one saved query, whole or not at all.

    LOCKKEEPER_URL=https://lk.example.com LOCKKEEPER_TOKEN=lk_svc_… \\
        python3 audience.py q_0123456789ABCDEF 1 spring audience.jsonl

The saved query gives a row for each recipient, such as

    SELECT id, email, name FROM recipients WHERE segment = :segment ORDER BY id

and the file has an object on each line. It appears under its name only when it
is complete, whatever its size; the script holds one row at a time. The token is
bound to that query and needs the scopes queries:run and runs:read. Python's
standard library is enough.
"""

import http.client
import io
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

API = os.environ["LOCKKEEPER_URL"].rstrip("/") + "/api/v1"
TOKEN = os.environ["LOCKKEEPER_TOKEN"]
# An audience larger than anybody would mail is a mistake. A run that reaches
# this bound is cut there, and then nothing is mailed.
MAX_ROWS = int(os.environ.get("MAX_ROWS", "5000000"))


def send(method, path, body=None, **headers):
    """Opens one request. What may pass by waiting is tried again, up to five times."""
    headers["Authorization"] = "Bearer " + TOKEN  # never into the URL: there it is refused
    headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    for again in range(5, -1, -1):
        try:
            return urllib.request.urlopen(urllib.request.Request(API + path, data, headers, method=method), timeout=90)
        except urllib.error.HTTPError as e:
            if e.code not in (429, 503) or not again:
                problem = json.load(e)  # code is for programs, detail for people, request_id for the log
                sys.exit(f"{e.code} {problem['code']}: {problem['detail']} (request {problem['request_id']})")
            time.sleep(float(e.headers.get("Retry-After") or 2))
        except (urllib.error.URLError, ConnectionError, TimeoutError) as e:
            if not again:
                sys.exit(f"{API}: {e}")
            time.sleep(2)


def call(method, path, body=None, **headers):
    with send(method, path, body, **headers) as answer:
        return json.load(answer)


def run(query, version, **params):
    """Runs a version of a saved query to its end."""
    # One key for one mailing: whatever is sent again under it gives the same
    # run, so two tries cannot give two audiences.
    key = os.environ.get("LOCKKEEPER_KEY") or str(uuid.uuid4())
    body = {
        "version": version,
        "params": [{"name": name, "value": value} for name, value in params.items()],
        "limits": {"max_rows": MAX_ROWS},
    }
    r = call("POST", f"/queries/{query}/runs", body, **{"Prefer": "wait=50", "Idempotency-Key": key})
    while r["state"] in ("queued", "running"):
        r = call("GET", f"/runs/{r['id']}", **{"Prefer": "wait=50"})
    if r["state"] != "succeeded":
        sys.exit(f"run {r['id']} {r['state']}: {(r['error'] or {}).get('message', '')}")
    return r


def save(r, out):
    """Writes the stored rows of a run to out; returns how many."""
    with send("GET", f"/runs/{r['id']}/result.ndjson") as answer:
        cut = answer.headers.get("Lockkeeper-Truncated")
        if cut:
            sys.exit(f"run {r['id']} was cut by {cut}: a part of an audience is not mailed")
        lines = io.TextIOWrapper(answer, "utf-8", newline="\n")
        names = [c["name"] for c in json.loads(next(lines))["columns"]]  # the first line
        count = 0
        for line in lines:  # a cell is a string, NULL is null
            out.write(json.dumps(dict(zip(names, json.loads(line)))) + "\n")
            count += 1
        return count


def main():
    query, version, segment, path = sys.argv[1:]
    r = run(query, int(version), segment=segment)
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8") as out:
            count = save(r, out)
            out.flush()
            os.fsync(out.fileno())
        expected = r["statements"][-1]["result"]["row_count"]
        if count != expected:
            sys.exit(f"run {r['id']} has {expected} rows and {count} came: nothing is mailed")
        os.replace(part, path)
    except (http.client.HTTPException, ConnectionError, TimeoutError) as e:
        sys.exit(f"run {r['id']}: the download broke off ({e!r}): nothing is mailed")
    finally:
        if os.path.exists(part):
            os.remove(part)
    print(json.dumps({"file": path, "recipients": count, "run": r["id"]}))


if __name__ == "__main__":
    main()
