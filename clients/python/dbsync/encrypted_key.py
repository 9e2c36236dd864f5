"""
The beginning of an encrypted private key (PKCS#8), which names the kind of the key. The package "cryptography" does not
report that an encrypted key is only for RSA-PSS.
"""

from __future__ import annotations

import base64
import hashlib
import re
import warnings
from importlib import import_module
from typing import Any

PBES2 = "2a864886f70d01050d"
PBES1_3DES = "2a864886f70d010c0103"
"""SHA-1 and Triple DES with three keys, of PKCS#12."""
PBKDF2 = "2a864886f70d01050c"
SCRYPT = "2b06010401da47040b"
DES3 = "2a864886f70d0307"
KEY_BYTES = {"608648016503040102": 16, "608648016503040116": 24, "60864801650304012a": 32, DES3: 24}
"""The bytes of a key for AES and Triple DES."""
HASHES = {"07": "sha1", "08": "sha224", "09": "sha256", "0a": "sha384", "0b": "sha512"}
"""The hashes of PBKDF2, by the last byte of their identifier."""
SCRYPT_BYTES_MAX = 1 << 28
BEGINNING_BYTES = 64
SEQUENCE = 0x30
PKCS12_BLOCK = 64
"""The bytes of a block of SHA-1."""


def is_supported(pem: bytes) -> bool:
    """
    Whether the key is encrypted with AES or Triple DES. Other methods are refused, as by the other clients.
    pem: a block ENCRYPTED PRIVATE KEY, or one of the traditional form. True if the block is damaged.
    """
    if b"DEK-Info:" in pem:
        return re.search(rb"DEK-Info: *(?:AES-|DES-EDE3-)", pem) is not None
    try:
        scheme, parameters, _ = _parts(pem)
        if scheme != PBES2:
            return scheme == PBES1_3DES
        (_, derivation), (_, cipher) = _items(parameters)
        return _items(derivation)[0][1].hex() in (PBKDF2, SCRYPT) and _items(cipher)[0][1].hex() in KEY_BYTES
    except (ValueError, IndexError):
        return True


def decrypted_beginning(pem: bytes, secret: bytes) -> bytes:
    """
    Returns the first bytes of the key, or b"" if they cannot be decrypted.
    pem: a supported block ENCRYPTED PRIVATE KEY that the package has decrypted with the same password.
    """
    scheme, parameters, encrypted = _parts(pem)
    if scheme == PBES1_3DES:
        (_, salt), (_, rounds) = _items(parameters)
        key, start = (_pkcs12(kind, secret, salt, int.from_bytes(rounds, "big"), size) for kind, size in ((1, 24), (2, 8)))
        return _decrypted(DES3, key, start, encrypted)
    (_, derivation), (_, cipher) = _items(parameters)
    (_, cipher_name), (_, start) = _items(cipher)
    key_or_none = _derived(derivation, secret, KEY_BYTES[cipher_name.hex()])
    return b"" if key_or_none is None else _decrypted(cipher_name.hex(), key_or_none, start, encrypted)


def _parts(pem: bytes) -> tuple[str, bytes, bytes]:
    """Returns the identifier of the method, its parameters, and the encrypted bytes."""
    der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    (_, algorithm), (_, encrypted) = _items(_items(der)[0][1])
    (_, scheme), (_, parameters) = _items(algorithm)
    return scheme.hex(), parameters, encrypted


def _decrypted(cipher: str, key: bytes, start: bytes, encrypted: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    decryptor: Any = Cipher(_triple_des(key) if cipher == DES3 else algorithms.AES(key), modes.CBC(start)).decryptor()
    return bytes(decryptor.update(encrypted[:BEGINNING_BYTES]))


def _triple_des(key: bytes) -> Any:
    # Imported by name, because a type checker finds only one of these modules in each version of the package.
    try:
        algorithms = import_module("cryptography.hazmat.decrepit.ciphers.algorithms")
    except ImportError:  # before version 43 of the package
        algorithms = import_module("cryptography.hazmat.primitives.ciphers.algorithms")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return algorithms.TripleDES(key)


def _pkcs12(kind: int, secret: bytes, salt: bytes, rounds: int, size: int) -> bytes:
    """Derives a key (kind 1) or an initial vector (kind 2) by the method of PKCS#12 with SHA-1 (RFC 7292, B.2)."""
    password = secret.decode("latin-1").encode("utf-16-be") + b"\0\0"
    filled = b"".join(_repeated(part, -(-len(part) // PKCS12_BLOCK) * PKCS12_BLOCK) for part in (salt, password))
    derived = b""
    while len(derived) < size:
        block = bytes([kind]) * PKCS12_BLOCK + filled
        for _ in range(rounds):
            block = hashlib.sha1(block).digest()
        derived += block
        added = int.from_bytes(_repeated(block, PKCS12_BLOCK), "big") + 1
        sums = (
            (int.from_bytes(filled[at : at + PKCS12_BLOCK], "big") + added) % (1 << 8 * PKCS12_BLOCK)
            for at in range(0, len(filled), PKCS12_BLOCK)
        )
        filled = b"".join(each.to_bytes(PKCS12_BLOCK, "big") for each in sums)
    return derived[:size]


def _repeated(part: bytes, size: int) -> bytes:
    """Returns a part, repeated up to a number of bytes."""
    return (part * (size // max(1, len(part)) + 1))[:size]


def _derived(derivation: bytes, secret: bytes, size: int) -> bytes | None:
    (_, name), (_, parameters) = _items(derivation)
    (_, salt), *rest = _items(parameters)
    numbers = [int.from_bytes(value, "big") for tag, value in rest if tag != SEQUENCE]
    if name.hex() == PBKDF2:
        functions = [_items(value)[0][1].hex()[-2:] for tag, value in rest if tag == SEQUENCE]
        hash_name = HASHES.get(functions[0] if functions else "07")
        return None if hash_name is None else hashlib.pbkdf2_hmac(hash_name, secret, salt, numbers[0], size)
    if name.hex() == SCRYPT:
        cost, block, parallel = numbers[:3]
        return hashlib.scrypt(secret, salt=salt, n=cost, r=block, p=parallel, maxmem=SCRYPT_BYTES_MAX, dklen=size)
    return None


def _items(der: bytes) -> list[tuple[int, bytes]]:
    """Returns the tags and contents of consecutive DER elements."""
    found = []
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            bytes_of_length = length & 0x7F
            length = int.from_bytes(der[at : at + bytes_of_length], "big")
            at += bytes_of_length
        found.append((tag, der[at : at + length]))
        at += length
    return found
