"""The part that X, Mastodon and Bluesky share.

HTTP answers and their meaning, secrets that expire, the owner of credentials, and chains of replies.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar

from policenotify import transport
from policenotify.channel import PostRef, StateStore
from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unavailable, Unconfirmed
from policenotify.networks import load
from policenotify.translation import AnyText, Text
from policenotify.transport import error_for_status, quoted

if TYPE_CHECKING:
    from policenotify.networks._requests import PostSession

_READABLE = frozenset({200, 202, 206})  # the last two are Mastodon's for a picture that it still works on
_OWNER = "owner"

ParentOf = Callable[[str], str | None]
"""Return the id of the post that a post replies to, or `None` for the first one of a thread.

It raises `LookupError` if the post does not exist any more.
"""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A network's answer to one call.

    Attributes:
        status: The HTTP status.
        headers: Names in lower case.
        body: The decoded JSON, or `None` if there is none.
        from_network: The network itself answered, as its form of an error shows. A proxy does not use that form.
        error: The network's name of a problem, such as `InvalidSwap`. May be empty.
        message: The network's own words, on one line, without secrets. May be empty.
        phrases: All its words and codes, in lower case, by which a rule knows the reason. By default the message.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    from_network: bool = False
    error: str = ""
    message: str = ""
    phrases: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """True if it is a success that can be read."""
        return self.status in _READABLE and self.body is not None

    @property
    def refused(self) -> bool:
        """True if the network itself refuses, for another reason than a rate limit."""
        return self.in_class(4) and self.status != HTTPStatus.TOO_MANY_REQUESTS and self.from_network

    @property
    def missing(self) -> bool:
        """True if the network itself answers that the thing does not exist."""
        return self.refused and self.status in {404, 410}

    @property
    def object(self) -> Mapping[str, Any]:
        """The body if it is an object, else an empty one."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def code(self) -> str:
        """Status and name of the problem, for the technician."""
        return f"{self.status} {self.error}".strip()

    @property
    def quoted(self) -> AnyText:
        """The message as the end of a sentence: `: Too Many Requests.` or `.`."""
        return quoted(self.message)

    def retry_at(self, now: datetime) -> datetime | None:
        """Return the earliest time of the next call, if the answer names one."""
        return transport.retry_at(self.headers, now=now)

    def in_class(self, digit: int) -> bool:
        """Return True if the status begins with this digit (RFC 9110, section 15)."""
        return self.status // 100 == digit

    def clock_skew(self, now: datetime) -> timedelta:
        """Return the lead of the network's clock, as far as the answer shows it."""
        return transport.clock_skew(self.headers, now=now)


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What some answers mean.

    Attributes:
        error: The error that the channel raises.
        reason: What happened. `{where}` stands for the server's name, and `{words}` for its own words after a colon, or
            for the full stop.
        remedy: What to do now. May be empty.
        statuses: The rule is about these. None: about any.
        phrases: Words in lower case, one of which must stand in the answer. None: any answer of such a status.
        own: True: it is only about answers of the network itself. False: only about those of a proxy before it.
        fallback: See `Refused`.
        whole_channel: See `Unavailable`.
        wait: How long to wait if the answer names no time.
    """

    error: type[ChannelError]
    reason: Text
    remedy: AnyText = ""
    statuses: Container[int] | None = None
    phrases: tuple[str, ...] = ()
    own: bool | None = None
    fallback: Literal["standalone", "prepare", "distinct"] | None = None
    whole_channel: bool = False
    wait: timedelta | None = None

    def fits(self, answer: HttpAnswer) -> bool:
        """Return True if it is about this answer."""
        said = answer.phrases or answer.message.lower()
        return (
            (self.statuses is None or answer.status in self.statuses)
            and self.own in {None, answer.from_network}
            and (not self.phrases or any(phrase in said for phrase in self.phrases))
        )

    def judgement(self, answer: HttpAnswer, *, now: datetime, where: AnyText = "") -> ChannelError:
        """Return the error for an answer that it fits."""
        reason = self.reason.filled(where=where, words=quoted(answer.message))
        if self.error is Refused:
            return Refused(reason, remedy=self.remedy, code=answer.code, fallback=self.fallback)
        at = answer.retry_at(now) or (now + self.wait if self.wait else None)
        if self.error is Unavailable:
            return Unavailable(
                reason, remedy=self.remedy, code=answer.code, retry_at=at, whole_channel=self.whole_channel
            )
        if self.error is Unconfirmed:
            return Unconfirmed(reason, remedy=self.remedy, code=answer.code, retry_at=at)
        return self.error(reason, remedy=self.remedy, code=answer.code)


_CLIENT: Final = frozenset(range(400, 500))  # RFC 9110, section 15.5
_FOREIGN: Final = Text("{where} did not answer: something else did in its place, and did not let us through.")
_CHECK: Final = Text("It will be tried again. Check the server's address in the channel's settings, and the proxy.")

ANY_HTTP: Final = (
    AnswerRule(
        Unconfirmed,
        Text("The server sent us to another address, and we do not follow with a post."),
        Text("Check the server's address in the channel's settings, and whether a proxy wants a login."),
        range(300, 400),
    ),
    # 413 and 429 mean the same from a proxy. A network knows the calls that we make.
    AnswerRule(Unavailable, _FOREIGN, _CHECK, _CLIENT - {413, 429}, own=False),
    AnswerRule(Unavailable, _FOREIGN, _CHECK, {404}),
)
"""What is true of every network whose errors have a form of their own."""


def judge(
    answer: HttpAnswer, rules: Sequence[AnswerRule], *, now: datetime, where: AnyText, whole_channel: bool = True
) -> ChannelError:
    """Return what an answer means by the first rule that fits it, else by its status.

    With *whole_channel* a rate limit on this call holds for all posts, not only for this kind of call.
    """
    rule = next((each for each in rules if each.fits(answer)), None)
    error = (
        rule.judgement(answer, now=now, where=where)
        if rule
        else error_for_status(
            answer.status, answer.headers, now=now, where=where, code=answer.error, detail=answer.message
        )
    )
    if isinstance(error, Unavailable):
        error.whole_channel = error.whole_channel and whole_channel
    return error


def open_session(
    timeout: float | tuple[float, float], *, plain: bool, rewrite: Callable[[str], str] = str, keep: bool = False
) -> PostSession:
    """Open a session of `requests`. See `PostSession`."""
    kind: type[PostSession] = load("policenotify.networks._requests").PostSession
    return kind(timeout, plain=plain, rewrite=rewrite, keep=keep)


def parse_json(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return the decoded JSON, or `None` if it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


# --- secrets that expire


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret, as it is stored.

    Attributes:
        owner: The channel's account, and what else it depends on. A secret with another owner is replaced.
    """

    owner: str


