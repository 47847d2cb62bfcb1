#!/usr/bin/env python3
"""The result of an A/B test, from one version of one saved query.

    LOCKKEEPER_URL=https://lk.example.com LOCKKEEPER_TOKEN=lk_svc_… \\
        python3 experiment.py q_0123456789ABCDEF 1 checkout-button 2026-09-01

The saved query gives a row for each variant:

    SELECT variant, count(*) AS users, count(*) FILTER (WHERE converted) AS conversions
    FROM enrolments WHERE experiment = :experiment AND day >= :since GROUP BY variant

The token is bound to that query in that version and needs the scopes
queries:run and runs:read. Python's standard library is enough.
"""

import json
import math
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

API = os.environ["LOCKKEEPER_URL"].rstrip("/") + "/api/v1"
TOKEN = os.environ["LOCKKEEPER_TOKEN"]


def call(method, path, body=None, **headers):
    """One request. What may pass by waiting is tried again, up to five times."""
    headers["Authorization"] = "Bearer " + TOKEN  # never into the URL: there it is refused
    headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    for again in range(5, -1, -1):
        request = urllib.request.Request(API + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            if e.code not in (429, 503) or not again:
                problem = json.load(e)  # code is for programs, detail for people, request_id for the log
                sys.exit(f"{e.code} {problem['code']}: {problem['detail']} (request {problem['request_id']})")
            time.sleep(float(e.headers.get("Retry-After") or 2))
        except (urllib.error.URLError, ConnectionError, TimeoutError) as e:
            if not again:
                sys.exit(f"{API}: {e}")
            time.sleep(2)


def run(query, version, **params):
    """Runs a version of a saved query and returns its rows as dicts."""
    # One key for one piece of work: whatever is sent again under it gives the
    # same run. A scheduler that starts the script again passes its own.
    key = os.environ.get("LOCKKEEPER_KEY") or str(uuid.uuid4())
    body = {
        "version": version,  # without it: the newest that was released to the service
        "params": [{"name": name, "value": value} for name, value in params.items()],  # bound, never pasted into the SQL
    }
    r = call("POST", f"/queries/{query}/runs", body, **{"Prefer": "wait=50", "Idempotency-Key": key})
    while r["state"] in ("queued", "running"):
        r = call("GET", f"/runs/{r['id']}", **{"Prefer": "wait=50"})
    if r["state"] != "succeeded":
        sys.exit(f"run {r['id']} {r['state']}: {(r['error'] or {}).get('message', '')}")
    page = call("GET", f"/runs/{r['id']}/rows?limit=10000")
    if page["truncated"] or page["next"]:
        sys.exit(f"run {r['id']}: not all rows are here, so there is no result")
    names = [c["name"] for c in page["columns"]]
    return r, [dict(zip(names, row)) for row in page["rows"]]  # cells are strings; NULL is None


def z_test(control, treatment):
    """Two proportions, pooled, two-sided."""
    (n1, x1), (n2, x2) = control, treatment
    p1, p2, p = x1 / n1, x2 / n2, (x1 + x2) / (n1 + n2)
    error = math.sqrt(p * (1 - p) * (1 / n1 + 1 / n2))
    z = (p2 - p1) / error if error else 0.0
    return {"rates": [p1, p2], "lift": p2 / p1 - 1 if p1 else None, "z": z, "p": math.erfc(abs(z) / math.sqrt(2))}


def short(x):
    """Six digits say all there is to say."""
    if isinstance(x, list):
        return [short(e) for e in x]
    return float(f"{x:.6g}") if isinstance(x, float) else x


def main():
    query, version, experiment, since = sys.argv[1:]
    r, rows = run(query, int(version), experiment=experiment, since=since)
    seen = {row["variant"]: (int(row["users"]), int(row["conversions"])) for row in rows}
    if set(seen) != {"control", "treatment"}:
        sys.exit(f"run {r['id']}: variants are {sorted(seen)}, want control and treatment")
    result = {name: short(x) for name, x in z_test(seen["control"], seen["treatment"]).items()}
    # The run's URL shows these very rows to whoever may read the table.
    print(json.dumps({"experiment": experiment, "control": seen["control"], "treatment": seen["treatment"], **result, "run": r["id"]}))


if __name__ == "__main__":
    main()
