"""Increments fields of a hash by redis-py at the master that sentinels name, until its input ends, except between the
lines "pause" and "continue" of its input. Prints a line of JSON for each call. Arguments: the name of the master, and
the sentinels' ports."""
import json
import sys
import threading
import time

from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, ReadOnlyError, TimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

name, *ports = sys.argv[1:]
# The settings of docs/active-active.md.
sentinel = Sentinel([("127.0.0.1", int(port)) for port in ports], socket_timeout=1)
redis = sentinel.master_for(
    name,
    socket_timeout=5,
    retry=Retry(ExponentialBackoff(cap=1, base=0.05), 15),
    retry_on_error=[BusyLoadingError, ConnectionError, ReadOnlyError, TimeoutError],
)
over = threading.Event()
running = threading.Event()
running.set()


def read():
    for line in sys.stdin:
        running.clear() if line == "pause\n" else running.set()
    over.set()
    running.set()


threading.Thread(target=read, daemon=True).start()
number = 0
while not over.is_set():
    number += 1
    start = time.monotonic()
    try:
        redis.hincrby("increments", number, 1)
        report = {"incremented": number}
    except Exception as error:
        report = {"failed": "incremented", "number": number, "error": f"{type(error).__name__}: {error}"}
    print(json.dumps({**report, "ms": round((time.monotonic() - start) * 1000)}), flush=True)
    over.wait(0.01)
    running.wait()
