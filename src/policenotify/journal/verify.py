"""Verify an exported journal with public keys only: without journal, settings or SQL toolkit."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from policenotify.errors import JournalError, UnsupportedVersion

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT_VERSION = 1

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----")  # RFC 7468, section 13

EVENT_FIELDS = ("id", "at", "actor", "kind", "publication", "delivery", "channel", "commitment")
"""The fields of an event that its seal covers, in this order."""


PUBLICATION_FIELDS = (
    "id",
    "key",
    "state",
    "incident",
    "sequence",
    "at",
    "actor",
    "digest",
    "message",
    "findings",
    "rules",
)
"""The fields of a publication, as exported, that its event covers."""

DRAFT_FIELDS = (
    "id", "key", "for_keys", "to", "category", "exercise", "state", "revision", "reason", "digest",
    "submitted_by", "created_at", "changed_at", "expires_at", "publication", "published_by", "urgent", "due_at",
    "authenticated",
)  # fmt: skip
"""The fields of a draft that its event covers, the id first. Times are in microseconds."""

REVISION_FIELDS = ("number", "digest", "message", "author", "authenticated", "at")
REVIEW_FIELDS = ("number", "revision", "digest", "verdict", "reader", "authenticated", "reason", "at")

FINAL = frozenset({"posted", "refused", "superseded", "skipped", "held", "deleted"})
"""Outcomes that only an event may end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The content of an exported journal that was verified.

    Attributes:
        batches: Sealed batches.
        events: Events in them.
        unsealed: Events after the last seal, proven only by the signature of the whole file.
        bodies: Events with their bodies.
        publications: Publications, each as its events state it.
        drafts: Drafts with their revisions and reviews, each as its events state it.
    """

    batches: int
    events: int
    unsealed: int
    bodies: int
    publications: int
    drafts: int


def commitment(salt: str, body: str) -> str:
    """Return the commitment of an event to its body."""
    return hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()


def sealed_line(values: Iterable[object]) -> bytes:
    """Return an event as its seal covers it, given the values of `EVENT_FIELDS`."""
    return json.dumps(list(values), ensure_ascii=False).encode() + b"\n"


def digest_of(value: object) -> str:
    """Return the SHA-256 of a value as canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def publication_digest(fields: Mapping[str, Any]) -> str:
    """Return the digest of a publication, given its exported fields."""
    return digest_of([fields[name] for name in PUBLICATION_FIELDS])


def draft_digest(fields: Mapping[str, Any]) -> str:
    """Return the digest of a draft, given its exported fields."""
    revisions = [[one[name] for name in REVISION_FIELDS] for one in fields["revisions"]]
    reviews = [[one[name] for name in REVIEW_FIELDS] for one in fields["reviews"]]
    return digest_of([[fields[name] for name in DRAFT_FIELDS], revisions, reviews])


def post_digest(delivery: Mapping[str, Any], post: object) -> str:
    """Return the digest of one wording of a delivery, or of its having none."""
    names = ("post_key", "channel", "account", "language", "part")
    return digest_of([*(delivery[name] for name in names), post])


def signed_text(context: str, journal: str, at: object, digest: str) -> bytes:
    """Return what a signature covers: what is signed, of which journal and when, besides the digest."""
    return f"policenotify {context}\n{journal}\n{at}\n{digest}".encode()


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


