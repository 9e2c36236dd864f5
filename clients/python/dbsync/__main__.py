"""python3 -m dbsync --key private.pem SET greeting hello: signs a command, sends it to all servers, prints the answer."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from typing import Any, Sequence

from . import Client, DbsyncError, ReplyError
from .policy import POLICIES

SAYS_NO, FAILED = 1, 2
OPTIONS = ("-h", "--help", "-k", "--key", "-s", "--servers", "--ca", "--cluster", "--db", "--policy", "--timeout")


def show(reply: Any, indent: str = "") -> None:
    """Prints a reply as lines, and bytes unchanged."""
    if isinstance(reply, list):
        for item in reply:
            show(item, indent + "  " if isinstance(item, list) else indent)
    elif isinstance(reply, bytes):
        sys.stdout.buffer.write(indent.encode() + reply + b"\n")
    else:
        sys.stdout.buffer.write(f"{indent}{'' if reply is None else reply}\n".encode())


def _policy(text: str) -> Any:
    return text if text in POLICIES else int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program. Returns the exit code: 0 with a reply, 1 if the command failed, 2 without a reply."""
    parser = argparse.ArgumentParser(
        "dbsync",
        description="Signs a command, sends it to all daemons, and prints the first successful result.",
    )
    parser.add_argument("-k", "--key", help="file with the private key, RSA or Ed25519 (DBSYNC_SIGNKEY)")
    parser.add_argument("-s", "--servers", help="daemons as host:port,host:port (DBSYNC_SERVERS, 127.0.0.1:1111)")
    parser.add_argument("--ca", help="file of authorities that may sign the daemons' certificates (DBSYNC_CA)")
    parser.add_argument("--cluster", help="id of the cluster (DBSYNC_CLUSTER, otherwise requested from the daemons)")
    parser.add_argument("--db", type=int, help="number of the database")
    policies = ", ".join(POLICIES)
    parser.add_argument("--policy", type=_policy, help=f"answers to wait for: {policies}, or a number of daemons")
    parser.add_argument("--timeout", type=float, help="seconds until the command fails (3)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command and its arguments")
    options = parser.parse_args(arguments)
    words = [os.fsencode(word) for word in options.command]
    if words[:1] == [b"--"]:
        del words[0]
    else:
        # Otherwise `-k` and the name of a key file would be part of the command.
        for word in options.command:
            if (word.split("=", 1)[0] if word.startswith("--") else word) in OPTIONS:
                parser.error(
                    f"option {word} comes after the command: write options before it, "
                    "or write -- before the command if the option belongs to it"
                )
    if not words:
        parser.error("a command is missing, such as PING")
    warnings.showwarning = lambda message, *_, **__: print(f"dbsync: {message}", file=sys.stderr)
    try:
        with Client(
            options.servers,
            options.key,
            ca=options.ca,
            cluster=options.cluster,
            db=options.db,
            policy=options.policy,
            timeout=options.timeout,
        ) as client:
            show(client.call(*words))
    except ReplyError as error:
        print(f"(error) {error}", file=sys.stderr)
        return SAYS_NO
    except DbsyncError as error:
        print(f"dbsync: {error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
