"""The data that a test passes to its Python programs, and a function that waits for a condition."""

import json
import os
import time

GIVEN = json.loads(os.environ["DBSYNC_GIVEN"])

SECONDS = 60
"""The timeout of a wait, longer than any step takes."""


def until(holds, seconds=SECONDS):
    """Waits until a condition is true."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("the condition was never fulfilled")
        time.sleep(0.01)
