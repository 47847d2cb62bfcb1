"""What the Python clients of the matrix share.

A client script names its checks with the functions of a class; run() calls
those that are wanted, each with nothing left over from the one before, and
prints one line for each:

    ok NAME MILLISECONDS
    FAIL NAME reason
    skip NAME reason

Where the server is and what governs it comes from the environment, as the
runner (../matrix_test.go) sets it.
"""

import os
import subprocess
import sys
import threading
import time
import traceback

HOST = os.environ["LK_HOST"]
PORT = int(os.environ["LK_PORT"])
USER = os.environ["LK_USER"]
SLOW_USER = os.environ["LK_SLOW_USER"]  # its statements are cut off after LIMIT seconds
PASSWORD = os.environ.get("LK_PASSWORD", "")
DB = os.environ["LK_DB"]
SSLMODE = os.environ.get("LK_SSLMODE", "disable")
CA = os.environ.get("LK_CA", "")
GOVERNED = os.environ.get("LK_GOVERNED") == "1"
TLS = SSLMODE != "disable"

LIMIT = 2.0  # seconds a statement of SLOW_USER may run
SLACK = 3.0  # seconds a busy machine may add: less than the grace before a cancel is repeated
LARGE = 64 << 20
OVERSIZE = 17 << 20  # more than max_statement_bytes
LARGE_SQL = "repeat('abcdefgh', 8388608)"
UNREADABLE = "42501" if GOVERNED else "42601"  # what cannot be parsed meets every deny rule it might fall under
CLOSED_TEXT = "forbidden is closed here"  # the words of the deny rule

ORDER = (
    "connect query bind_types prepared_many copy_in copy_out copy_fail server_cursor pipeline notify "
    "cancel error error_in_tx refuse refuse_in_tx timeout timeout_in_tx large_result large_bind "
    "oversize_text kill_reconnect"
).split()


class Skip(Exception):
    """The driver has no such thing; the text says why."""


def large_text():
    """64 MiB of text, made only where it is needed."""
    return "abcdefgh" * (LARGE // 8)


def oversize_sql():
    """A statement whose text is longer than max_statement_bytes."""
    return "select 1 /* " + "x" * OVERSIZE + " */"


def expect(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {short(got)}, want {short(want)}")


def short(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


def raises(state_of, want, act, text=None):
    """act() must raise an error with SQLSTATE want, and text among its words."""
    try:
        act()
    except Exception as err:  # noqa: BLE001: each driver has its own tree of errors
        check_state(state_of, want, err, text)
        return err
    raise AssertionError(f"no error, want {want}")


def check_state(state_of, want, err, text=None):
    got = state_of(err)
    if got != want:
        raise AssertionError(f"SQLSTATE {got}, want {want}: {type(err).__name__}: {short(str(err))}") from err
    if text and text not in str(err):
        raise AssertionError(f"{want} without {text!r}: {err}") from err


def refusal():
    """The words a refusal must carry: the rule's, or the server's own."""
    return CLOSED_TEXT if GOVERNED else "permission denied"


class Clock:
    """with Clock(2.0): the block must last about that long."""

    def __init__(self, want):
        self.want = want

    def __enter__(self):
        self.start = time.monotonic()

    def __exit__(self, kind, *_):
        took = time.monotonic() - self.start
        if kind is None and not self.want - 0.1 <= took <= self.want + SLACK:
            raise AssertionError(f"took {took:.2f} s, want {self.want:.1f} s")


def after(seconds, act):
    """Calls act once, from another thread."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer


def kill_backend(pid):
    """Ends a backend from beside the door, as an operator at the warehouse would."""
    subprocess.run(
        ["psql", "-XqAt", os.environ["LK_KILL"], "-c", f"select pg_terminate_backend({int(pid)}, 5000)"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def run(suite, none="the driver has none"):
    """Runs the methods of suite named like a check and ends the process."""
    wanted = os.environ.get("LK_CHECKS", "").split(",") if os.environ.get("LK_CHECKS") else None
    own = [n for n in dir(suite) if n.startswith("x_")]
    failed = False
    for name in ORDER + own:
        if wanted is not None and name not in wanted:
            continue
        failed |= not run_one(suite, name, none)
    sys.exit(1 if failed else 0)


def run_one(suite, name, none):
    start = time.monotonic()
    act = getattr(suite, name, None)
    try:
        if act is None:
            raise Skip(none)
        act()
    except Skip as why:
        print("skip", name, why, flush=True)
        return True
    except BaseException as err:  # noqa: BLE001: whatever it is, it is this check's
        if os.environ.get("LK_TRACE"):
            traceback.print_exc()
        line = " ".join(f"{type(err).__name__}: {err}".split())
        print("FAIL", name, line[:400], flush=True)
        return False
    print("ok", name, int((time.monotonic() - start) * 1000), flush=True)
    return True
