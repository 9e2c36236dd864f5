"""
The key that signs commands. The package "cryptography" makes the signatures, because Python's standard library has
neither RSA nor Ed25519 (README.md). It is imported when the first key is
loaded.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import warnings
from typing import Any, Callable

from .encrypted_key import decrypted_beginning, is_supported
from .errors import BadKey, DbsyncWarning

MIN_RSA_BITS = 2048
RSA_EXPONENT = 65537
MAX_KEY_BYTES = 1 << 20
BEGIN = b"-----BEGIN"
BLOCK = re.compile(rb"^-----BEGIN ([^\r\n]{1,64}?)-----", re.MULTILINE)
ESCAPED = re.compile(rb"-----BEGIN [^\r\n]{1,64}?-----\\n")
NEW_PAIR = "make a new pair: dbsync-keygen"
EXPECTED = f"expected rsa or ed25519; {NEW_PAIR}"
PEM_TEXT = "the key passed as PEM text"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OPENSSH = b"OPENSSH PRIVATE KEY"
RSA_PSS = bytes.fromhex("06092a864886f70d01010a")
"""The identifier of keys that are only for RSA-PSS, in DER."""


class Signer:
    """A private key with its id."""

    id: bytes
    """The SHA-256 of the public key (SubjectPublicKeyInfo)."""

    def __init__(self, key: str | bytes | os.PathLike[str], password: str | bytes | None = None) -> None:
        """
        Loads a private key. key: the path of a file, or PEM text.
        Raises BadKey.
        """
        place, content = _read(key)
        pem = _block(place, content)
        try:
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
        except ImportError as error:
            raise BadKey(
                "signing needs the package cryptography. Install it: apt-get install python3-cryptography, "
                "or pip install cryptography"
            ) from error
        _require_cipher(place, pem)
        secret = None if b"ENCRYPTED" not in pem else password.encode() if isinstance(password, str) else password
        try:
            loaded = load_pem_private_key(pem, secret)
        except Exception as error:  # the package raises many kinds of exceptions
            raise BadKey(_trouble(place, pem, secret, error)) from error
        # The package reads a key for RSA-PSS as any RSA key, and daemons accept no such signatures.
        if RSA_PSS in _beginning(pem, secret):
            raise BadKey(f"{place} is a key of type rsa-pss; {EXPECTED}")
        self._sign = _way_to_sign(place, loaded)
        spki = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(spki).digest()

    def sign(self, signed: bytes) -> bytes:
        """Returns the signature of the bytes."""
        return self._sign(signed)


def _beginning(pem: bytes, secret: bytes | None) -> bytes:
    """Returns the first bytes of a key in PKCS#8, or b"" for other forms, which no key for RSA-PSS has."""
    if pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY"):
        return decrypted_beginning(pem, secret or b"")
    return b"" if b"ENCRYPTED" in pem else base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))[:64]


def _read(key: str | bytes | os.PathLike[str]) -> tuple[str, bytes]:
    """Returns the key's name for messages, and its PEM text."""
    if isinstance(key, bytes) or (isinstance(key, str) and BEGIN.decode() in key):
        return PEM_TEXT, key if isinstance(key, bytes) else key.encode()
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


def _block(place: str, content: bytes) -> bytes:
    """Returns the only PEM block, which must be a private key. Raises BadKey."""
    if not content:
        raise BadKey(f"{place} is empty. Copy the file again, or {NEW_PAIR}")
    if ESCAPED.search(content):
        raise BadKey(f"{place} contains the two characters \\n instead of line breaks, as in an .env file. Replace them with line breaks.")
    text = content.removeprefix(BYTE_ORDER_MARK)
    begins = [each for each in BLOCK.finditer(text) if not each[1].endswith(b" PARAMETERS")]
    if not begins:
        raise BadKey(f"{place} {_other_form(place, content)}")
    if len(begins) > 1:
        labels = ", ".join(each[1].decode("latin-1") for each in begins)
        raise BadKey(f"{place} contains several PEM blocks ({labels}). Put the one to be used into a separate file.")
    label = begins[0][1]
    _require_private(place, label)
    end_line = b"-----END " + label + b"-----"
    end = text.find(end_line, begins[0].start())
    if end < 0:
        raise BadKey(f"{place} is damaged: its last line, which begins with -----END, is missing. Copy the file again, or {NEW_PAIR}")
    block = text[begins[0].start() : end]
    if b"\n" not in block:
        raise BadKey(f"{place} contains a PEM block without line breaks. Put -----BEGIN …----- and -----END …----- on lines of their own.")
    return block + end_line + b"\n"