SecretT = TypeVar("SecretT", bound=StoredSecret)
AnswerT = TypeVar("AnswerT", bound=HttpAnswer)


class RotatingSecret(ABC, Generic[SecretT, AnswerT]):
    """A secret that expires, shared by all processes of the installation.

    A renewal may use the stored secret up, and networks ration logins. So only the holder of the lease renews it, and
    the new secret is stored before it is used. Its dataclass has fields of text. The lease is the seconds that another
    process may take to renew it.
    """

    name: ClassVar[str]
    """The secret's name in the store."""
    label: ClassVar[AnyText]
    """The secret's name in errors, at the beginning of a sentence."""

    def __init__(self, kind: type[SecretT], *, owner: str, store: StateStore, lease: float) -> None:
        self._kind = kind
        self._owner = owner
        self._store = store
        self._lease = lease
        self._unsaved: SecretT | None = None

    @abstractmethod
    def _renewed(self, known: SecretT | None) -> SecretT:
        """Get a new secret from the network, by means of the stored one if there is one."""

    @abstractmethod
    def _is_expired(self, answer: AnswerT) -> bool:
        """Return True if the network did not accept the secret of a call."""

    def current(self) -> SecretT:
        """Return the stored secret, or a new one.

        Raises:
            Blocked: The network does not accept the credentials.
            Unavailable: The network could not be asked, or the secret not be stored.
        """
        try:
            secret, _ = self._load()
        except JournalError:
            raise self._not_renewed() from None
        return secret or self._renew(None)

    def ask_with(self, call: Callable[[SecretT], AnswerT]) -> AnswerT:
        """Make a call with the secret. If it has expired, renew it and repeat, once.

        Raises:
            ChannelError: See `current`, and the call itself.
        """
        secret = self.current()
        answer = call(secret)
        return call(self._renew(secret)) if self._is_expired(answer) else answer

    def _load(self) -> tuple[SecretT | None, int | None]:
        stored = self._store.load(self.name)
        if stored is None:
            return None, None
        try:
            secret = self._kind(**json.loads(stored.value))
        except (ValueError, TypeError):  # stored by another release
            return None, stored.version
        return (secret if secret.owner == self._owner else None), stored.version

    def _renew(self, stale: SecretT | None) -> SecretT:
        try:
            with self._store.lease(self.name, seconds=self._lease):
                stored, version = self._load()
                if stored is not None and stored != stale:  # another process renewed it first
                    return stored
                return self._replace(stored, version)
        except JournalError:
            raise self._not_renewed() from None

    def _replace(self, stored: SecretT | None, version: int | None) -> SecretT:
        try:
            fresh = self._unsaved or self._renewed(stored)
        except Blocked:
            other, _ = self._load()  # our lease ran out, and another process used the old secret up
            if other is None or other == stored:
                raise
            return other
        self._unsaved = fresh  # if the store fails now, the next call stores it: the old secret is used up
        saved = self._store.compare_and_swap(self.name, json.dumps(asdict(fresh)), version=version)
        self._unsaved = None
        return fresh if saved else self._load()[0] or fresh

    def _not_renewed(self) -> Unavailable:
        return Unavailable(
            Text(
                "{label} was not renewed: another process holds it for too long, or it cannot be stored. "
                "Nothing was posted.",
                label=self.label,
            ),
            remedy=Text("It will be tried again."),
        )