class Statements:
    """What the events state, to be compared with the publications and deliveries that are stored."""

    def __init__(self) -> None:
        self._publications: dict[str, str] = {}
        self._left: dict[str, str] = {}  # of purged ones
        self._posts: dict[str, dict[str, list[str]]] = {}  # by publication and post key
        self._outcomes: dict[str, str] = {}  # by post key, as stored at first
        self._states: dict[int, str] = {}
        self._refs: dict[int, str | None] = {}
        self._requests: dict[int, str] = {}
        self._halts: dict[int, str] = {}  # deliveries that were paused or aborted
        self._purged: dict[str, dict[str, str]] = {}  # the outcomes of the deliveries of purged publications
        self._emptied: set[int] = set()
        self._may_be_empty: set[int] = set()
        self._drafts: dict[str, str] = {}
        self._left_drafts: dict[str, str] = {}  # of purged ones
        self.incidents: dict[str, list[object]] = {}
        self.suppressed: dict[tuple[str, str], tuple[str, int | None]] = {}  # channel and key: source and end
        self.stopped_by: str = ""

    def add(self, event: Mapping[str, Any], body: Mapping[str, Any] | None) -> None:
        """Take note of an event. Without its body it states nothing but who may be sent to."""
        if (halt := _HALTS.get(event["kind"])) is not None:
            self._halts[event["delivery"]] = halt
        if body is not None and (read := _READ.get(event["kind"])) is not None:
            read(self, event, body)

    def add_emptied(self, event: Mapping[str, Any]) -> None:
        """Take note of an event whose body is gone."""
        self.add(event, None)
        self._emptied.add(event["id"])

    def problem_of(self, line: Mapping[str, Any]) -> str:
        """Return what is wrong with a publication, or an empty text."""
        name = line["id"]
        if self._left.pop(name, self._publications.pop(name, None)) != publication_digest(line):
            return f"publication {name} is not what was published"
        posts, purged = self._posts.pop(name, {}), self._purged.get(name)
        for delivery in line["deliveries"]:
            stated = posts.pop(delivery["post_key"], None)
            which = f"delivery {delivery['id']} of publication {name}"
            if purged is not None:
                if purged.pop(str(delivery["id"]), None) != delivery["outcome"] or delivery["post"] is not None:
                    return f"{which} is not what the purge left"
            elif stated is None or not _are_stated(delivery, stated):
                return f"{which} does not have the wording that was published"
            elif not self._is_stated(delivery):
                return f"{which} does not have the outcome that was recorded"
            if delivery.get("halt", "") != self._halts.get(delivery["id"], ""):
                return f"{which} was paused, resumed or aborted without a command"
        return f"a delivery of publication {name} was removed" if posts or purged else ""

    def problem_of_draft(self, line: Mapping[str, Any]) -> str:
        """Return what is wrong with a draft, or an empty text."""
        name = line["id"]
        if self._left_drafts.pop(name, self._drafts.pop(name, None)) != draft_digest(line):
            return f"draft {name}, or a revision or review of it, is not what was recorded"
        return ""

    def last_problem(self, *, whole: bool) -> str:
        """Return what is wrong after all publications were compared, or an empty text.

        Args:
            whole: All publications were compared, purged ones of every category and age included.
        """
        missing = self._publications | (self._left if whole else {})
        if missing:
            return f"publication {min(missing)} was removed"
        if drafts := self._drafts | (self._left_drafts if whole else {}):
            return f"draft {min(drafts)} was removed"
        if unstated := self._emptied - self._may_be_empty:
            return f"the content of event {min(unstated)} was removed, and no purge states it"
        return ""

    def _is_stated(self, delivery: Mapping[str, Any]) -> bool:
        number, outcome = delivery["id"], delivery["outcome"]
        stated = self._states.get(number, self._outcomes.get(delivery["post_key"], "waiting"))
        ref = None if delivery["ref"] is None else digest_of(delivery["ref"])
        request = delivery.get("request")
        settled = stated == outcome if stated in FINAL else outcome not in FINAL
        same_request = request is None or outcome not in FINAL or self._requests.get(number) == digest_of(request)
        return settled and ref == self._refs.get(number) and same_request

    # --- by kind of event

    def _published(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._publications[event["publication"]] = body["record"]
        self._add_posts(event["publication"], body)
        if draft := body.get("draft"):
            self._drafts[draft[0]] = draft[1]
        if incident := body.get("incident"):
            name, *state = incident
            self.incidents[name] = [*state, *self.incidents.get(name, [None, None])[len(state) :]]

    def _refused_by_check(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._publications[event["publication"]] = body["record"]

    def _drafted(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._drafts[event["publication"]] = body["record"]

    def _rendered(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._posts.get(event["publication"], {}).pop(body["replaces"], None)
        self._add_posts(event["publication"], body)

    def _add_posts(self, publication: str, body: Mapping[str, Any]) -> None:
        self._posts.setdefault(publication, {}).update(body["posts"])
        self._outcomes.update(body["outcomes"])

    def _taken_down(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._add_posts(event["publication"], body)

    def _settled(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        number = event["delivery"]
        self._states[number] = body["outcome"]
        if "ref" in body:
            self._refs[number] = body["ref"]
        if "request" in body:
            self._requests[number] = body["request"]

    def _deleted(self, event: Mapping[str, Any], _body: Mapping[str, Any]) -> None:
        self._states[event["delivery"]] = "deleted"

    def _interrupted(self, event: Mapping[str, Any], _body: Mapping[str, Any]) -> None:
        self._states[event["delivery"]] = "waiting"

    def _erased(self, _event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        self._may_be_empty.update(body["events"])
        self._left.update(body["publications"])
        self._left_drafts.update(body.get("drafts", {}))
        for name in (*body.get("drafts", ()), *body.get("removed_drafts", ())):
            self._drafts.pop(name, None)
        for name, *state in body.get("incidents", ()):
            self.incidents[name] = state
        self._purged.update({name: dict(outcomes) for name, outcomes in body["deliveries"].items()})

    def _stopped(self, event: Mapping[str, Any], _body: Mapping[str, Any]) -> None:
        self.stopped_by = event["actor"]

    def _resumed(self, event: Mapping[str, Any], _body: Mapping[str, Any]) -> None:
        if event["channel"] is None:
            self.stopped_by = ""

    def _suppressed(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        stated = (body["source"], body["until"])
        self.suppressed.update({(event["channel"], key): stated for key in body["recipients"]})

    def _released(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        for key in body["recipients"]:
            self.suppressed.pop((event["channel"], key), None)


_HALTS: Mapping[str, str] = MappingProxyType(
    {"sending_paused": "paused", "sending_resumed": "", "sending_aborted": "aborted"}
)
"""What each kind of event states of the halt of a delivery."""

_READ: Mapping[str, Callable[[Statements, Mapping[str, Any], Mapping[str, Any]], None]] = MappingProxyType(
    {
        "published": Statements._published,  # noqa: SLF001 - its own
        "refused_by_check": Statements._refused_by_check,  # noqa: SLF001 - its own
        **dict.fromkeys(
            (
                "drafted",
                "revised",
                "submitted",
                "approved",
                "returned",
                "rejected",
                "withdrawn",
                "expired",
                "second_reading",
            ),
            Statements._drafted,  # noqa: SLF001 - its own
        ),
        "rendered": Statements._rendered,  # noqa: SLF001 - its own
        "taken_down": Statements._taken_down,  # noqa: SLF001 - its own
        "settled": Statements._settled,  # noqa: SLF001 - its own
        "resolved": Statements._settled,  # noqa: SLF001 - its own
        "deleted": Statements._deleted,  # noqa: SLF001 - its own
        "interrupted": Statements._interrupted,  # noqa: SLF001 - its own
        "erased": Statements._erased,  # noqa: SLF001 - its own
        "stopped": Statements._stopped,  # noqa: SLF001 - its own
        "resumed": Statements._resumed,  # noqa: SLF001 - its own
        "suppressed": Statements._suppressed,  # noqa: SLF001 - its own
        "released": Statements._released,  # noqa: SLF001 - its own
    }
)
"""What each kind of event states. Others state nothing about what is stored."""


def _are_stated(delivery: Mapping[str, Any], stated: Iterable[str]) -> bool:
    """Return True if the wordings of a delivery are those stated: both where they are known, else the chosen one."""
    both: list[object] | None = delivery.get("wordings")
    posts = [post for post in both or [delivery["post"]] if post is not None] or [None]
    digests = [post_digest(delivery, post) for post in posts]
    return set(digests) <= set(stated) if both is None else sorted(digests) == sorted(stated)


class _Verifier:
    """The state after some lines."""

    def __init__(self, trusted: Mapping[str, str]) -> None:
        self._trusted = {name: _loaded(key) for name, key in trusted.items()}
        self._keys: dict[int, str] = {}
        self._journal = ""
        self._statements = Statements()
        self._whole, self._count = hashlib.sha256(), 0
        self._batch = hashlib.sha256()  # of the batch that is not yet sealed
        self._chain, self._first, self._newest, self._seals = "", 1, 0, 0
        self._in_batch = self._events = self._bodies = self._publications = self._drafts = 0
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
            drafts=self._drafts,
        )

    def _journal_line(self, fields: Mapping[str, Any]) -> None:
        if fields["format_version"] > FORMAT_VERSION:
            raise UnsupportedVersion("exported journal", fields["format_version"], FORMAT_VERSION)
        self._keys = {key["version"]: key["fingerprint"] for key in fields["keys"]}
        self._journal = str(fields["journal"])

    def _event_line(self, fields: Mapping[str, Any]) -> None:
        if self._publications or self._drafts:
            raise _InvalidLine(f"event {fields['id']} follows the publications.")
        if fields["id"] <= self._newest:
            raise _InvalidLine(f"event {fields['id']} is out of order.")
        if "body" in fields:
            if commitment(fields["salt"], fields["body"]) != fields["commitment"]:
                raise _InvalidLine(f"the body of event {fields['id']} does not match its commitment: it was changed.")
            self._bodies += 1
            self._statements.add(fields, json.loads(fields["body"]))
        elif fields.get("erased"):
            self._statements.add_emptied(fields)
        else:
            self._statements.add(fields, None)
        self._newest = fields["id"]
        self._in_batch += 1
        self._batch.update(sealed_line(fields[name] for name in EVENT_FIELDS))

    def _seal_line(self, fields: Mapping[str, Any]) -> None:
        sealed = (fields["first_event"], fields["last_event"], fields["previous"], fields["digest"])
        read = (self._first, max(self._newest, self._first - 1), self._chain, self._batch.hexdigest())
        self._check(fields, "the seal", "seal")
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
        if problem := self._statements.problem_of(fields):
            raise _InvalidLine(f"{problem}.")
        self._publications += 1

    def _draft_line(self, fields: Mapping[str, Any]) -> None:
        if not isinstance(fields["id"], str):
            raise TypeError
        if problem := self._statements.problem_of_draft(fields):
            raise _InvalidLine(f"{problem}.")
        self._drafts += 1

    def _end_line(self, fields: Mapping[str, Any]) -> None:
        if (fields["lines"], fields["digest"]) != (self._count, self._whole.hexdigest()):
            raise _InvalidLine("the lines before it are not those that were signed: one was changed, added or removed.")
        self._check(fields, "the signature of the whole", "export")
        if problem := self._statements.last_problem(whole=False):
            raise _InvalidLine(f"{problem}.")
        self.ended = True

    def _check(self, fields: Mapping[str, Any], subject: str, context: str) -> None:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - loaded only when needed

        name = self._keys[fields["key_version"]]
        if name not in self._trusted:
            raise _InvalidLine(
                f"{subject} was made with the key {name[:16]}…, which you did not give. Ask the installation for it: "
                "policenotify journal public-key"
            )
        signature = base64.b64decode(fields["signature"], validate=True)
        try:
            text = signed_text(context, self._journal, fields["at"], fields["digest"])
            self._trusted[name].verify(signature, text)
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
