"""A network in memory that keeps every promise, one with recipients, and a broken one for each promise.

Run by test_contract.py, which names the contract test that must find each fault.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from policenotify.channel import (
    Account,
    Capabilities,
    Post,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
)
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.testing import Call, ChannelContract, Fault, VisiblePost
from policenotify.testing.contract.case import SLOTS
from policenotify.testing.contract.fixtures import OUT, NetworkFixture
from policenotify.text import Budget, graphemes
from policenotify.transport import error_for_exception, error_for_status

TOKEN = "t0ken"
_LONG = 300  # seconds for threads that are on their way


class No(Exception):
    """The network's answer is not a success."""

    def __init__(self, status: int, **headers: str) -> None:
        self.status, self.headers = status, headers
        super().__init__(status)


class MemoryFixture(NetworkFixture):
    """The network itself."""

    retry_after: timedelta | None = timedelta(seconds=90)

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, VisiblePost] = {}
        self.lock = threading.Lock()
        self.objects = 0
        self._trouble: dict[Call, Fault] = {}
        self._refused: set[str] = set()
        self._lasting: Fault | None = None

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return list(self.posts.values())

    def refuse_recipient(self, address: str) -> None:
        self._refused.add(address)

    def fail_next(self, trouble: Fault, call: Call = "post") -> None:
        if trouble in {Fault.UNREACHABLE, Fault.UNAUTHORIZED}:
            self._lasting = trouble
        else:
            self._trouble[call] = trouble

    def recover(self) -> None:
        self._trouble.clear()
        self._refused.clear()
        self._lasting = None

    def ask(self, call: Call | None, effect: Callable[[], Any], person: str = "") -> Any:
        trouble = self._lasting or (self._trouble.pop(call, None) if call else None)
        if person in self._refused:
            raise No(550)
        if trouble in OUT:
            effect()
        match trouble:
            case None:
                return {"answer": effect()}
            case Fault.UNREACHABLE:
                raise ConnectionRefusedError
            case Fault.NO_RESPONSE:
                raise TimeoutError
            case Fault.HTML_PAGE:
                return "<h1>Log in</h1>"
            case Fault.DISCONNECTED | Fault.DISCONNECTED_AFTER | Fault.TRUNCATED:
                raise ConnectionResetError(f"with {TOKEN}")
            case _:
                status = {"refused": 400, "rate_limited": 429, "unauthorized": 401, "server_error": 500}[trouble]
                raise No(status, **{"Retry-After": "90"})


def shown(body: Any, ref: str, **more: Any) -> VisiblePost:
    pictures = tuple((alt, b64decode(data)) for alt, data in body["pictures"])
    return VisiblePost(texts=tuple(body["texts"]), id=ref, parents=tuple(body["under"]), pictures=pictures, **more)


