"""
A signed client that competes with other programs. `contender.py SERVERS KEY TIMEOUT` reads a line of JSON for each unit: its commands, and the
key and the last writer (hexadecimal, or null if the key must be absent) of its condition, or null for no condition. It prints the replies, in
which binary texts are hexadecimal, or the effect of a unit that failed.
"""

import json
import sys

from dbsync import Client, Condition, DbsyncError


def readable(reply):
    if isinstance(reply, list):
        return [readable(each) for each in reply]
    if not isinstance(reply, bytes):
        return reply
    try:
        return reply.decode("ascii")
    except UnicodeDecodeError:
        return reply.hex()


client = Client(sys.argv[1].split(","), sys.argv[2], timeout=float(sys.argv[3]))

for line in sys.stdin:
    commands, condition = json.loads(line)
    conditions = None
    if condition is not None:
        key, writer = condition
        conditions = [Condition(key, None if writer is None else bytes.fromhex(writer))]
    try:
        if conditions is None and len(commands) == 1:
            reply = client.call(*commands[0])
        else:
            reply = client.multi(commands, conditions=conditions)
        end = {"reply": readable(reply)}
    except DbsyncError as error:
        end = {"effect": error.effect, "text": f"{type(error).__name__} {error.code}"}
    print(json.dumps(end), flush=True)
