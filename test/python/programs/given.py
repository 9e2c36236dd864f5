"""What a test hands to its cases, and how they wait."""

import json
import os
import time

GIVEN = json.loads(os.environ["DBSYNC_GIVEN"])

SECONDS = 60
"""Nothing takes so long; what does has failed."""


def until(holds, seconds=SECONDS):
    """Waits until it does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("it never came to be so")
        time.sleep(0.01)
