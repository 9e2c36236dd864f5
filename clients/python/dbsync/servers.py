"""
The list of daemons: `host:port,host:port`, where a host is a name, an IPv4 address, or an IPv6 address in brackets. With TLS it is
`dbsyncs://host:port`, followed by the fingerprints (`#sha256:…`) if the key of the daemon is pinned.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass
from typing import Sequence, Union

from .errors import BadOption

DEFAULT_PORT = 1111
MAX_SERVERS = 64
MAX_PINS = 8
PIN_BYTES = 32

FORMS = (
    "host:port,host:port with host a name, IPv4 or IPv6 as [::1]:1111; the port may be left out (1111); "
    "with TLS dbsyncs://host:port, or dbsyncs://host:port#sha256:… with the fingerprint of that daemon's key"
)

Servers = Union[str, Sequence[str]]


@dataclass(frozen=True)
class Address:
    """One daemon."""

    host: str
    port: int
    is_encrypted: bool = False
    pins: tuple[str, ...] = ()
    """The pinned fingerprints, 64 hexadecimal digits each. One of them must be that of the daemon's key."""

    @property
    def text(self) -> str:
        """The name of the server in messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'dbsyncs://' if self.is_encrypted else ''}{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_servers(servers: Servers, option: str = "servers") -> tuple[Address, ...]:
    """Returns the addresses of a list, in order and without duplicates. Raises BadOption."""
    entries = [servers] if isinstance(servers, str) else list(servers)
    if not all(isinstance(entry, str) for entry in entries):
        raise BadOption(option, servers, FORMS)
    found: dict[tuple[str, int], Address] = {}
    for entry in ",".join(entries).split(","):
        if not entry.strip():
            continue
        address = _parse(entry.strip(), option)
        same = found.setdefault((address.host, address.port), address)
        if same != address:
            raise BadOption(option, entry, "each server only once; several fingerprints as #sha256:…#sha256:…")
    if not found:
        raise BadOption(option, servers, f"at least one server, as {FORMS}")
    if len(found) > MAX_SERVERS:
        raise BadOption(option, f"a list of {len(found)}", f"at most {MAX_SERVERS} servers")
    return tuple(found.values())


def _parse(entry: str, option: str) -> Address:
    scheme, slashes, rest = entry.rpartition("://")
    if scheme.lower() in ("dbsync1", "dbsyncs1"):
        raise BadOption(option, entry, "servers with version 2; only the clients for Node.js and PHP support version 1")
    if scheme.lower().rstrip("2") not in ("dbsync", "dbsyncs") and slashes:
        raise BadOption(option, entry, FORMS)
    place, *pins = rest.split("#")
    is_encrypted = scheme.lower().startswith("dbsyncs")
    if pins and not is_encrypted:
        raise BadOption(option, entry, "a fingerprint only with TLS: write dbsyncs:// before the address")
    if len(pins) > MAX_PINS:
        raise BadOption(option, entry, f"at most {MAX_PINS} fingerprints")
    host, port = _parse_place(place, entry, option)
    return Address(host, port, is_encrypted, tuple(_parse_pin(pin, entry, option) for pin in pins))


def _parse_place(place: str, entry: str, option: str) -> tuple[str, int]:
    match = re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?|([^:\[\]]*)(?::(\d{1,5}))?", place)
    if match is None:
        if not _is_ip(place, 6):
            raise BadOption(option, entry, FORMS)
        return ipaddress.ip_address(place.lower()).compressed, DEFAULT_PORT
    bracketed, its_port, name, port = match.groups()
    host = (bracketed if bracketed is not None else name).lower()
    if bracketed is not None:
        is_host = _is_ip(host, 6)
    elif re.fullmatch(r"[\d.]+", host):
        is_host = _is_ip(host, 4)
    else:
        is_host = re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?", host) is not None
    if not is_host:
        raise BadOption(option, entry, FORMS)
    number = int(its_port or port or DEFAULT_PORT)
    if not 1 <= number <= 65535:
        raise BadOption(option, entry, "a port from 1 to 65535")
    # Otherwise one server in two spellings would count as two for a policy.
    return (host if bracketed is None else ipaddress.ip_address(host).compressed), number


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _parse_pin(pin: str, entry: str, option: str) -> str:
    """Returns a fingerprint as 64 lowercase hexadecimal digits."""
    digits = pin[7:] if pin.lower().startswith("sha256:") else ""
    if re.fullmatch(r"[\da-fA-F]{64}", digits):
        return digits.lower()
    if re.fullmatch(r"[A-Za-z\d+/_-]{43}=?", digits):
        padded = digits.rstrip("=").replace("-", "+").replace("_", "/") + "="
        return base64.b64decode(padded)[:PIN_BYTES].hex()
    raise BadOption(option, entry, "#sha256: and 64 hexadecimal digits, or base64")
