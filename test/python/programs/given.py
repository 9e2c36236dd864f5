"""
The data that a test passes to its Python programs, a function that waits for a condition, and the asyncio client with the
methods of the blocking one, so that the same cases run with both.
"""

import asyncio
import atexit
import json
import os
import time

from dbsync import AsyncClient, Client

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


LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


class Awaited:
    """An AsyncClient whose methods wait for their values, as those of Client do. Its event loop runs only during calls."""

    def __init__(self, *options, **named):
        self.client = AsyncClient(*options, **named)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):
        found = getattr(self.client, name)
        if not callable(found):
            return found
        return lambda *words, **options: LOOP.run_until_complete(found(*words, **options))

    def using(self, **options):
        view = object.__new__(Awaited)
        view.client = self.client.using(**options)
        return view


def fleet_of(client):
    """Returns the daemons of a client of either kind."""
    return client._background.fleet if isinstance(client, Client) else client.client._fleet
