"""Opens connections: the socket, TLS, and the check whether the daemon accepts the commands of this client."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time

from .messages import PROTOCOL, Hello, frame
from .servers import Address
from .tls import Distrusted, require_pin, trouble


class Gone(Exception):
    """The connection can no longer be used."""

    def __init__(self, stage: str, detail: str = "") -> None:
        super().__init__(detail)
        self.stage, self.detail = stage, detail


async def dial(address: Address, context: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens a connection and verifies the server. Raises Gone."""
    try:
        streams = await asyncio.open_connection(address.host, address.port, ssl=context)
    except socket.gaierror as error:
        raise Gone("dns", error.strerror or str(error)) from error
    except UnicodeError as error:
        raise Gone("dns", "it is not a valid host name") from error
    except ssl.SSLError as error:
        raise Gone("tls", trouble(error)) from error
    except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError) as error:
        raise Gone("tls", trouble(error)) if address.is_encrypted else Gone("lost", str(error)) from error
    except OSError as error:
        # The text of asyncio would contain the address again.
        raise Gone("connect", os.strerror(error.errno) if error.errno else str(error)) from error
    secured = streams[1].get_extra_info("ssl_object")
    if secured is not None:
        try:
            require_pin(address, secured.getpeercert(True))
        except Distrusted as doubt:
            streams[1].transport.abort()
            raise Gone("tls", str(doubt)) from doubt
    return streams


def hello_frame(cluster: bytes | None, others: int | None) -> bytes:
    """
    Returns the hello of a client. `cluster` is None if the client signs nothing or does not know its cluster. `others` is the number
    of other daemons to which it sends its commands, or None if it sends none.
    """
    members: int | str = "" if others is None else others
    return frame("hello", PROTOCOL, "", cluster or b"", time.time_ns() // 1_000_000, "", "client", members, "")


def require_way(hello: Hello, is_signed: bool) -> None:
    """Raises Gone if the daemon does not accept the commands of this client."""
    if not is_signed:
        if "unsigned" not in hello.knows:
            raise Gone("refused", "unsigned: This daemon accepts only signed commands. Specify the private key: key=… or DBSYNC_SIGNKEY, for python3 -m dbsync --key.")
    elif "signed" not in hello.knows:
        raise Gone("refused", "not-due: It has no keys, and accepts no signed commands. Start it with this key's public half (-s), or do not sign.")
