"""The bench on which the contract suite tries a channel: how it is opened, what it says, which promises are asked."""
# ruff: noqa: S101 - asserts are what it is for

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier
from typing import Any, ClassVar, Final, TypeVar

import pytest

from policenotify.channel import Capabilities, Channel, Post, PostRef, Request
from policenotify.errors import ChannelError
from policenotify.model.lifecycle import Stage
from policenotify.testing.contract import texts
from policenotify.testing.contract.texts import PEOPLE
from policenotify.testing.contract.wires import DOUBTS, UNREAD, Fault, NetworkFixture, OneCallWire, VisiblePost
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.http import Answer

_Test = TypeVar("_Test", bound=Callable[..., None])
_T = TypeVar("_T")

NOT_CLAIMED: Final = "not claimed"
"""Stands in a class in place of a test that is not asked; pytest collects only what can be called."""

SLOTS: Final = 4
"""How many channel objects work at once: more than the two that the house opens at least for each channel."""


def asked_of(claims: Callable[[Capabilities], object]) -> Callable[[_Test], _Test]:
    """Ask a promise only of channels that make it: for others the test does not exist."""

    def mark(test: _Test) -> _Test:
        test.__dict__["asked_of"] = claims
        return test

    return mark


def may_be_struck_out(test: Callable[..., None]) -> Any:  # noqa: ANN401 - so that `test_… = None` is of its type
    """Mark a promise that not every network can keep."""
    return test


class Bench:
    """What all promises need."""

    accepts: ClassVar[Answer] = Answer.json({"id": "1"})
    secrets: ClassVar[tuple[str, ...]] = ()
    patience: ClassVar[float] = 3.0
    uploads: ClassVar[tuple[str, ...]] = ()
    _said = 0

    def open(self, wire: Any) -> Channel:  # noqa: ANN401 - each author names his own wire here
        """Make a channel object of the account on *wire*: a new one at each call, with a timeout far below `patience`.

        It is also called once while the class is made, to learn what the channel claims; *wire* does not listen then.
        """
        raise NotImplementedError(f"{type(self).__name__}.open: return a channel object on the wire.")

    def make_wire(self) -> NetworkFixture:
        """Make the network on the loopback; override it for one that has a state."""
        return OneCallWire(self.accepts)

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        if cls.open is Bench.open:
            return
        with closing(cls().open(cls().make_wire())) as channel:
            capabilities = channel.capabilities
        found = (each for kind in cls.__mro__ for each in vars(kind).items())
        promises = {name: test for name, test in found if hasattr(test, "asked_of")}
        for name, test in promises.items():
            if getattr(cls, name) in {test, NOT_CLAIMED}:  # else the author has his own, or has struck it out
                setattr(cls, name, test if test.asked_of(capabilities) else NOT_CLAIMED)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Ask of each trouble that the network can suffer."""
        can = self.make_wire().troubles
        for name, troubles in {"doubt": DOUBTS, "unread": UNREAD, "trouble": tuple(Fault)}.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, [each for each in troubles if each in can], ids=str)

    @pytest.fixture
    def wire(self) -> Iterator[Any]:
        """The network, listening."""
        with self.make_wire() as wire:
            yield wire

    @pytest.fixture
    def channel(self, wire: NetworkFixture) -> Iterator[Channel]:
        """A channel object on it, closed at the end."""
        with closing(self.open(wire)) as channel:
            yield channel

    def post(self, channel: Channel, text: str = "Route barrée à Évian.", **other: object) -> Post:
        """Make another post, later than all before; with what the channel claims."""
        self._said += 1
        can = channel.capabilities
        fields = {
            "key": f"{self._said:064x}",
            "account": channel.account,
            "stage": Stage.OPENING if self._said == 1 else Stage.UPDATE,
            "category": "traffic",
            "language": "fr",
            "text": text,
            "title": "Route barrée" if can.title else "",
            "html": texts.formatted(text) if can.html else "",
            "created_at": FakeClock().now() + timedelta(seconds=self._said),
        }
        return Post.model_validate(fields | other)

    def request(self, channel: Channel, *reply_to: PostRef, **post: Any) -> Request:  # noqa: ANN401 - fields of a Post
        """Prepare another post."""
        return channel.prepare(self.post(channel, **post), reply_to)

    def error_of(self, wire: NetworkFixture, call: Callable[[], object]) -> ChannelError:
        """The error of a call that must fail; it tells no secret."""
        error = texts.error_of(call)
        self._is_told_well(wire, error)
        return error

    def _is_told_well(self, wire: NetworkFixture, error: ChannelError) -> None:
        """An error gives a reason, and neither it nor what is behind it tells a secret."""
        told = "".join((*traceback.format_exception(error), repr(error), repr(vars(error))))
        self.tells_no_secret(wire, told, f"the {type(error).__name__} that was raised, or an error behind it")
        assert error.reason, f"{type(error).__name__} gives no reason: say what happened, in an officer's words."

    def tells_no_secret(self, wire: NetworkFixture, told: str, where: str) -> None:
        """No password, token or reader's address stands there."""
        hidden = (*self.secrets, *wire.secrets, *(person.address for person in PEOPLE))
        found = [number for number, secret in enumerate(hidden, 1) if secret in told]
        assert not found, (
            f"A secret stands in {where} (number {found} of yours, the wire's, the readers' addresses). "
            "`raise … from None` drops what is behind an error."
        )

    def is_kind(self, kind: type[ChannelError], error: ChannelError, trouble: Fault) -> None:
        """The error tells the truth about the trouble."""
        assert isinstance(error, kind), (
            f"After {trouble.name} raise {kind.__name__}, not {type(error).__name__}: {error}"
        )

    def shown_once(self, wire: NetworkFixture, text: str) -> VisiblePost:
        """The post with this text, which readers see exactly once."""
        found = [each for each in wire.shown if text in each.texts]
        assert len(found) == 1, f"Readers see the post {len(found)} times, not once."
        return found[0]

    def at_once(self, calls: Sequence[Callable[[], _T]]) -> list[_T]:
        """Make all calls at the same moment, each in its own thread."""
        start = Barrier(len(calls))

        def run(call: Callable[[], _T]) -> _T:
            start.wait(10)
            return call()

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(run, calls))
