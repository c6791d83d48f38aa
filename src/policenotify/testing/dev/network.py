"""One fake network: its server, the options of a channel on it, what readers see, and what may go wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from typing import ClassVar, Final, Generic, Literal, TypeAlias, TypeVar, get_args

from policenotify.channel import ChannelConfig
from policenotify.networks.registry import configure_channel
from policenotify.testing.servers import VisibleImage
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest, Reply
from policenotify.testing.servers.mail import FakeMailServer

Mode: TypeAlias = Literal["normal", "slow", "down", "refusing", "forgetful"]
"""How a network behaves.

- `slow`: its answers come after `SLOW` seconds.
- `down`: it refuses every connection.
- `refusing`: it rejects each post for good.
- `forgetful`: it accepts each post, and shows none.
"""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)

SLOW: Final = 3.0
"""Seconds: long enough to be noticed, and below every network's timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPost:
    """A post as a reader sees it.

    Attributes:
        id: The network's id.
        parent: The id of the post that it replies to, or `None`.
        title: The subject, or empty.
        html: The formatted version of a mail, or empty.
        warning: The line above a post that is folded away, or empty.
        card: URL, title and text of a link card, or `None`.
        readers: How many people received it, on a network with recipients; else 0.
    """

    id: str
    text: str
    parent: str | None = None
    title: str = ""
    html: str = ""
    warning: str = ""
    card: tuple[str, str, str] | None = None
    images: tuple[VisibleImage, ...] = field(default=(), repr=False)
    readers: int = 0


_S = TypeVar("_S", bound="FakeServer | FakeMailServer")


class DevNetwork(ABC, Generic[_S]):
    """A fake network with one account.

    Args:
        port: The port of its server on 127.0.0.1. 0: a free one.
        now: The server's time.

    Attributes:
        channel: The name of the channel in the settings.
        network: The network of policenotify.
        title: Its name for people.
        modules: What the network and its server import.
        people: The recipients, on a network with recipients.
        server: The running server. A reset replaces it.
    """

    channel: ClassVar[str]
    network: ClassVar[str]
    title: ClassVar[str]
    modules: ClassVar[tuple[str, ...]] = ()
    people: ClassVar[tuple[str, ...]] = ()

    def __init__(self, port: int, now: Callable[[], datetime]) -> None:
        self._now = now
        self._mode: Mode = "normal"
        self.server: _S = self._make()
        self.server.start(port)

    @classmethod
    def missing(cls) -> tuple[str, ...]:
        """Return the modules that are not installed."""
        return tuple(name for name in cls.modules if find_spec(name) is None)

    @property
    @abstractmethod
    def port(self) -> int:
        """The port of its server."""

    @property
    @abstractmethod
    def options(self) -> Mapping[str, str]:
        """The options of a channel on it. The secrets are fake."""

    @property
    @abstractmethod
    def posts(self) -> Sequence[ShownPost]:
        """What a reader sees now, oldest first."""

    @property
    def config(self) -> ChannelConfig:
        """A channel on it, for a publisher in this process.

        Raises:
            MissingExtra: The client library of the network is not installed.
        """
        people = self.people
        recipients = (lambda: people) if people else None
        return configure_channel(self.channel, self.network, self.options, recipients=recipients)

    @property
    def mode(self) -> Mode:
        """How it behaves. A change applies from the next call on."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in MODES:
            raise ValueError(f"{mode!r} is not a mode: {', '.join(MODES)}")
        self.server.recover()
        self._set_delay(SLOW if mode == "slow" else 0.0)
        self.server.drops_posts = mode == "forgetful"
        if mode == "down":
            self.server.refuse_connections()
        elif mode == "refusing":
            self._refuse()
        self._mode = mode

    def reset(self) -> None:
        """Forget everything, and behave normally. The port stays."""
        port = self.port
        self.server.close()
        self._mode = "normal"
        self.server = self._make()
        self.server.start(port)

    def close(self) -> None:
        """Stop the server. May be called twice."""
        self.server.close()

    @abstractmethod
    def _make(self) -> _S:
        """Return a new server, which does not listen yet."""

    @abstractmethod
    def _set_delay(self, seconds: float) -> None: ...

    @abstractmethod
    def _refuse(self) -> None: ...


_H = TypeVar("_H", bound=FakeServer)


class HttpDevNetwork(DevNetwork[_H]):
    """A fake network that is called by HTTP.

    Attributes:
        publishes: Method and beginning of the path of the call that publishes.
        refusal: Its answer that rejects a post for good.
    """

    publishes: ClassVar[tuple[str, str]] = ("POST", "/")
    refusal: ClassVar[Answer]

    @property
    def port(self) -> int:
        """The port of its server."""
        return int(self.server.url.rpartition(":")[2])

    def _set_delay(self, seconds: float) -> None:
        self.server.latency = seconds

    def _refuse(self) -> None:
        method, path = self.publishes

        def choose(request: RecordedRequest) -> tuple[Reply, bool] | None:
            return (self.refusal, False) if request.method == method and request.path.startswith(path) else None

        self.server.disturb(choose)
