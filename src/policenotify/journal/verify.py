"""Verify an exported journal with public keys only: without journal, settings or SQL toolkit."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policenotify.errors import JournalError, UnsupportedVersion

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT_VERSION = 1

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----")  # RFC 7468, section 13

EVENT_FIELDS = ("id", "at", "actor", "kind", "publication", "delivery", "channel", "commitment")
"""The fields of an event that its seal covers, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The content of an exported journal that was verified.

    Attributes:
        batches: Sealed batches.
        events: Events in them.
        unsealed: Events after the last seal, proven only by the signature of the whole file.
        bodies: Events with their bodies.
        publications: Publications, proven only by the signature of the whole file.
    """

    batches: int
    events: int
    unsealed: int
    bodies: int
    publications: int


def commitment(salt: str, body: str) -> str:
    """Return the commitment of an event to its body."""
    return hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()


def sealed_line(values: Iterable[object]) -> bytes:
    """Return an event as its seal covers it, given the values of `EVENT_FIELDS`."""
    return json.dumps(list(values), ensure_ascii=False).encode() + b"\n"


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 of a public key in 64 hexadecimal digits.

    It is that of its SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7), as printed by
    `openssl pkey -pubin -outform DER -in FILE | sha256sum`.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - loaded only when needed

    der = _loaded(public_key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def public_keys(pem: str) -> dict[str, str]:
    """Return the public keys in a text, each in PEM, by fingerprint.

    Raises:
        JournalError: There is none, or one that is damaged or of another kind.
    """
    try:
        keys = {fingerprint(key): key for key in _PEM.findall(pem)}
    except ValueError:
        keys = {}
    if not keys:
        raise JournalError(
            "That is not a public key of an installation. Print it there: policenotify journal public-key"
        )
    return keys


def prove(lines: Iterable[bytes], pem: str) -> Proven:
    """Verify every line of an exported journal, reading it once.

    Args:
        lines: The lines of the file, each with its line feed.
        pem: The installation's public keys, received separately from the file.

    Raises:
        JournalError: The file was changed, cut, or signed with other keys. It names the line.
        UnsupportedVersion: A newer policenotify wrote the file.
    """
    verifier = _Verifier(public_keys(pem))
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            verifier.add(line)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise JournalError(
                f"Line {number} of the export is not a line of a journal: it was changed or cut."
            ) from None
        except _InvalidLine as invalid:
            raise JournalError(f"Line {number} of the export: {invalid}") from None
    if not verifier.ended:
        raise JournalError(f"The export ends after line {number}, without its last lines: it was cut.")
    return verifier.proven()


class _InvalidLine(Exception):
    """A line was changed, or does not belong here."""


class _Verifier:
    """The state after some lines."""

    def __init__(self, trusted: Mapping[str, str]) -> None:
        self._trusted = {name: _loaded(key) for name, key in trusted.items()}
        self._keys: dict[int, str] = {}
        self._whole, self._count = hashlib.sha256(), 0
        self._batch = hashlib.sha256()  # of the batch that is not yet sealed
        self._chain, self._first, self._newest, self._seals = "", 1, 0, 0
        self._in_batch = self._events = self._bodies = self._publications = 0
        self.ended = False

    def add(self, line: bytes) -> None:
        fields = json.loads(line)
        if self.ended:
            raise _InvalidLine("something was added behind the end.")
        if (self._count == 0) is not (fields["type"] == "journal"):
            raise _InvalidLine("the head of the file is missing, or there are two.")
        getattr(self, f"_{fields['type']}_line")(fields)
        self._whole.update(line)
        self._count += 1

    def proven(self) -> Proven:
        return Proven(
            batches=self._seals,
            events=self._events,
            unsealed=self._in_batch,
            bodies=self._bodies,
            publications=self._publications,
        )

    def _journal_line(self, fields: Mapping[str, Any]) -> None:
        if fields["format_version"] > FORMAT_VERSION:
            raise UnsupportedVersion("exported journal", fields["format_version"], FORMAT_VERSION)
        self._keys = {key["version"]: key["fingerprint"] for key in fields["keys"]}

    def _event_line(self, fields: Mapping[str, Any]) -> None:
        if self._publications:
            raise _InvalidLine(f"event {fields['id']} follows the publications.")
        if fields["id"] <= self._newest:
            raise _InvalidLine(f"event {fields['id']} is out of order.")
        if "body" in fields:
            if commitment(fields["salt"], fields["body"]) != fields["commitment"]:
                raise _InvalidLine(f"the body of event {fields['id']} does not match its commitment: it was changed.")
            self._bodies += 1
        self._newest = fields["id"]
        self._in_batch += 1
        self._batch.update(sealed_line(fields[name] for name in EVENT_FIELDS))

    def _seal_line(self, fields: Mapping[str, Any]) -> None:
        sealed = (fields["first_event"], fields["last_event"], fields["previous"], fields["digest"])
        read = (self._first, max(self._newest, self._first - 1), self._chain, self._batch.hexdigest())
        self._check(fields, "the seal")
        if sealed != read:
            raise _InvalidLine(
                f"the events {fields['first_event']} to {fields['last_event']} are not those that were sealed."
            )
        self._chain, self._first = fields["digest"], fields["last_event"] + 1
        self._events, self._in_batch, self._seals = self._events + self._in_batch, 0, self._seals + 1
        self._batch = hashlib.sha256(self._chain.encode())

    def _publication_line(self, fields: Mapping[str, Any]) -> None:
        if not isinstance(fields["id"], str):
            raise TypeError
        self._publications += 1

    def _end_line(self, fields: Mapping[str, Any]) -> None:
        if (fields["lines"], fields["digest"]) != (self._count, self._whole.hexdigest()):
            raise _InvalidLine("the lines before it are not those that were signed: one was changed, added or removed.")
        self._check(fields, "the signature of the whole")
        self.ended = True

    def _check(self, fields: Mapping[str, Any], subject: str) -> None:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - loaded only when needed

        name = self._keys[fields["key_version"]]
        if name not in self._trusted:
            raise _InvalidLine(
                f"{subject} was made with the key {name[:16]}…, which you did not give. Ask the installation for it: "
                "policenotify journal public-key"
            )
        signature = base64.b64decode(fields["signature"], validate=True)
        try:
            self._trusted[name].verify(signature, fields["digest"].encode())
        except InvalidSignature:
            raise _InvalidLine(f"{subject} was not made with the key {name[:16]}…") from None


def _loaded(public_key: str) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - loaded only when needed
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - loaded only when needed
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - loaded only when needed

    try:
        loaded = load_pem_public_key(public_key.encode())
    except UnsupportedAlgorithm:
        raise ValueError("of another kind") from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise ValueError("of another kind")  # noqa: TRY004 - the text is invalid, whatever its type
    return loaded
