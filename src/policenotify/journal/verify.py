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

EVENT_FIELDS = ("id", "at", "actor", "kind", "publication", "delivery", "channel", "commitment")
"""The fields of an event that its seal covers, in this order."""

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----")  # RFC 7468, section 13
_INVALID = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The content of an exported journal that was verified.

    Attributes:
        batches: Sealed batches.
        events: Events in them.
        unsealed: Events after the last seal, proven only by the signature of the whole file.
        bodies: Events with their bodies.
        publications: Publications, proven by the signature of the whole file.
    """

    batches: int
    events: int
    unsealed: int
    bodies: int
    publications: int


class Tampered(Exception):
    """An event, a seal or a line is not what was recorded, or does not belong here."""


def commitment(salt: str, body: str) -> str:
    """Return the commitment of an event to its body. It survives the body, which a purge erases with its salt."""
    return hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()


def signed_text(context: str, journal: str, at: object, digest: str) -> bytes:
    """Return what a signature covers: what is signed, of which journal and when, besides the digest."""
    return f"policenotify {context}\n{journal}\n{at}\n{digest}".encode()


class Batch:
    """The digest of a batch of events, chained to the batch before it."""

    def __init__(self, previous: str = "") -> None:
        self._digest = hashlib.sha256(previous.encode())
        self.events: int = 0

    @property
    def digest(self) -> str:
        """The digest of what was added so far."""
        return self._digest.hexdigest()

    def add(self, event: Mapping[str, Any]) -> None:
        """Add an event, in the order of numbers.

        Raises:
            Tampered: It has another body than the one that it commits to.
        """
        if event.get("body") and commitment(event["salt"], event["body"]) != event["commitment"]:
            raise Tampered(f"the body of event {event['id']} does not match its commitment: it was changed")
        self._digest.update(json.dumps([event[name] for name in EVENT_FIELDS], ensure_ascii=False).encode() + b"\n")
        self.events += 1


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
        except _INVALID:
            raise JournalError(
                f"Line {number} of the export is not a line of a journal: it was changed or cut."
            ) from None
        except Tampered as problem:
            raise JournalError(f"Line {number} of the export: {problem}.") from None
    if verifier.proven is None:
        raise JournalError(f"The export ends after line {number}, without its last lines: it was cut.")
    return verifier.proven


class _Verifier:
    """The state after some lines."""

    def __init__(self, trusted: Mapping[str, str]) -> None:
        self._trusted = {name: _loaded(key) for name, key in trusted.items()}
        self._keys: dict[int, str] = {}
        self._journal = ""
        self._whole, self._lines = hashlib.sha256(), 0
        self._batch, self._chain = Batch(), ""  # the batch that is not sealed yet, and the digest before it
        self._batches = self._events = self._bodies = self._publications = 0
        self.proven: Proven | None = None

    def add(self, line: bytes) -> None:
        fields = json.loads(line)
        if self.proven is not None:
            raise Tampered("something was added behind the end")
        if (self._lines == 0) is not (fields["type"] == "journal"):
            raise Tampered("the head of the file is missing, or there are two")
        getattr(self, f"_add_{fields['type']}")(fields)
        self._whole.update(line)
        self._lines += 1

    def _add_journal(self, fields: Mapping[str, Any]) -> None:
        if fields["format_version"] > FORMAT_VERSION:
            raise UnsupportedVersion("exported journal", fields["format_version"], FORMAT_VERSION)
        self._keys = {key["version"]: key["fingerprint"] for key in fields["keys"]}
        self._journal = str(fields["journal"])

    def _add_event(self, fields: Mapping[str, Any]) -> None:
        self._batch.add(fields)
        self._bodies += bool(fields.get("body"))

    def _add_seal(self, fields: Mapping[str, Any]) -> None:
        self._check(fields, "the seal", "seal")
        if (fields["previous"], fields["digest"]) != (self._chain, self._batch.digest):
            raise Tampered(f"the events before seal {fields['id']} are not those that were sealed")
        self._batches, self._events, self._chain = (
            self._batches + 1,
            self._events + self._batch.events,
            fields["digest"],
        )
        self._batch = Batch(self._chain)

    def _add_publication(self, fields: Mapping[str, Any]) -> None:
        self._publications += bool(fields["id"])

    def _add_end(self, fields: Mapping[str, Any]) -> None:
        if (fields["lines"], fields["digest"]) != (self._lines, self._whole.hexdigest()):
            raise Tampered("the lines before it are not those that were signed: one was changed, added or removed")
        self._check(fields, "the signature of the whole", "export")
        self.proven = Proven(
            batches=self._batches,
            events=self._events,
            unsealed=self._batch.events,
            bodies=self._bodies,
            publications=self._publications,
        )

    def _check(self, fields: Mapping[str, Any], subject: str, context: str) -> None:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - loaded only when needed

        name = self._keys[fields["key_version"]]
        if name not in self._trusted:
            raise Tampered(
                f"{subject} was made with the key {name[:16]}…, which you did not give. Ask the installation for it: "
                "policenotify journal public-key"
            )
        signature = base64.b64decode(fields["signature"], validate=True)
        try:
            text = signed_text(context, self._journal, fields["at"], fields["digest"])
            self._trusted[name].verify(signature, text)
        except InvalidSignature:
            raise Tampered(f"{subject} was not made with the key {name[:16]}…") from None


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
