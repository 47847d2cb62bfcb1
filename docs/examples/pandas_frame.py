#!/usr/bin/env python3
"""SQL to a pandas data frame, with the types the warehouse has.

    pip install pandas pyarrow
    LOCKKEEPER_URL=https://lk.example.com LOCKKEEPER_TOKEN=lk_pat_… \\
        python3 pandas_frame.py 'SELECT day, amount FROM sales WHERE day >= :since' since:date=2026-09-01

In a notebook: from pandas_frame import frame. The token needs the scopes
runs:write and runs:read.
"""

import io
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

import pandas

SERVER = os.environ["LOCKKEEPER_URL"].rstrip("/")


def send(method, path, data=None, **headers):
    headers["Authorization"] = "Bearer " + os.environ["LOCKKEEPER_TOKEN"]
    headers["Content-Type"] = "application/sql"
    try:
        return urllib.request.urlopen(urllib.request.Request(SERVER + path, data, headers, method=method), timeout=90)
    except urllib.error.HTTPError as e:
        problem = json.load(e)
        raise RuntimeError(f"{problem['code']}: {problem['detail']}") from e


def frame(sql, params=None):
    """Returns the rows of sql; params are {"name:type": value}, bound to :name."""
    query = urllib.parse.urlencode({"format": "parquet", **{"p." + name: value for name, value in (params or {}).items()}})
    answer = send("POST", "/api/v1/query?" + query, sql.encode())
    if answer.status == 202:  # it runs longer than a request may: ask for the run until it has ended
        where = answer.headers["Location"]
        run = json.load(answer)
        while run["state"] in ("queued", "running"):
            run = json.load(send("GET", where, Prefer="wait=50"))
        if run["state"] != "succeeded":
            raise RuntimeError(f"run {run['id']} {run['state']}: {(run['error'] or {}).get('message', '')}")
        answer = send("GET", where + "/result.parquet")
    if answer.headers.get("Lockkeeper-Truncated"):
        raise RuntimeError("the result was cut by " + answer.headers["Lockkeeper-Truncated"])
    return pandas.read_parquet(io.BytesIO(answer.read()))


if __name__ == "__main__":
    table = frame(sys.argv[1], dict(p.split("=", 1) for p in sys.argv[2:]))
    print(table.dtypes.to_string())
    print(table.to_csv(index=False), end="")
