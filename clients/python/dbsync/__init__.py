"""
A client of dbsync. It signs a command once, sends it to every daemon, and returns the first successful answer.

    from dbsync import Client

    with Client("10.0.0.1,10.0.0.2", "private.pem") as client:
        client.set("greeting", "hello")
        client.get("greeting")  # b"hello"

AsyncClient is the corresponding client for asyncio. Both support only version 2 of the protocol (docs/protocol-v2.md).
"""

from .awaiting import AsyncClient
from .blocking import Client
from .envelope import Condition
from .errors import (
    BadCommand,
    BadKey,
    BadOption,
    Closed,
    ClustersDiffer,
    DbsyncError,
    DbsyncWarning,
    NoAnswer,
    Outcome,
    PolicyNotMet,
    Refused,
    ReplyError,
    TimedOut,
)
from .follow import FeedEvent, Lost, Unit, Waiting

__all__ = [
    "AsyncClient",
    "BadCommand",
    "BadKey",
    "BadOption",
    "Client",
    "Closed",
    "ClustersDiffer",
    "Condition",
    "DbsyncError",
    "DbsyncWarning",
    "FeedEvent",
    "Lost",
    "NoAnswer",
    "Outcome",
    "PolicyNotMet",
    "Refused",
    "ReplyError",
    "TimedOut",
    "Unit",
    "Waiting",
]
