"""
Encrypted connections (`dbsyncs://`), and the verification of the server. With a fingerprint, only the server's key counts; the authority,
the names and the dates of its certificate do not. Without one, the certificate must be valid for the name in the list.
Source: docs/decisions/0005-clients-pin-the-daemons-key.md.
"""

from __future__ import annotations

import hashlib
import ssl

from .errors import BadOption
from .servers import Address

INTEGER = 0x02
SEQUENCE = 0x30
VERSION = 0xA0
BEFORE_KEY = (INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE)
"""The elements of a certificate before the key: number, algorithm, issuer, dates, subject."""

INDEFINITE = 0x80


class Distrusted(Exception):
    """The server could not be verified."""


def make_context(address: Address, ca: str | None) -> ssl.SSLContext:
    """
    Returns the TLS context for a server. ca: the path of a file, or PEM text, with the certificates of authorities; None: those that this
    machine trusts.
    Raises BadOption.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if address.pins:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if ca is None:
            context.load_default_certs()
        elif "-----BEGIN" in ca:
            context.load_verify_locations(cadata=ca)
        else:
            context.load_verify_locations(cafile=ca)
    except ssl.SSLError:
        raise BadOption("ca", ca, "certificates as PEM") from None
    except OSError as error:
        raise BadOption("ca", ca, f"a file that can be read ({error.strerror}), or PEM text") from None
    return context


def require_pin(address: Address, certificate: bytes | None) -> None:
    """
    Verifies the pinned key. certificate: the certificate of the server in DER.
    Raises Distrusted.
    """
    if not address.pins:
        return
    if certificate is None:
        raise Distrusted("it showed no certificate")
    fingerprint = hashlib.sha256(public_key_of(certificate)).hexdigest()
    if fingerprint not in address.pins:
        raise Distrusted(
            f"its key is sha256:{fingerprint}, which is not the one in the list; "
            "an attacker may have intercepted the connection, or the key is new"
        )


def trouble(error: Exception) -> str:
    """Returns an explanation of a failed handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message}; if you know its key, pin it: #sha256:… after its entry in the list"
    if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG"):
        return "it does not use TLS; connect to it with dbsync://"
    if isinstance(error, (ConnectionError, ssl.SSLEOFError)):
        return "closed during the handshake; is TLS configured there (--tls-cert)? If not, connect to it with dbsync://"
    return f"the handshake failed ({error})"


def public_key_of(certificate: bytes) -> bytes:
    """Returns the bytes of a certificate's SubjectPublicKeyInfo. Raises Distrusted."""
    try:
        outer, _ = _contents(certificate, 0)
        at, _ = _contents(certificate, outer)
        if certificate[at] == VERSION:
            at = _end(certificate, at)
        for tag in BEFORE_KEY:
            if certificate[at] != tag:
                raise IndexError
            at = _end(certificate, at)
        if certificate[at] != SEQUENCE:
            raise IndexError
        return certificate[at : _end(certificate, at)]
    except IndexError:
        raise Distrusted("its certificate cannot be read") from None


def _contents(der: bytes, at: int) -> tuple[int, int]:
    """Returns the start and the end of the contents of the element at this position."""
    length = der[at + 1]
    begin = at + 2
    if length == INDEFINITE:
        # DER does not permit this form of a length. OpenSSL accepts it, and could find a different key than this code.
        raise IndexError
    if length & 0x80:
        digits = length & 0x7F
        length = int.from_bytes(der[begin : begin + digits], "big")
        begin += digits
    if begin + length > len(der):
        raise IndexError
    return begin, begin + length


def _end(der: bytes, at: int) -> int:
    return _contents(der, at)[1]
