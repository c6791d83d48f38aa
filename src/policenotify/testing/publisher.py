"""A publisher for tests of an application, whose posts can be read.

```python
@pytest.fixture
def desk():
    with recording_publisher() as desk:
        yield desk
```
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from policenotify.audiences.function import FunctionAudience
from policenotify.channel import Capabilities, Channel, ChannelConfig, ChannelSettings, Clock, StateStore
from policenotify.delivery.event_reader import OnEvent
from policenotify.errors import ChannelError, MissingExtra, SettingsError, Unconfirmed
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.locale import Locale
from policenotify.networks.registry import WITHHELD, configure_channel, default_capabilities, inspect_channel, network
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.settings import read_settings
from policenotify.settings.installation import installation_options
from policenotify.settings.model import ChannelTable
from policenotify.testing.fakes import FakeClock
from policenotify.testing.recorder import OUTCOMES, RecordedPost, Recorder, opener
from policenotify.validation import did_you_mean

RETRY_DELAY = timedelta(minutes=10)
"""Delay of a retry: longer than an application waits, so that a test sees the result of one attempt."""

_PARIS = ZoneInfo("Europe/Paris")
_BUDGET = timedelta(minutes=5)  # of a publication and of a drain; nothing that a recording does takes so long
_GLANCE = timedelta(seconds=2)  # of a drain that waits for nothing which the clock is to be moved on to
_LOOK_AHEAD = timedelta(seconds=40)  # longer than X is given before a second look-up


class Recording:
    """The posts that an application's publisher would have published.

    Made by [`recording_publisher`][policenotify.testing.publisher.recording_publisher].

    Attributes:
        publisher: Pass it to the code under test. Only its networks are not real.
        clock: The clock of the publisher.
    """

    def __init__(self, recorder: Recorder, open_: Callable[..., Publisher], clock: FakeClock | _ShiftedClock) -> None:
        self._recorder = recorder
        self._open = open_
        self.clock = clock
        self.publisher: Publisher = open_()

    def __repr__(self) -> str:
        posts = [f"  {post!r}" for post in self.posts] or ["  nothing was published"]
        return "\n".join((f"Recording of {', '.join(self.publisher.installation.channel_configs)}:", *posts))

    @property
    def posts(self) -> tuple[RecordedPost, ...]:
        """Every post, edit and deletion in order."""
        return self._recorder.posts

    def on(self, channel: str) -> tuple[RecordedPost, ...]:
        """Return the posts of one channel in order.

        Raises:
            KeyError: There is no such channel.
        """
        self._check(channel)
        return tuple(post for post in self.posts if post.channel == channel)

    def fail_next(
        self, channel: str, error: ChannelError, *, times: int = 1, published: bool = False, recipient: str = ""
    ) -> None:
        """Let the next posts, edits or deletions on a channel fail.

        A failure that may be retried is retried ten minutes later: `deliver(after=timedelta(minutes=10))`.

        Args:
            channel: The channel's name.
            error: The error to raise: `Refused`, `Blocked`, `Unavailable` or `Unconfirmed`.
            times: Number of failures.
            published: Publish the post all the same, as may happen with `Unconfirmed`.
            recipient: Fail only for this recipient, on a channel with recipients.

        Raises:
            KeyError: There is no such channel.
            ValueError: No network could fail like this.
        """
        self._check(channel)
        if published and not isinstance(error, Unconfirmed):
            raise ValueError("published: only after an Unconfirmed a post may be published")
        has_recipients = self.publisher.installation.channel_configs[channel].capabilities.recipients
        if recipient and not (has_recipients and type(error) in OUTCOMES):
            raise ValueError("recipient: only on a channel with recipients, with Refused, Unavailable or Unconfirmed")
        self._recorder.faults[channel, recipient] += [(error, published)] * times

    def deliver(self, *, after: timedelta = timedelta(0)) -> None:
        """Let time pass, then retry, deliver what is due and raise reminders.

        Also for code that publishes with `wait=timedelta(0)` and leaves delivery to a worker. What falls due within the
        next 40 seconds, such as a second look-up, is done too: the clock is moved on to it, so that no test waits.
        """
        self.clock.pass_by(after.total_seconds())
        limit, until = self.clock.now() + _LOOK_AHEAD, time.monotonic() + _BUDGET.total_seconds()
        while time.monotonic() < until:
            self.publisher.drain(_GLANCE)
            self.publisher._dispatcher.finish(timeout=_BUDGET.total_seconds())  # noqa: SLF001 - a slow machine's threads
            due, now = self.publisher._dispatcher.next_due(), self.clock.now()  # noqa: SLF001 - as `drain` returns it
            if due is None or due > limit:
                return
            self.clock.pass_by(max(0.0, (due - now).total_seconds()))

    def open_publisher(
        self,
        path: str | os.PathLike[str] | None = None,  # noqa: ARG002 - the signature of `policenotify.open_publisher`
        *,
        journal: str | None = None,  # noqa: ARG002 - see path
        clock: Clock | None = None,  # noqa: ARG002 - see path
        on_event: Mapping[str, OnEvent] | None = None,
    ) -> Publisher:
        """Open another publisher on the same channels and journal.

        `monkeypatch.setattr("dispatch.alerts.open_publisher", desk.open_publisher)`, where `dispatch/alerts.py` begins
        with `from policenotify import open_publisher`. The settings are ignored.
        """
        return self._open(on_event=on_event)

    def _check(self, channel: str) -> None:
        if channel not in self.publisher.installation.channel_configs:
            hint = str(did_you_mean(channel, self.publisher.installation.channel_configs))
            raise KeyError(f"There is no channel {channel!r} here. {hint}")


@contextmanager
def recording_publisher(
    channels: Iterable[str | ChannelConfig] | Mapping[str, Capabilities] | None = None,
    *,
    settings: str | os.PathLike[str] | None = None,
    sender: str | None = None,
    clock: FakeClock | None = None,
    journal: str | None = None,
) -> Iterator[Recording]:
    """Yield a publisher that only records. No network is reached.

    ```python
    with recording_publisher() as desk:
        close_the_road(desk.publisher)
        assert "avenue de Toulouse" in desk.on("x")[0].text
    ```

    The texts equal those of the real networks byte for byte. No client library is loaded, and no file and no thread
    remains.

    Args:
        channels: Names of networks (`"x"`), with their default capabilities; or capabilities by channel name; or the
            channels of an installation, whose networks are not reached. By default X, Mastodon, Bluesky, e-mail and
            SMS.
        settings: The settings file of an installation, for its channels, routes, languages and categories. Its secrets
            and recipient lists are not read.
        sender: The service's name. By default "Police nationale".
        clock: The clock. By default the system's, so that time passes during the test.
        journal: A journal to use instead of a temporary one, for code that publishes in transactions of its own
            database. It is kept. With settings it is opened with their keys.

    Raises:
        ValueError: Channels or a sender are given beside the settings, which define them.
        SettingsError: The settings are wrong, or the capabilities of a network are unknown without its account.
        AssertionError: A requested failure did not happen, because nothing more was published on that channel.
    """
    if settings is not None and (channels is not None or sender is not None):
        raise ValueError("channels, sender: the settings define them. Leave them out")
    clock_ = clock or _ShiftedClock()
    loaded = read_settings(settings, secrets=False) if settings is not None else None
    if loaded is None:
        configs = _channels_from(NETWORKS if channels is None else channels)
        options: dict[str, Any] = {"sender": sender or "Police nationale", "zone": _PARIS, "wait": _BUDGET}
    else:
        options = installation_options(loaded)
        configs = [_of_settings(name, channel, options["locales"]) for name, channel in loaded.channels.items()]
    recorder = Recorder(clock_, order=[config.name for config in configs])
    silent = []
    for config in configs:
        alone = {"account": config.name, "discovers_capabilities": False, "rate": None}
        silent.append(config.model_copy(update={**alone, "open": opener(recorder, config)}))
    # Constant keys, so that public references derived from them are the same in each run.
    constant = Keys.create(random.Random(0).randbytes)  # noqa: S311 - they protect nothing
    keys = loaded.load_keys() if loaded and journal else constant
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="policenotify-recorded-"))
        url = journal or str(Path(folder) / "journal.db")

        def open_(*, on_event: Mapping[str, OnEvent] | None = None) -> Publisher:
            ledger = open_journal(url, keys=keys, clock=clock_, create=True)
            opened.callback(ledger.close)
            publisher = Publisher(
                Installation(
                    journal=ledger,
                    channels=silent,
                    clock=_RealPace(clock_),
                    backoff=lambda _age: RETRY_DELAY,
                    on_event=on_event,
                    **options,
                )
            )
            return opened.enter_context(publisher)

        yield Recording(recorder, open_, clock_)
    recorder.check_faults()


class _ShiftedClock(SystemClock):
    """The system clock, which can be moved forward."""

    def __init__(self) -> None:
        self._shift = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self._shift

    def pass_by(self, seconds: float) -> None:
        self._shift += timedelta(seconds=seconds)


class _RealPace(SystemClock):
    """Another clock's time, but real waiting, so that a stopped clock blocks nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()


