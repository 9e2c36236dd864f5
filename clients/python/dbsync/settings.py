"""The settings of a client, from its options and otherwise from the environment."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from typing import Union

from .errors import BadOption
from .fleet import Fleet
from .servers import Address, Servers, parse_servers
from .signing import Signer
from .tls import make_context

DEFAULT_SERVERS = "127.0.0.1:1111"

KeySource = Union[str, bytes, "os.PathLike[str]"]
"""A private key: the path of a file, or PEM text."""


@dataclass(frozen=True)
class Settings:
    """The settings for creating a fleet. Each event loop has its own fleet, and so has each forked process."""

    addresses: tuple[Address, ...]
    contexts: tuple[ssl.SSLContext | None, ...]
    signer: Signer | None
    cluster: bytes | None

    def make_fleet(self) -> Fleet:
        """Returns a fleet with these settings."""
        return Fleet(self.addresses, self.contexts, self.signer, self.cluster)


def read_settings(
    servers: Servers | None,
    key: KeySource | None,
    password: str | bytes | None,
    ca: str | None,
    cluster: str | bytes | None,
) -> Settings:
    """Raises BadOption, BadKey."""
    variables = os.environ
    # The cluster in the environment belongs to the servers in the environment.
    told_cluster = cluster if cluster is not None or servers is not None else variables.get("DBSYNC_CLUSTER")
    if servers is not None:
        addresses = parse_servers(servers)
    else:
        addresses = parse_servers(variables.get("DBSYNC_SERVERS") or DEFAULT_SERVERS, "DBSYNC_SERVERS")
    told_ca = ca if ca is not None else variables.get("DBSYNC_CA")
    contexts = tuple(make_context(each, told_ca or None) if each.is_encrypted else None for each in addresses)
    told_key = key if key is not None else variables.get("DBSYNC_SIGNKEY")
    return Settings(
        addresses,
        contexts,
        Signer(told_key, password) if told_key else None,
        _cluster(told_cluster) if told_cluster else None,
    )


def _cluster(cluster: str | bytes) -> bytes:
    if isinstance(cluster, bytes) and len(cluster) == 32:
        return cluster
    if isinstance(cluster, str) and re.fullmatch(r"[\da-fA-F]{64}", cluster):
        return bytes.fromhex(cluster)
    raise BadOption("cluster", cluster, "64 hexadecimal digits, which each daemon prints at its start")
