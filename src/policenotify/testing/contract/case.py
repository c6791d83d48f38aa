"""Base class of the contract suite: fixtures, helpers, selection of tests."""

# ruff: noqa: S101 - test code

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from threading import Barrier
from typing import Any, ClassVar, Final, TypeVar

import pytest

from policenotify.channel import Capabilities, Channel, Post, PostRef, Request
from policenotify.errors import ChannelError, Unavailable
from policenotify.model.lifecycle import Stage
from policenotify.testing.contract import texts
from policenotify.testing.contract.fixtures import DOUBTS, UNREAD, Fault, NetworkFixture, OneCallFixture, VisiblePost
from policenotify.testing.contract.texts import PEOPLE
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.http import Answer

_Test = TypeVar("_Test", bound=Callable[..., None])
_T = TypeVar("_T")

NOT_CLAIMED: Final = "not claimed"
"""Replaces a test whose capability is not claimed. pytest collects only callables."""

SLOTS: Final = 4
"""Number of channel objects that work at once. The dispatcher opens at least two for each channel."""


def requires(capability: str) -> Callable[[_Test], _Test]:
    """Run a test only for channels that claim this attribute of `Capabilities`."""

    def mark(test: _Test) -> _Test:
        test.__dict__["requires"] = capability
        return test

    return mark


def can_be_disabled(test: Callable[..., None]) -> Any:  # noqa: ANN401 - so that `test_… = None` is of its type
    """Mark a promise that an author may disable with `test_… = None`."""
    return test


def _claims(capabilities: Capabilities, name: str) -> bool:
    value = getattr(capabilities, name)
    return value is not None if name == "lookup_delay" else bool(value)


class ContractCase:
    """Fixtures and helpers of the contract suite."""

    accepts: ClassVar[Answer] = Answer.json({"id": "1"})
    secrets: ClassVar[tuple[str, ...]] = ()
    patience: ClassVar[float] = 60.0
    uploads: ClassVar[tuple[str, ...]] = ()
    _count = 0

    def open(self, network: Any) -> Channel:  # noqa: ANN401 - each author names the own fixture here
        """Make a new channel object on *network*, with a timeout far below `patience`.

        It is also called once when the class is created, to read the capabilities. *network* does not listen then.
        """
        raise NotImplementedError(f"{type(self).__name__}.open: return a channel object on the network.")

    def make_network(self) -> NetworkFixture:
        """Make the network on the loopback. Override it for a network with state."""
        return OneCallFixture(self.accepts)

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        if cls.open is ContractCase.open:
            return
        with closing(cls().open(cls().make_network())) as channel:
            capabilities = channel.capabilities
        members = (each for kind in cls.__mro__ for each in vars(kind).items())
        promises = {name: test for name, test in members if hasattr(test, "requires")}
        for name, test in promises.items():
            if getattr(cls, name) in {test, NOT_CLAIMED}:  # else the author overrides or disables it
                setattr(cls, name, test if _claims(capabilities, test.requires) else NOT_CLAIMED)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrise tests by the faults that the network supports."""
        supported = self.make_network().faults
        for name, faults in {"doubt": DOUBTS, "unread": UNREAD, "fault": tuple(Fault)}.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, [each for each in faults if each in supported], ids=str)

    @pytest.fixture
    def network(self) -> Iterator[Any]:
        """Yield the network, listening."""
        with self.make_network() as network:
            yield network

    @pytest.fixture
    def channel(self, network: NetworkFixture) -> Iterator[Channel]:
        """Yield a channel object on the network, closed at the end."""
        with closing(self.open(network)) as channel:
            yield channel

    def post(self, channel: Channel, text: str = "Route barrée à Évian.", **other: object) -> Post:
        """Make a post later than all before, with the fields the channel supports."""
        self._count += 1
        can = channel.capabilities
        fields: dict[str, object] = {
            "key": sha256(str(self._count).encode()).hexdigest(),
            "account": channel.account,
            "stage": Stage.OPENING if self._count == 1 else Stage.UPDATE,
            "category": "traffic",
            "language": "fr",
            "text": texts.spelled(text, can.budget),
            "title": "Route barrée" if can.title else "",
            "html": texts.formatted(text) if can.html else "",
            "created_at": FakeClock().now() + timedelta(seconds=self._count),
        }
        fields |= other
        if can.structured:
            fields.setdefault("message", texts.message(Stage(str(fields["stage"])), str(fields["title"]), text))
        return Post.model_validate(fields)

    def request(self, channel: Channel, *reply_to: PostRef, **post: Any) -> Request:  # noqa: ANN401 - fields of a Post
        """Prepare another post."""
        return channel.prepare(self.post(channel, **post), reply_to)

    def error_of(self, network: NetworkFixture, call: Callable[[], object]) -> ChannelError:
        """Return the error of a call that must fail, and check that it holds no secret.

        Raises:
            AssertionError: It does, or the call returned, or raised none of the four channel errors.
        """
        try:
            result = call()
        except ChannelError as error:
            self._assert_good_error(network, error)
            return error
        except Exception as error:
            raise AssertionError(
                f"{type(error).__name__} escaped. Raise Refused, Blocked, Unavailable or Unconfirmed in its place; "
                "error_for_exception and error_for_status of policenotify.transport choose for HTTP."
            ) from error
        raise AssertionError(f"Nothing was raised, but {result!r} returned. Raise an error when a call fails.")

    def _assert_good_error(self, network: NetworkFixture, error: ChannelError) -> None:
        """Check that an error gives a reason and that its traceback holds no secret."""
        text = "".join((*traceback.format_exception(error), repr(error), repr(vars(error))))
        self.assert_no_secret(network, text, f"the {type(error).__name__} that was raised, or an error behind it")
        assert error.reason, f"{type(error).__name__} gives no reason. Write what happened, in an officer's words."

    def assert_no_secret(self, network: NetworkFixture, text: str, where: str) -> None:
        """Check that *text* holds no password, token or reader's address."""
        secrets = (*self.secrets, *network.secrets, *(person.address for person in PEOPLE))
        leaks = [number for number, secret in enumerate(secrets, 1) if secret in text]
        assert not leaks, (
            f"A secret stands in {where} (number {leaks} of yours, the network's, the readers' addresses). "
            "`raise … from None` drops the cause of an error."
        )

    def assert_kind(self, kind: type[ChannelError], error: ChannelError, fault: Fault) -> None:
        """Check that *error* is the one that *fault* requires."""
        assert isinstance(error, kind), f"After {fault.name} raise {kind.__name__}, not {type(error).__name__}: {error}"

    def _assert_retry_at(self, network: NetworkFixture, error: ChannelError) -> None:
        """Check that the error of a rate limit has the time that the network asks for."""
        at = network.clock.now() + network.retry_after if network.retry_after else None
        retry_at = error.retry_at if isinstance(error, Unavailable) else None
        assert retry_at == at, (
            f"retry_at is {retry_at}, the network asks for {at}. See policenotify.transport.retry_at."
        )

    def visible_once(self, network: NetworkFixture, text: str) -> VisiblePost:
        """Return the post with this text, which readers must see exactly once."""
        posts = [each for each in network.visible_posts if text in each.texts]
        assert len(posts) == 1, f"Readers see the post {len(posts)} times, not once."
        return posts[0]

    def at_once(self, calls: Sequence[Callable[[], _T]]) -> list[_T]:
        """Make all calls at the same moment, each in its own thread."""
        start = Barrier(len(calls))

        def run(call: Callable[[], _T]) -> _T:
            start.wait(self.patience)
            return call()

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(run, calls))