NETWORKS: Final = ("x", "mastodon", "bluesky", "email", "sms")
"""The default networks of a recording."""

RECIPIENTS: Final = {
    "sms": ("+33639980001", "+33639980002"),  # ARCEP: numbers reserved for fiction
    "": ("redaction@journal.example", "standard@mairie.example"),
}
"""The recipients of a channel, by network."""

_GATEWAY: Final = "jsons://sms.invalid/?:to={recipient}&:coding={coding}"
"""In place of an address of an SMS gateway that was not read, without which the limit of a text is not known."""


def _channels_from(channels: Iterable[str | ChannelConfig] | Mapping[str, Capabilities]) -> list[ChannelConfig]:
    """Return the channels that a test names."""
    if isinstance(channels, str):
        channels = (channels,)
    if isinstance(channels, Mapping):
        return [_channel(name, name, capabilities) for name, capabilities in channels.items()]
    return [
        _channel(item, item, default_capabilities(network(item).load())) if isinstance(item, str) else item
        for item in channels
    ]


def _of_settings(name: str, channel: ChannelTable, locales: Mapping[str, Locale]) -> ChannelConfig:
    common: dict[str, Any] = {
        field: getattr(channel, field) for field in ChannelSettings.model_fields if field != "network"
    }
    options = dict(channel.options)
    if WITHHELD not in options.values():  # else a setting may be wrong only for want of its secret
        listed = channel.recipients is not None or channel.audiences
        audiences = (FunctionAudience(name=name, function=tuple),) if listed else ()
        with suppress(MissingExtra):
            configure_channel(name, channel.network, options, audiences=audiences, locales=locales, **common)
    elif channel.network == "sms" and options.get("url") == WITHHELD:
        options["url"] = f"{_GATEWAY}{'&:from={sender}' if options.get('sender') else ''}"
    kind: Any = network(channel.network).load()
    if getattr(kind, "discovers_capabilities", False):  # it claims less before it has asked its server
        capabilities = default_capabilities(kind)
    else:
        _, capabilities = inspect_channel(channel.network, options, locales)
    return _channel(name, channel.network, capabilities, **common)


def _channel(name: str, on: str, capabilities: Capabilities | None, **common: Any) -> ChannelConfig:  # noqa: ANN401 - ChannelOptions
    if capabilities is None:
        raise SettingsError(
            f"The capabilities of {on!r} are unknown without its account. "
            f"Pass them: channels={{{on!r}: Capabilities(…)}}."
        )
    people = RECIPIENTS.get(on, RECIPIENTS[""])
    audiences = (FunctionAudience(name=name, function=lambda: people),) if capabilities.recipients else ()
    return ChannelConfig(
        name=name, network=on, account=name, capabilities=capabilities, open=_never, audiences=audiences, **common
    )


def _never(_clock: Clock, _keep: StateStore) -> Channel:
    raise NotImplementedError  # pragma: no cover - replaced by the recorder
