"""
The key that signs commands. The package "cryptography" makes the signatures, because Python's standard library has
neither RSA nor Ed25519 (README.md). It is imported when the first key is
loaded.
"""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from typing import Any, Callable

from .errors import BadKey, DbsyncWarning

MIN_RSA_BITS = 2048
RSA_EXPONENT = 65537
MAX_KEY_BYTES = 1 << 20
BEGIN = b"-----BEGIN"


class Signer:
    """A private key with its id."""

    id: bytes
    """The SHA-256 of the public key (SubjectPublicKeyInfo)."""

    def __init__(self, key: str | bytes | os.PathLike[str], password: str | bytes | None = None) -> None:
        """
        Loads a private key. key: the path of a file, or PEM text.
        Raises BadKey.
        """
        place, pem = _read(key)
        try:
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
        except ImportError as error:
            raise BadKey(
                "signing needs the package cryptography. Install it: apt-get install python3-cryptography, "
                "or pip install cryptography"
            ) from error
        secret = password.encode() if isinstance(password, str) else password
        try:
            loaded = load_pem_private_key(pem, secret)
        except Exception as error:  # the package raises many kinds of exceptions
            raise BadKey(_trouble(place, pem, secret, error)) from error
        self._sign = _way_to_sign(place, loaded)
        spki = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(spki).digest()

    def sign(self, signed: bytes) -> bytes:
        """Returns the signature of the bytes."""
        return self._sign(signed)


def _read(key: str | bytes | os.PathLike[str]) -> tuple[str, bytes]:
    """Returns the key's name for messages, and its PEM text."""
    if isinstance(key, bytes) or (isinstance(key, str) and BEGIN.decode() in key):
        return "the key given as PEM text", key if isinstance(key, bytes) else key.encode()
    path = os.fspath(key)
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(MAX_KEY_BYTES + 1)
    except FileNotFoundError:
        raise BadKey(f"{path} does not exist. Correct the path, or make a pair of keys: dbsync-keygen") from None
    except IsADirectoryError:
        raise BadKey(f"{path} is a folder instead of a file. Specify the private key file in it.") from None
    except OSError as error:
        raise BadKey(
            f"{path} cannot be read ({error.strerror}). Permit the user that runs this program to read it."
        ) from None
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        warnings.warn(f"{path} can be read by every user of this machine. Change that: chmod 600 {path}", DbsyncWarning)
    return path, pem


def _trouble(place: str, pem: bytes, secret: bytes | None, error: Exception) -> str:
    if not pem.strip():
        return f"{place} is empty. Copy the file again, or make a new pair: dbsync-keygen"
    if b"BEGIN OPENSSH" in pem:
        return f"{place} is in OpenSSH's own format. Convert a copy: ssh-keygen -p -m PKCS8 -f COPY"
    if b"PUBLIC KEY-----" in pem:
        return f"{place} contains a public key, which cannot sign. Specify the private file of the pair."
    if b"CERTIFICATE-----" in pem:
        return f"{place} contains a certificate, but no private key. Specify the file of the private key."
    if BEGIN not in pem:
        return f"{place} contains no PEM block, which begins with a line -----BEGIN …-----. Correct the path."
    if isinstance(error, TypeError) and secret is None:
        return f"{place} is encrypted, and no password was given. Specify it: password=…"
    if isinstance(error, TypeError):
        return f"{place} is not encrypted, but a password was given. Omit the password."
    if secret is not None:
        return f"{place} cannot be decrypted with this password: the password is wrong, or the file is damaged."
    return f"{place} is damaged ({error}). Copy the file again, or make a new pair: dbsync-keygen"


def _way_to_sign(place: str, key: Any) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadKey(f"{place} is neither an RSA key nor an Ed25519 key. Make a new pair: dbsync-keygen")
    if key.key_size < MIN_RSA_BITS:
        raise BadKey(
            f"{place} is an RSA key of {key.key_size} bits; at least {MIN_RSA_BITS} are required. "
            "Make a new pair: dbsync-keygen"
        )
    if key.public_key().public_numbers().e != RSA_EXPONENT:
        raise BadKey(f"{place} is an RSA key with an exponent other than 65537. Make a new pair: dbsync-keygen")
    return lambda signed: bytes(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