class Perfect:
    """It keeps every promise."""

    capabilities = Capabilities(
        budget=Budget(300, graphemes),
        title=True,
        html=True,
        replies=True,
        images=3,
        idempotency_window=timedelta(days=1),
        lookup_delay=timedelta(0),
        edits=True,
        deletes=True,
        structured=True,
    )
    account = "police@memory.example"
    uploads: tuple[str, ...] = ()

    def __init__(self, network: MemoryFixture) -> None:
        self.network = network
        self.token = TOKEN

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        ours = [ref.id for ref in reply_to if ref.account == self.account]
        body = {
            "message": self.message(post),
            "texts": self.texts(post),
            "under": self.under(ours),
            "pictures": self.pictures([[each.alt, b64encode(each.data).decode()] for each in post.pictures]),
        }
        return Request(account=self.account, key=post.key, body=body)

    def message(self, post: Post) -> Any:
        if post.message is None and self.capabilities.structured:
            raise Refused("the post carries no message")
        return post.message and post.message.model_dump(mode="json")

    def texts(self, post: Post) -> Any:
        return [post.title, post.text, post.html]

    def under(self, ours: list[str]) -> Any:
        return [ours[0], ours[-1]] if ours else []

    def pictures(self, pictures: Any) -> Any:
        return pictures

    def send(self, request: Request) -> PostRef:
        return self.ref(self.ask("post", lambda: self.publish(request)))

    def publish(self, request: Request) -> str:
        with self.network.lock:
            return self.put(f"id-{request.key[-8:]}", request)

    def put(self, ref: str, request: Request) -> str:
        self.network.posts.setdefault(ref, shown(request.body, ref))
        return ref

    def ref(self, ref: str) -> PostRef:
        return PostRef(account=self.account, id=ref)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:  # noqa: ARG002 - the key identifies the post
        ref = f"id-{request.key[-8:]}"
        try:
            return self.ref(ref) if self.ask("find", lambda: ref in self.network.posts) else None
        except Refused as error:
            raise Unavailable(error.reason) from None

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        self.ask("edit", lambda: self.network.posts.update({ref.id: shown(request.body, ref.id)}))
        return ref

    def delete(self, ref: PostRef) -> None:
        self.ask("delete", lambda: self.network.posts.pop(ref.id, None))

    def whoami(self) -> Account:
        self.ask(None, lambda: None)
        return Account(id="1", name="Police")

    def close(self) -> None:
        """Nothing to close."""

    def ask(self, call: Call | None, effect: Callable[[], Any]) -> Any:
        try:
            got = self.network.ask(call, effect)
        except OSError as error:
            raise self.lost(error) from None
        except No as no:
            raise self.refusal(no.status, no.headers) from None
        if not isinstance(got, dict):
            raise self.unreadable()
        return got["answer"]

    def lost(self, error: OSError) -> Exception:
        return error_for_exception(error, where="the memory")

    def refusal(self, status: int, headers: dict[str, str]) -> Exception:
        return error_for_status(status, headers, now=self.network.clock.now(), where="the memory")

    def unreadable(self) -> Exception:
        return Unconfirmed("The memory's answer cannot be read.")


# --- itself


class ConnectsAtOnce(Perfect):
    def __init__(self, network: MemoryFixture) -> None:
        super().__init__(network)
        with socket.socket() as door:
            door.connect_ex(("127.0.0.1", 9))


class LogsItsToken(Perfect):
    def ask(self, call: Call | None, effect: Callable[[], Any]) -> Any:
        logging.getLogger("memory").debug("with %s", self.token)
        return super().ask(call, effect)


class ClosesOnce(Perfect):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class LeavesASocket(Perfect):
    def send(self, request: Request) -> PostRef:
        self.left = socket.socket()
        return super().send(request)


class GreetsItsReaders(Perfect):
    def whoami(self) -> Account:
        self.publish(Request(account="", key="f" * 64, body={"texts": ["Hello"], "under": [], "pictures": []}))
        return super().whoami()


# --- preparing


class PublishesTooEarly(Perfect):
    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        request = super().prepare(post, reply_to)
        self.publish(request)
        return request


class Uploads(Perfect):
    """It keeps every promise, too: what it makes ready on the network has another name each time."""

    uploads: tuple[str, ...] = ("upload",)

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        request = super().prepare(post, reply_to)
        named = self.ask(None, lambda: {"upload": str(time.perf_counter_ns())})
        return request.model_copy(update={"body": {**request.body, **named}})


class RefusesWhenItCannotUpload(Uploads):
    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        try:
            return super().prepare(post, reply_to)
        except ChannelError as error:
            raise Refused("It cannot be made ready.") from error


class RemembersWhatItPrepared(Perfect):
    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        self.prepared = super().prepare(post, reply_to)
        return self.prepared

    def publish(self, request: Request) -> str:
        return super().publish(request) if request is self.prepared else "nowhere"


# --- sending


class PostsTwice(Perfect):
    def send(self, request: Request) -> PostRef:
        self.publish(request.model_copy(update={"key": request.key[::-1]}))
        return super().send(request)


class RetriesByItself(Perfect):
    def ask(self, call: Call | None, effect: Callable[[], Any]) -> Any:
        try:
            return super().ask(call, effect)
        except Unconfirmed:
            super().ask(call, effect)
            raise


class Sulks(Perfect):
    sulks: ChannelError | None = None

    def send(self, request: Request) -> PostRef:
        try:
            if self.sulks:
                raise self.sulks
            return super().send(request)
        except Blocked as error:
            self.sulks = error
            raise


