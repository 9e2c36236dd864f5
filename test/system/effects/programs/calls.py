"""
Makes calls for the test of effects. Reads a JSON object from each line: `open` a client, make a `call`, `close` it, or `finish` it. Prints
a JSON object for each end.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from dbsync import Client, Condition, DbsyncError

FINISH_S = 2.0

clients: dict[str, Client[bytes]] = {}
printing = threading.Lock()


def report(**end: Any) -> None:
    with printing:
        print(json.dumps(end), flush=True)


def call(order: dict[str, Any]) -> None:
    options: dict[str, Any] = {"timeout": order["timeout"], "policy": order["policy"]}
    if order["isConditional"]:
        options["conditions"] = [Condition("other", None)]
    end: dict[str, Any] = {"id": order["id"], "effect": "applied", "outcomes": [], "text": ""}
    try:
        clients[order["client"]].call("SET", order["key"], "v" * order["bytes"], **options)
    except DbsyncError as error:
        end.update(effect=error.effect, text=f"{type(error).__name__}: {error}")
        for outcome in error.outcomes:
            effect = "applied" if outcome.ok else outcome.effect
            end["outcomes"].append({"address": outcome.address, "effect": effect})
    report(**end)


def finish(order: dict[str, Any]) -> None:
    client = clients.pop(order["client"])
    try:
        client.call("PING", policy="all-equal", timeout=FINISH_S)
    except DbsyncError:
        pass
    client.close()
    report(id=order["id"])


def close(order: dict[str, Any]) -> None:
    clients[order["client"]].close(0)


ACTS = {"call": call, "finish": finish, "close": close}

for line in sys.stdin:
    order = json.loads(line)
    if order["do"] == "open":
        clients[order["client"]] = Client(order["servers"], order["key"])
    else:
        # A daemon thread, so that the program can exit during a call.
        threading.Thread(target=ACTS[order["do"]], args=[order], daemon=True).start()