# --- owners


def fingerprint(*secrets: str) -> str:
    """Return a digest that stands for secrets and does not reveal them."""
    return hashlib.sha256("\n".join(secrets).encode()).hexdigest()


def verify_owner(store: StateStore, seal: str, ask: Callable[[], str]) -> str:
    """Return the account's id, once the network has confirmed the owner.

    A post under the wrong account cannot be taken back from those who have read it. The answer is stored under a seal,
    so that the network is asked only once, and again when the credentials change. The seal is a fingerprint of account
    and credentials. *ask* asks the network for the id, and its errors are raised.
    """
    stored = None
    with suppress(JournalError):  # without the store it is only asked each time
        stored = store.load(_OWNER)
    known, _, account_id = stored.value.rpartition(" ") if stored else ("", "", "")
    if known == seal:
        return account_id
    account_id = ask()
    with suppress(JournalError):
        store.compare_and_swap(_OWNER, f"{seal} {account_id}", version=stored.version if stored else None)
    return account_id


# --- reply chains: networks show a reply below a deleted post nowhere


def newest_connected(reply_to: Sequence[PostRef], parent_of: ParentOf, *, code: str) -> PostRef | None:
    """Return the newest post whose thread is complete, or `None` without posts.

    The posts are ours, from the opening to the last one. The network is asked at most once for each.

    Raises:
        Refused: All of them are deleted or below a deleted post. With `fallback="standalone"`.
    """
    seen = set[str]()
    newest = next((ref for ref in reversed(reply_to) if is_connected(ref.id, parent_of, seen)), None)
    if reply_to and newest is None:
        raise Refused(
            Text("The posts that it should answer have been deleted."),
            code=code,
            remedy=Text("It is posted on its own instead."),
            fallback="standalone",
        )
    return newest


def is_connected(post: str | None, parent_of: ParentOf, seen: set[str]) -> bool:
    """Return True if the post exists, and every post above it.

    What was seen before is not connected: each walk that succeeds is the last one. So a circle ends, too.
    """
    while post is not None and post not in seen:
        seen.add(post)
        try:
            post = parent_of(post)
        except LookupError:
            return False
    return post is None


def deleted_parent(code: str) -> Refused:
    """Return the error for a reply whose parent was deleted after `prepare`."""
    return Refused(
        Text("The post that it should answer, or one above that, has been deleted."),
        code=code,
        remedy=Text("It is prepared again without that post."),
        fallback="prepare",
    )