def _word(place: str) -> str:
    """Returns a key's name for a shell command, quoted as the other clients do."""
    if place == PEM_TEXT:
        return "FILE"
    word = f"./{place}" if place.startswith("-") else place
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word, re.ASCII) else "'" + word.replace("'", "'\\''") + "'"


def _other_form(place: str, content: bytes) -> str:
    """Returns what a file without a PEM block contains, and the remedy."""
    if re.match(rb"(ssh-|ecdsa-sha2-|sk-)", content):
        return "contains an OpenSSH public key, which cannot sign. Specify the private file of the pair."
    if content.startswith(b"PuTTY-User-Key-File-"):
        return f"is in PuTTY's own format. Convert it: puttygen {_word(place)} -O private-openssh -o private.pem"
    if re.match(rb"0[\x81-\x84]", content):
        return f"is in binary form (DER) instead of PEM. Convert it: openssl pkey -inform DER -in {_word(place)} -out private.pem"
    return 'contains no PEM block, which begins with a line "-----BEGIN …-----". Correct the path.'


def _require_private(place: str, label: bytes) -> None:
    """Raises BadKey if a block with this label is not a private key in a form that the package reads."""
    name = label.decode("latin-1")
    if label == OPENSSH:
        raise BadKey(
            f"{place} is in OpenSSH's own format. Convert a copy: cp {_word(place)} private.pem && "
            "ssh-keygen -p -m PKCS8 -f private.pem"
        )
    if label.endswith(b"PUBLIC KEY"):
        raise BadKey(f"{place} contains a public key, which cannot sign. Specify the private file of the pair.")
    if label.endswith(b"CERTIFICATE REQUEST"):
        raise BadKey(f"{place} contains a certificate request, but no private key. Specify the file of the private key.")
    if label.endswith(b"CERTIFICATE"):
        raise BadKey(f"{place} contains a certificate, but no private key. Specify the file of the private key.")
    if not label.endswith(b"PRIVATE KEY"):
        raise BadKey(f'{place} contains a "{name}" instead of a private key. Correct the path.')


def _require_cipher(place: str, pem: bytes) -> None:
    """Raises BadKey if a key is encrypted with a method that the package cannot decrypt, or that other clients refuse."""
    if b"ENCRYPTED" in pem and not is_supported(pem):
        raise BadKey(
            f"{place} is encrypted with a method that this program does not support. Encrypt it again: "
            f"openssl pkey -provider legacy -provider default -in {_word(place)} -aes-256-cbc -out private.pem"
        )


def _trouble(place: str, pem: bytes, secret: bytes | None, error: Exception) -> str:
    if isinstance(error, TypeError) and secret is None:
        return (
            f"{place} is encrypted, and the passphrase is missing. Supply it, or make a copy without one: "
            f"openssl pkey -in {_word(place)} -out private.pem"
        )
    if secret is not None:
        return f"{place} cannot be decrypted with this passphrase: the passphrase is wrong, or the file is damaged."
    return f"{place} is damaged: {error}. Copy the file again, or {NEW_PAIR}"


def _way_to_sign(place: str, key: Any) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    if not isinstance(key, rsa.RSAPrivateKey):
        name = "ec" if isinstance(key, ec.EllipticCurvePrivateKey) else type(key).__name__.removesuffix("PrivateKey").lower()
        raise BadKey(f"{place} is a key of type {name}; {EXPECTED}")
    if key.key_size < MIN_RSA_BITS:
        raise BadKey(
            f"{place} is an RSA key of {key.key_size} bits, and {MIN_RSA_BITS} is the minimum that is safe; {NEW_PAIR}"
        )
    exponent = key.public_key().public_numbers().e
    if exponent != RSA_EXPONENT:
        raise BadKey(f"{place} is an RSA key with the exponent {exponent} instead of {RSA_EXPONENT}; {NEW_PAIR}")
    return lambda signed: bytes(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
