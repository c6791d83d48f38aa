"""A publisher that publishes nothing, for tests of an application: what would have been said is there to be read.

```python
@pytest.fixture
def desk():
    with recorded() as desk:
        yield desk
```
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from policenotify.channel import Capabilities, ChannelConfig, Clock
from policenotify.errors import ChannelError
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reminders import Reminder
from policenotify.publishing.routing import Route
from policenotify.settings import read_settings
from policenotify.testing._likeness import FIVE, channels_from, installation
from policenotify.testing.fakes import FakeClock
from policenotify.testing.recorder import Fault, RecordedPost, Recorder, opener
from policenotify.validation import did_you_mean

AGAIN = timedelta(minutes=10)
"""When what failed is tried again: later than any application waits, so that a test sees what one try has come to."""

_PARIS = ZoneInfo("Europe/Paris")
_BUDGET = timedelta(seconds=20)  # for which is delivered at the most; nothing here takes so long


class Recording:
    """What an application's publisher would have published: a real publisher, on channels that only write down.

    Made by [`recorded`][policenotify.testing.recording.recorded].

    Attributes:
        publisher: To be handed to the code under test. All of it is real but the networks: checks, routes, wording,
            journal, retries.
        clock: Tells its time.
    """

    def __init__(self, recorder: Recorder, open_: Callable[..., Publisher], clock: FakeClock | _Machine) -> None:
        self._recorder = recorder
        self._open = open_
        self.clock = clock
        self.publisher: Publisher = open_()

    def __repr__(self) -> str:
        said = [f"  {post!r}" for post in self.posts] or ["  nothing was said"]
        return "\n".join((f"Recording of {', '.join(self.publisher.channels)}:", *said))

    @property
    def posts(self) -> tuple[RecordedPost, ...]:
        """Everything that was said, in order: posts, edits and deletions; of one moment, channel by channel."""
        return self._recorder.posts

    def on(self, channel: str) -> tuple[RecordedPost, ...]:
        """What was said on one channel, in order.

        Raises:
            KeyError: There is no such channel.
        """
        self._check(channel)
        return tuple(post for post in self.posts if post.channel == channel)

    def fail_next(
        self, channel: str, error: ChannelError, *, times: int = 1, published: bool = False, recipient: str = ""
    ) -> None:
        """Let the next posts, edits or deletions on a channel fail.

        What fails and may be asked again is tried again ten minutes later: `deliver(after=timedelta(minutes=10))`.

        Args:
            channel: Its name.
            error: What it raises: `Refused`, `Blocked`, `Unavailable` or `Unconfirmed`.
            times: How often.
            published: Readers have it all the same, as behind an `Unconfirmed` they may.
            recipient: On a channel with recipients: only this person's fails.

        Raises:
            KeyError: There is no such channel.
            ValueError: No network could fail like that.
        """
        self._check(channel)
        people = self.publisher.channels[channel].capabilities.recipients
        fault = Fault(error=error, published=published, recipient=recipient, people=people)
        self._recorder.faults[channel] += [fault] * times

    def deliver(self, *, after: timedelta = timedelta(0)) -> None:
        """Let so much time pass, and then deliver what is due: what failed is tried again, the desk is reminded.

        Also for code that publishes with `wait=timedelta(0)` and leaves delivering to a worker.
        """
        self.clock.pass_by(after.total_seconds())
        self.publisher.drain(_BUDGET)

    def open_publisher(
        self,
        path: str | os.PathLike[str] | None = None,  # noqa: ARG002 - as `policenotify.open_publisher`, to stand for it
        *,
        journal: str | None = None,  # noqa: ARG002 - the same
        clock: Clock | None = None,  # noqa: ARG002 - the same
        on_overdue: Callable[[Reminder], object] | None = None,
    ) -> Publisher:
        """Another publisher on the same channels and journal, whatever the settings: for code that opens its own.

        `monkeypatch.setattr("dispatch.alerts.open_publisher", desk.open_publisher)`, where `dispatch/alerts.py` begins
        with `from policenotify import open_publisher`.
        """
        return self._open(on_overdue=on_overdue)

    def _check(self, channel: str) -> None:
        if channel not in self.publisher.channels:
            raise KeyError(f"There is no channel {channel!r} here. {did_you_mean(channel, self.publisher.channels)}")


@contextmanager
def recorded(
    channels: Iterable[str | ChannelConfig] | Mapping[str, Capabilities] | None = None,
    *,
    settings: str | os.PathLike[str] | None = None,
    routes: Sequence[Route] | None = None,
    sender: str | None = None,
    zone: tzinfo | None = None,
    clock: FakeClock | None = None,
    journal: str | None = None,
) -> Iterator[Recording]:
    """A publisher whose channels only record: for tests of code that publishes. Nothing leaves, no library is loaded.

    ```python
    with recorded() as desk:
        close_the_road(desk.publisher)
        assert "avenue de Toulouse" in desk.on("x")[0].text
    ```

    The texts are those of the true networks, byte for byte. Nothing is left behind: no file, no thread.

    Args:
        channels: Names of networks (`"x"`), each as most of its accounts are; or abilities by the name of a channel;
            or channels as an installation uses them, whose network is left alone. By default X, Mastodon, Bluesky,
            mail and SMS.
        settings: An installation's settings file: its channels, routes, languages and categories. No secret and no
            list of recipients that they name is read.
        routes: What goes where; none: everything everywhere.
        sender: The service's name; by default "Police nationale".
        zone: In whose time readers are told when; by default that of Paris.
        clock: Tells the time; by default the machine's does, and time goes on while the test runs.
        journal: Another journal than one of its own in a temporary folder: for code that publishes in transactions of
            its own database. It stays. With settings their keys are used, as whoever made it has.

    Raises:
        ValueError: There are settings, and something that they say themselves.
        SettingsError: The settings are wrong, or what a network can do is not known without its account.
        AssertionError: A fault was asked for, and nothing was said on that channel any more.
    """
    given = {"channels": channels, "routes": routes, "sender": sender, "zone": zone}
    if settings is not None and (twice := [name for name, value in given.items() if value is not None]):
        raise ValueError(f"{', '.join(twice)}: the settings say it; leave it out")
    told = clock or _Machine()
    said = read_settings(settings, secrets=False) if settings is not None else None
    said_of, how = installation(said) if said else (channels_from(FIVE if channels is None else channels), {})
    how = {"sender": sender or "Police nationale", "zone": zone or _PARIS, "routes": routes or (), **how}
    recorder = Recorder(told, order=[one.name for one in said_of])
    silent = [
        replace(one, account=one.name, open=opener(recorder, one), discovers_capabilities=False, rate=None)
        for one in said_of
    ]
    # No secrets: a public reference that follows from them is then the same at each run.
    invented = Keys.create(random.Random(0).randbytes)  # noqa: S311 - the same
    keys = Keys.load(said.keys_path) if said and journal else invented
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="policenotify-recorded-"))
        url = journal or str(Path(folder) / "journal.db")

        def open_(*, on_overdue: Callable[[Reminder], object] | None = None) -> Publisher:
            ledger = open_journal(url, keys=keys, clock=told, create=True)
            opened.callback(ledger.close)
            made = Publisher(
                journal=ledger,
                channels=silent,
                clock=_Pace(told),
                backoff=lambda _age: AGAIN,
                on_overdue=on_overdue,
                **how,
            )
            return opened.enter_context(made)

        yield Recording(recorder, open_, told)
    recorder.check_faults()


class _Machine(SystemClock):
    """The machine's clock, which can be put ahead."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self._ahead

    def pass_by(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


class _Pace(SystemClock):
    """Tells another's time; how much time passes, the machine does: a clock that stands still keeps nobody waiting."""

    def __init__(self, told: Clock) -> None:
        self._told = told

    def now(self) -> datetime:
        return self._told.now()
