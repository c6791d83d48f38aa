"""Prove an exported journal with nothing but public keys: no journal, no settings and no SQL toolkit are needed."""

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

FORM = 1
"""Version of the file's form."""

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)  # RFC 7468, section 13
_CHAINED = ("id", "at", "actor", "kind", "publication", "delivery", "channel", "commitment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What an exported journal holds, all of it proven.

    Attributes:
        batches: Sealed batches.
        events: Events in them.
        unsealed: Events after the last seal, which only the signature of the whole file proves.
        bodies: Events that tell what they said.
        publications: Publications, which only the signature of the whole file proves.
    """

    batches: int
    events: int
    unsealed: int
    bodies: int
    publications: int


def fingerprint(public_key: str) -> str:
    """SHA-256 of a public key (its SubjectPublicKeyInfo in DER, RFC 5280, section 4.1.2.7), in 64 hexadecimal digits.

    `openssl pkey -pubin -outform DER -in FILE | sha256sum` tells the same.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - rarely asked

    der = _loaded(public_key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def public_keys(pem: str) -> dict[str, str]:
    """The public keys of a text, each in PEM, by their fingerprints.

    Raises:
        JournalError: There is none in it, or one that is damaged or of another kind.
    """
    try:
        found = {fingerprint(one): one for one in _PEM.findall(pem)}
    except ValueError:
        found = {}
    if not found:
        raise JournalError("That is no public key of an installation. Print it there: policenotify journal public-key")
    return found


def prove(lines: Iterable[bytes], pem: str) -> Proven:
    """Check every line of an exported journal, reading it once.

    Args:
        lines: The file's, each with its line feed.
        pem: The installation's public keys, got on another way than the file.

    Raises:
        JournalError: It was changed, cut, or signed with other keys; names the line.
        UnsupportedVersion: A newer policenotify wrote it.
    """
    reading = _Reading(public_keys(pem))
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            reading.take(line)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise JournalError(f"Line {number} of the export is no line of a journal: it was changed or cut.") from None
        except _Wrong as wrong:
            raise JournalError(f"Line {number} of the export: {wrong}") from None
    if not reading.ended:
        raise JournalError(f"The export ends after line {number}, without its last lines: it was cut.")
    return reading.proven()


class _Wrong(Exception):
    """What is wrong with a line."""


class _Reading:
    """What is known after some lines."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = {name: _loaded(one) for name, one in given.items()}
        self._keys: dict[int, str] = {}
        self._whole, self._count = hashlib.sha256(), 0
        self._in_hand = hashlib.sha256()  # of the batch that is not sealed yet
        self._chain, self._first, self._newest, self._seals = "", 1, 0, 0
        self._in_batch = self._events = self._bodies = self._publications = 0
        self.ended = False

    def take(self, line: bytes) -> None:
        said = json.loads(line)
        if self.ended:
            raise _Wrong("something was added behind the end.")
        if (self._count == 0) is not (said["type"] == "journal"):
            raise _Wrong("the head of the file is missing, or stands twice.")
        getattr(self, f"_{said['type']}_line")(said)
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

    def _journal_line(self, said: Mapping[str, Any]) -> None:
        if said["form"] > FORM:
            raise UnsupportedVersion("exported journal", said["form"], FORM)
        self._keys = {one["version"]: one["fingerprint"] for one in said["keys"]}

    def _event_line(self, said: Mapping[str, Any]) -> None:
        if self._publications:
            raise _Wrong(f"event {said['id']} stands behind the publications.")
        if said["id"] <= self._newest:
            raise _Wrong(f"event {said['id']} is out of order.")
        if "body" in said:
            commitment = hashlib.sha256(f"{said['salt']}\n{said['body']}".encode()).hexdigest()
            if commitment != said["commitment"]:
                raise _Wrong(f"what event {said['id']} says is not what was committed to: it was changed.")
            self._bodies += 1
        self._newest = said["id"]
        self._in_batch += 1
        chained = json.dumps([said[name] for name in _CHAINED], ensure_ascii=False)
        self._in_hand.update(chained.encode() + b"\n")

    def _seal_line(self, said: Mapping[str, Any]) -> None:
        told = (said["first_event"], said["last_event"], said["previous"], said["digest"])
        seen = (self._first, max(self._newest, self._first - 1), self._chain, self._in_hand.hexdigest())
        self._check(said, "the seal")
        if told != seen:
            raise _Wrong(f"the events {said['first_event']} to {said['last_event']} are not those that were sealed.")
        self._chain, self._first = said["digest"], said["last_event"] + 1
        self._events, self._in_batch, self._seals = self._events + self._in_batch, 0, self._seals + 1
        self._in_hand = hashlib.sha256(self._chain.encode())

    def _publication_line(self, said: Mapping[str, Any]) -> None:
        if not isinstance(said["id"], str):
            raise TypeError
        self._publications += 1

    def _end_line(self, said: Mapping[str, Any]) -> None:
        if (said["lines"], said["digest"]) != (self._count, self._whole.hexdigest()):
            raise _Wrong("the lines before it are not those that were signed: one was changed, added or removed.")
        self._check(said, "the signature of the whole")
        self.ended = True

    def _check(self, said: Mapping[str, Any], what: str) -> None:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only who verifies pays for it

        name = self._keys[said["key_version"]]
        if name not in self._given:
            raise _Wrong(
                f"{what} is of the key {name[:16]}…, which is none of those given. Ask the installation for it: "
                "policenotify journal public-key"
            )
        signature = base64.b64decode(said["signature"], validate=True)
        try:
            self._given[name].verify(signature, said["digest"].encode())
        except InvalidSignature:
            raise _Wrong(f"{what} was not made with the key {name[:16]}…") from None


def _loaded(public_key: str) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only who verifies pays for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - the same
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - the same

    try:
        loaded = load_pem_public_key(public_key.encode())
    except UnsupportedAlgorithm:
        raise ValueError("of another kind") from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise ValueError("of another kind")  # noqa: TRY004 - whatever it is, it is no key of ours
    return loaded
