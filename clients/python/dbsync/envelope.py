"""Makes and signs envelopes: the header, the commands and the id. Source: docs/protocol-v2.md "Envelope"."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import Iterable, NamedTuple, Sequence, Union

from .messages import Date
from .resp import Argument, array, bulk
from .signing import Signer

NONCE_BYTES = 16
UNIT_BYTES = 36
ORDER_KEY_BYTES = 46
HASH_BYTES = 32

NO_KEY = bytes(HASH_BYTES)
"""The value of `key` in the header of an unsigned envelope."""


Field = tuple[str, Union[Argument, list[Argument]]]
"""The number of elements per header field: a name and its value."""


class Condition(NamedTuple):
    """A key, and the unit that must have changed it last, as `writers` returns it. None means that the key must not exist."""

    key: Union[str, bytes]
    writer: Union[bytes, str, None]
    db: Union[int, None] = None
    """The number of the database, or None for that of the call."""


@dataclass(frozen=True)
class Header:
    """The options of a call that are signed."""

    db: int = 0
    multi: bool = False
    conditions: Sequence[Condition] = ()
    after: bytes | None = None
    only: bytes | None = None
    decide: bool = False
    """Whether the members of a list have to decide on the envelope."""

    def as_unit(self) -> Header:
        """Returns a copy for commands that form one unit."""
        return replace(self, multi=True)

    def to_decide(self) -> Header:
        """Returns a copy for an envelope on which the members of a list have to decide."""
        return replace(self, decide=True)


@dataclass(frozen=True)
class Envelope:
    """The bytes that all daemons receive."""

    id: bytes
    body: bytes
    signature: bytes
    date: Date
    cluster: bytes


def seal(signer: Signer | None, cluster: bytes, date: Date, header: Header, commands: Iterable[bytes]) -> Envelope:
    """
    Signs encoded commands.
    signer: None leaves the envelope unsigned, for daemons without keys.
    """
    fields: list[Field] = [
        ("key", NO_KEY if signer is None else signer.id),
        ("cluster", cluster),
        ("at", date[0]),
        ("seq", date[1]),
        ("nonce", os.urandom(NONCE_BYTES)),
    ]
    if header.db:
        fields.append(("db", header.db))
    if header.multi:
        fields.append(("multi", "1"))
    if header.conditions:
        fields.append(("if", _flat(header.conditions, header.db)))
    if header.after is not None:
        fields.append(("after", header.after))
    if header.only is not None:
        fields.append(("only", header.only))
    if header.decide:
        fields.append(("decide", "1"))
    body = write_body(fields, commands)
    signed = signed_bytes(body)
    signature = b"" if signer is None else signer.sign(signed)
    return Envelope(hashlib.sha256(signed).digest(), body, signature, date, cluster)


def write_body(fields: Iterable[Field], commands: Iterable[bytes]) -> bytes:
    """Encodes a body. `fields` are the names and values in their order; a list is encoded as an array."""
    flat: list[bytes] = []
    for name, value in fields:
        flat += [bulk(name), array(*map(bulk, value)) if isinstance(value, list) else bulk(value)]
    return array(bulk("dbsync2"), array(*flat), *commands)


def signed_bytes(body: bytes) -> bytes:
    """Returns the signed bytes. Their SHA-256 is the id of the envelope."""
    return b"dbsync2\0command\0" + len(body).to_bytes(8, "big") + body


def order_key(envelope: Envelope, units: int) -> bytes:
    """Returns the order key of the envelope's last unit, for the option `after`."""
    at, seq = envelope.date
    return at.to_bytes(8, "big") + seq.to_bytes(2, "big") + envelope.id + (units - 1).to_bytes(4, "big")


def _flat(conditions: Sequence[Condition], db: int) -> list[Argument]:
    flat: list[Argument] = []
    for key, writer, of_db in conditions:
        flat += [db if of_db is None else of_db, key, writer or b""]
    return flat
