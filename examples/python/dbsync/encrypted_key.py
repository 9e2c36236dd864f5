"""
The beginning of an encrypted private key (PKCS#8, PBES2), which names the kind of the key. The package "cryptography"
does not report that an encrypted key is only for RSA-PSS.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

PBES2 = "2a864886f70d01050d"
PBKDF2 = "2a864886f70d01050c"
SCRYPT = "2b06010401da47040b"
AES_KEY_BYTES = {"608648016503040102": 16, "608648016503040116": 24, "60864801650304012a": 32}
HASHES = {"07": "sha1", "08": "sha224", "09": "sha256", "0a": "sha384", "0b": "sha512"}
"""The hashes of PBKDF2, by the last byte of their identifier."""
SCRYPT_BYTES_MAX = 1 << 28
BEGINNING_BYTES = 64
SEQUENCE = 0x30


def decrypted_beginning(pem: bytes, secret: bytes) -> bytes:
    """
    Returns the first bytes of the key, or b"" if it is encrypted in another way.
    pem: a block ENCRYPTED PRIVATE KEY that the package has decrypted with the same password.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    der = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    (_, algorithm), (_, encrypted) = _items(_items(der)[0][1])
    (_, scheme), (_, parameters) = _items(algorithm)
    if scheme.hex() != PBES2:
        return b""
    (_, derivation), (_, cipher) = _items(parameters)
    (_, cipher_name), (_, start) = _items(cipher)
    size = AES_KEY_BYTES.get(cipher_name.hex())
    key = None if size is None else _derived(derivation, secret, size)
    if key is None:
        return b""
    decryptor: Any = Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
    return bytes(decryptor.update(encrypted[:BEGINNING_BYTES]))


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
