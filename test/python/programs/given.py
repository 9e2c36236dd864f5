"""The data that a test passes to its cases, and how they wait."""

import json
import os
import time

GIVEN = json.loads(os.environ["DBSYNC_GIVEN"])

SECONDS = 60
"""Longer than any step takes."""


def until(holds, seconds=SECONDS):
    """Waits until it does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("the condition was never fulfilled")
        time.sleep(0.01)
