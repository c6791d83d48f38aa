"""The installation's keys: they make recipients opaque, encrypt secrets, and sign the journal's sealed batches.

`policenotify init` creates the keys file once, and every host of the installation has the same. It opens all stored
addresses and tokens, which are lost without it. Keep a copy in a safe.

A file holds one *tagging* key, which never changes, and numbered *versions*, each with an encryption and a signing
key. The newest version encrypts and signs, the older ones still decrypt and verify. Every encrypted or signed value
is stored with the number of its version.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from policenotify.errors import SettingsError, UnsupportedVersion
from policenotify.journal.permissions import read_closed
from policenotify.translation import Text

Entropy = Callable[[int], bytes]
"""Returns so many unpredictable bytes: `secrets.token_bytes`, except in tests."""

_KEY_BYTES = 32  # AES-256 (FIPS 197), Ed25519 (RFC 8032, section 5.1.5), and HMAC-SHA-256 (RFC 2104, section 3)

NONCE_BYTES = 12
"""Length of the AES-GCM nonce: 96 bits (NIST SP 800-38D, section 5.2.1.1). Random nonces allow 2^32 values under one
key (section 8.3), and an installation encrypts some thousands a year."""

_REFERENCE_LENGTH = 5  # of a reference that people see: 32^5, some 33 million, and short enough for the telephone
_FINGERPRINT_LENGTH = 8  # 40 bits, enough to distinguish the files of one installation
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # his Base32: without I, L, O and U, which are easily misread
_BITS = 5  # of one Crockford character
_VERSION_DIGITS = 6  # more rotations than an installation can live through


class InvalidSeal(SettingsError):
    """An encrypted value was changed, moved to another row, or encrypted with other keys."""


class Keys:
    """The installation's keys.

    Use [`create`][policenotify.journal.keys.Keys.create] or [`load`][policenotify.journal.keys.Keys.load], not the
    constructor. A *purpose* is a short constant such as `"recipient"`. A value made for one purpose cannot be used for
    another.

    Attributes:
        fingerprints: The fingerprints of these keys as of each version, oldest first.
    """

    __slots__ = ("_ciphers", "_entropy", "_file", "_mac_keys", "fingerprints")

    def __init__(self, file: _File, entropy: Entropy) -> None:
        self._file = file
        self._entropy = entropy
        self._ciphers = [AESGCM(version.encryption) for version in file.versions]
        self._mac_keys = [  # apart from the cipher's
            hmac.digest(version.encryption, b"policenotify mac", "sha256") for version in file.versions
        ]
        self.fingerprints: tuple[str, ...] = ()
        digest = hashlib.sha256(file.tagging)
        for version in file.versions:
            digest.update(version.encryption)
            text = _crockford(digest.digest(), _FINGERPRINT_LENGTH)
            self.fingerprints += (f"{text[:4]}-{text[4:]}",)

    @classmethod
    def create(cls, entropy: Entropy) -> Self:
        """Create the keys of a new installation."""
        return cls(_File(tagging=entropy(_KEY_BYTES), versions=(_Version.drawn(entropy),)), entropy)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the keys file, which belongs to this user or root, and which at most a group may read too.

        Raises:
            SettingsError: It is missing or damaged, or others may read or change it or its folder. The text quotes
                nothing of it.
            UnsupportedVersion: A newer policenotify wrote it.
        """
        try:
            text = read_closed(Path(path))
        except SettingsError as error:
            raise SettingsError(Text("The keys are not used. {error}", error=error)) from None
        except OSError as error:
            raise SettingsError(
                Text(
                    "The keys file {path} cannot be read ({strerror}). Copy it from another host of this "
                    "installation; only for a new installation make one: policenotify init",
                    path=path,
                    strerror=error.strerror,
                )
            ) from error
        try:
            content = from_json(text)
            if isinstance(content, dict) and isinstance(version := content.get("schema_version"), int) and version > 1:
                raise UnsupportedVersion("keys file", version, 1)
            return cls(_File.model_validate_json(text), secrets.token_bytes)
        except ValueError:
            raise SettingsError(
                Text(
                    "{path} is not a keys file, or it is damaged. Copy it again from another host or from the safe.",
                    path=path,
                )
            ) from None  # its cause would show the keys

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the keys to a new file that only its owner may read (mode 0600).

        An existing file is never overwritten, because it may be the only copy of other keys. After a rotation, save
        beside the old file, then rename.

        Raises:
            SettingsError: The file exists, or it cannot be written.
        """
        place = Path(path)
        created = False
        try:
            with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                created = True
                file.write(self._file.model_dump_json(indent=2).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())  # a power cut must not lose the keys of an existing journal
            _sync(place.parent)
        except FileExistsError:
            raise SettingsError(
                Text("The keys file {place} is there already, and was left as it is.", place=place)
            ) from None
        except OSError as error:
            if created:
                place.unlink(missing_ok=True)
            raise SettingsError(
                Text("The keys file {place} cannot be written ({strerror}).", place=place, strerror=error.strerror)
            ) from error

    def replace(self, path: str | os.PathLike[str]) -> None:
        """Replace the file of earlier versions of these keys, wholly or not at all.

        Raises:
            SettingsError: The file is not one of earlier versions, or it cannot be written. It is as before.
        """
        place = Path(path)
        if not set(Keys.load(place).fingerprints) <= set(self.fingerprints):
            raise SettingsError(Text("The keys file {place} holds other keys, and was left as it is.", place=place))
        draft = place.with_name(f"{place.name}.new")
        self.save(draft)
        try:
            shutil.copymode(place, draft)  # the desk's group must be able to read it
            if os.name == "posix" and os.geteuid() == 0:  # and the service that owns it
                shutil.chown(draft, place.stat().st_uid, place.stat().st_gid)
            draft.replace(place)
            _sync(place.parent)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise SettingsError(
                Text("The keys file {place} cannot be replaced ({strerror}).", place=place, strerror=error.strerror)
            ) from error

    def rotated(self, entropy: Entropy) -> Keys:
        """Return the keys with one more version. The tagging key stays, and so do recipient keys and references."""
        versions = (*self._file.versions, _Version.drawn(entropy))
        return Keys(self._file.model_copy(update={"versions": versions}), self._entropy)

    @property
    def version(self) -> int:
        """Number of the newest version, from 1."""
        return len(self._file.versions)

    @property
    def fingerprint(self) -> str:
        """Eight characters that are equal on hosts with the same keys and versions: `7K3Q-9XM2`."""
        return self.fingerprints[-1]

    def tag(self, purpose: str, text: str) -> str:
        """Return an opaque, stable name for *text*: its HMAC-SHA-256 (RFC 2104) in 64 hexadecimal digits."""
        return hmac.new(self._file.tagging, _bound(purpose, text), hashlib.sha256).hexdigest()

    def mac(self, purpose: str, text: str) -> str:
        """Return a code (HMAC-SHA-256) by which `is_mac` recognises *text*: `VERSION:DIGITS`."""
        return f"{self.version}:{self._code(self.version, purpose, text).hex()}"

    def is_mac(self, purpose: str, text: str, code: str) -> bool:
        """Return True if *code* was made by one of these keys over *text*.

        Raises:
            UnsupportedVersion: It was made with a newer version of the keys.
        """
        number, _, digits = code.partition(":")
        version = int(number) if number.isascii() and number.isdecimal() and len(number) <= _VERSION_DIGITS else 0
        if version > self.version:
            raise UnsupportedVersion("keys file", version, self.version)
        return version > 0 and hmac.compare_digest(self._code(version, purpose, text).hex().encode(), digits.encode())

    def _code(self, version: int, purpose: str, text: str) -> bytes:
        return hmac.digest(self._mac_keys[version - 1], _bound(purpose, text), "sha256")

    def reference(self, text: str) -> str:
        """Return five characters by which people may refer to *text* without learning it: `K7Q2M`.

        It is not unique: of 100 incidents two share one with a probability of 1 in 7,000.
        """
        return _crockford(bytes.fromhex(self.tag("reference", text)), _REFERENCE_LENGTH)

    def seal(self, purpose: str, plain: str) -> tuple[int, bytes]:
        """Encrypt *plain* with the newest version (AES-256-GCM), bound to purpose and version.

        Return the number of the version, and the bytes: nonce, then ciphertext.
        """
        nonce = self._entropy(NONCE_BYTES)
        sealed = self._ciphers[-1].encrypt(nonce, plain.encode(), _bound(purpose, str(self.version)))
        return self.version, nonce + sealed

    def unseal(self, purpose: str, version: int, sealed: bytes) -> str:
        """Decrypt what [`seal`][policenotify.journal.keys.Keys.seal] returned.

        Raises:
            InvalidSeal: It was encrypted with other keys or for another purpose, or it is damaged.
            SettingsError: It was encrypted with a newer version of the keys.
        """
        cipher = self._ciphers[self._index(version)]
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, body, _bound(purpose, str(version))).decode()
        except (InvalidTag, ValueError):  # ValueError: too short to be anything sealed
            raise InvalidSeal(
                Text(
                    "A value sealed with key version {version} for {purpose!r} does not open with the keys "
                    "{fingerprint} of this host: it comes from another installation, or it was changed. "
                    "Compare the fingerprints of all hosts (policenotify doctor) and copy the right keys "
                    "file.",
                    version=version,
                    purpose=purpose.partition(" ")[0],
                    fingerprint=self.fingerprint,
                )
            ) from None

    def sign(self, data: bytes) -> tuple[int, bytes]:
        """Sign with the newest version (Ed25519, RFC 8032). Return its number and the signature (64 bytes)."""
        return self.version, self._signing(self.version).sign(data)

    def verify(self, version: int, data: bytes, signature: bytes) -> bool:
        """Return True if *signature* was made by that version of these keys over *data*."""
        try:
            self._signing(version).public_key().verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"Keys(version={self.version}, fingerprint={self.fingerprint!r})"

    def _signing(self, version: int) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._file.versions[self._index(version)].signing)

    def _index(self, version: int) -> int:
        if not 1 <= version <= self.version:
            raise SettingsError(
                Text(
                    "Key version {version} is asked for; the keys {fingerprint} of this host go up to "
                    "version {version_2}. Copy the keys file from the host where they were rotated.",
                    version=version,
                    fingerprint=self.fingerprint,
                    version_2=self.version,
                )
            )
        return version - 1


_Key = Annotated[bytes, Field(min_length=_KEY_BYTES, max_length=_KEY_BYTES, repr=False)]


class _Secret(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )


class _Version(_Secret):
    encryption: _Key
    signing: _Key

    @classmethod
    def drawn(cls, entropy: Entropy) -> Self:
        return cls(encryption=entropy(_KEY_BYTES), signing=entropy(_KEY_BYTES))


class _File(_Secret):
    schema_version: Literal[1] = 1
    tagging: _Key
    versions: tuple[_Version, ...] = Field(min_length=1)


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _bound(purpose: str, text: str) -> bytes:
    """Combine purpose and text, so that no two pairs give the same bytes."""
    if not purpose or "\0" in purpose:
        raise ValueError("purpose: a short name")
    return f"{purpose}\0{text}".encode()


def _crockford(digest: bytes, length: int) -> str:
    number = int.from_bytes(digest[:8]) >> (64 - _BITS * length)
    return "".join(_CROCKFORD[number >> _BITS * place & 31] for place in reversed(range(length)))