class WorksAlone(Perfect):
    busy = threading.Lock()
    others = threading.Event()

    def send(self, request: Request) -> PostRef:
        if not self.busy.acquire(blocking=False):
            self.others.set()
            raise Unavailable("Busy")
        try:
            self.others.wait(_LONG)
            return super().send(request)
        finally:
            self.busy.release()


# --- what is claimed


class ForgetsKeys(Perfect):
    def publish(self, request: Request) -> str:
        with self.network.lock:
            ref = f"id-{request.key[-8:]}"
            return self.put(f"{ref}-{len(self.network.posts)}" if ref in self.network.posts else ref, request)


class LooksBeforeItLeaps(Perfect):
    all_have_looked = threading.Barrier(SLOTS)

    def publish(self, request: Request) -> str:
        ref = f"id-{request.key[-8:]}"
        taken = ref in self.network.posts
        self.all_have_looked.wait(_LONG)
        with self.network.lock:
            if taken:
                return ref
            return self.put(f"{ref}-{len(self.network.posts)}" if ref in self.network.posts else ref, request)


class FindsNothing(Perfect):
    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        super().find(request, since=since, known=known)
        return None


class FindsByItsWords(Perfect):
    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        super().find(request, since=since, known=known)
        same = [each.id for each in self.network.visible_posts if list(each.texts) == request.body["texts"]]
        return self.ref(same[0]) if same else None


class FindsWhatWasBefore(Perfect):
    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        super().find(request, since=since, known=known)
        same = [each.id for each in self.network.visible_posts if list(each.texts) == request.body["texts"]]
        return next((self.ref(one) for one in same if one not in known), None)


class TakesSilenceForNo(Perfect):
    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        try:
            return super().find(request, since=since, known=known)
        except ChannelError:
            return None


class EditsByPosting(Perfect):
    def edit(self, ref: PostRef, request: Request) -> PostRef:
        self.ask("edit", lambda: self.publish(request))
        return ref


# --- recipients


class PerfectMail(Perfect):
    """The same network with recipients."""

    capabilities = Capabilities(budget=Budget(300, graphemes), title=True, recipients=True, calls_at_once=2)
    again = False

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        return [self.send_one(request, person) for person in people]

    def send_one(self, request: Request, person: Recipient) -> RecipientOutcome:
        try:
            self.network.ask("post", partial(self.deliver, request, person), person.address)
        except ConnectionRefusedError as error:
            raise self.lost(error) from None
        except OSError:
            if self.again:
                self.deliver(request, person)
            return RecipientOutcome(key=person.key, outcome="unconfirmed", reason="Lost.")
        except No as no:
            if no.status == 401:
                raise self.refusal(401, no.headers) from None
            return self.outcome(person, no)
        return RecipientOutcome(key=person.key, outcome="posted")

    def outcome(self, person: Recipient, no: No) -> RecipientOutcome:
        final = no.status in {550, 400}
        return RecipientOutcome(key=person.key, outcome="refused" if final else "unavailable", reason="It says no.")

    def deliver(self, request: Request, person: Recipient) -> None:
        ref = f"{len(self.network.posts)}"
        self.network.posts[ref] = shown(request.body, ref, reader=person.address, whole=person.address.encode())


class IsAlone(PerfectMail):
    """Works only while there is no other channel object of its account."""

    def __init__(self, network: MemoryFixture) -> None:
        super().__init__(network)
        network.objects += 1

    def send_one(self, request: Request, person: Recipient) -> RecipientOutcome:
        if self.network.objects > 1:
            return RecipientOutcome(key=person.key, outcome="unavailable", reason="Another session is open.")
        return super().send_one(request, person)


class ShowsTheList(PerfectMail):
    everybody: tuple[Recipient, ...] = ()

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        self.everybody += tuple(people)
        return super().send_to(request, people)

    def deliver(self, request: Request, person: Recipient) -> None:
        super().deliver(request, person)
        (ref, post) = self.network.posts.popitem()
        whole = ", ".join(each.address for each in self.everybody).encode()
        self.network.posts[ref] = VisiblePost(texts=post.texts, id=ref, reader=post.reader, whole=whole)


class StopsAtTheFirstNo(PerfectMail):
    def outcome(self, person: Recipient, no: No) -> RecipientOutcome:  # noqa: ARG002 - its fault
        raise self.refusal(400 if no.status == 550 else no.status, no.headers)


class MemoryContract(ChannelContract):
    secrets = (TOKEN,)
    kind: type[Perfect] = Perfect

    def make_network(self) -> MemoryFixture:
        network = MemoryFixture()
        if self.kind.capabilities.recipients:
            network.faults = network.faults - {Fault.TRUNCATED, Fault.HTML_PAGE, Fault.SERVER_ERROR}
            network.retry_after = None
        return network

    def open(self, network: MemoryFixture) -> Any:
        return self.kind(network)


# --- what one method does wrong

_WRONG: dict[str, dict[str, Any]] = {
    "CannotEdit": {"edit": None},
    "StoresItsToken": {"texts": lambda self, post: [*Perfect.texts(self, post), self.token]},
    "BelievesItself": {"whoami": lambda _: Account(id="1", name="Police")},
    "PreparesByChance": {"texts": lambda self, post: [*Perfect.texts(self, post), str(time.perf_counter_ns())]},
    "LosesTheTranslations": {"message": lambda self, post: {**Perfect.message(self, post), "translations": []}},
    "TakesWordsAlone": {"message": lambda self, post: Perfect.message(self, post) if post.message else None},
    "Composes": {
        "texts": lambda self, post: [unicodedata.normalize("NFC", each) for each in Perfect.texts(self, post)]
    },
    "ReplacesTheEllipsis": {
        "texts": lambda self, post: [each.replace("…", "...") for each in Perfect.texts(self, post)]
    },
    "Shortens": {"texts": lambda _, post: [post.title, post.text[:299], post.html]},
    "SaysAnotherPlace": {"ref": lambda self, ref: PostRef(account=self.account, id=ref + "0")},
    "DoubtsARefusal": {
        "refusal": lambda self, status, headers: (
            Unconfirmed("No") if status == 400 else Perfect.refusal(self, status, headers)
        )
    },
    "ForgetsTheTime": {"refusal": lambda self, status, _: Perfect.refusal(self, status, {})},
    "RefusesForAPassword": {
        "refusal": lambda self, status, headers: (
            Refused("No") if status == 401 else Perfect.refusal(self, status, headers)
        )
    },
    "DoubtsWithoutReason": {"lost": lambda _, error: Unconfirmed(f"Lost: {type(error).__name__}")},
    "NeverDoubts": {"lost": lambda _, error: Unavailable(f"Lost: {type(error).__name__}")},
    "AnswersTheOpening": {"under": lambda _, ours: [ours[0], ours[0]] if ours else []},
    "AnswersAnybody": {
        "prepare": lambda self, post, reply_to: Perfect.prepare(
            self, post, tuple(ref.model_copy(update={"account": self.account}) for ref in reply_to)
        )
    },
    "DropsTheWords": {"pictures": lambda _, pictures: [["", data] for _, data in pictures]},
    "DeletesInVain": {"delete": lambda self, _: self.ask("delete", lambda: None)},
}
_WRONG_FOR_PEOPLE: dict[str, dict[str, Any]] = {
    "MailsAgain": {"again": True},
    "DoubtsEverybody": {"lost": lambda _, error: Unconfirmed(f"Lost: {type(error).__name__}")},
}
_made = [
    type(name, (base,), ways)
    for base, wrong in ((Perfect, _WRONG), (PerfectMail, _WRONG_FOR_PEOPLE))
    for name, ways in wrong.items()
]


def _all(network: type[Perfect]) -> Iterator[type[Perfect]]:
    yield network
    for broken in network.__subclasses__():
        yield from _all(broken)


for _network in _all(Perfect):
    _name = f"Test{_network.__name__}"
    _own = {"kind": _network, "uploads": _network.uploads, "__module__": __name__}
    globals()[_name] = type(_name, (MemoryContract,), _own)
