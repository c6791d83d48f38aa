"""The progress of a sending as lines, and as a bar on a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from policenotify.errors import PolicenotifyError
from policenotify.model.history import Outcome
from policenotify.model.progress import DeliveryProgress, Progress, pace
from policenotify.model.receipt import counted
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from policenotify.cli.context import CliContext
    from policenotify.publishing.publisher import Publisher

_WINDOW: Final = timedelta(seconds=30)  # over which a rate is measured
_MANY: Final = 300  # people from which `publish` shows a bar while it waits; fewer are sent within its usual wait
_LOOK: Final = 0.5  # seconds between two looks then
_MINUTE, _HOUR = 60, 3_600


class Samples:
    """The samples of the last half minute, from which the rate follows."""

    def __init__(self) -> None:
        self._samples: list[Progress] = []

    def add(self, progress: Progress) -> None:
        """Add a sample."""
        begin = progress.at - _WINDOW
        self._samples = [*(sample for sample in self._samples if begin <= sample.at <= progress.at), progress]

    def lines(self) -> list[tuple[DeliveryProgress, Text]]:
        """Return each delivery with recipients as a line: its counts, its rate, and how long it still takes."""
        bulk = self._samples[-1].bulk
        return [(found, Text.join(Text("; "), (counts_line(found), *self._more(found)))) for found in bulk]

    def _more(self, found: DeliveryProgress) -> Iterator[AnyText]:
        if found.halt:
            yield Text("paused") if found.halt == "paused" else Text("aborted")
        elif not found.outcome.is_final:
            now = pace(self._samples, found.delivery)
            if now.rate:
                yield Text("{per_second} per second", per_second=per_second(now.rate))
            if not found.expanded:
                yield Text("the list is still being read")
            elif now.left:
                yield Text("time left: {duration}", duration=duration(now.left))


def per_second(rate: float) -> str:
    """Return a rate with two digits: `450`, `3.2` or `0.25`."""
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}"  # noqa: PLR2004 - of digits


def counts_line(found: DeliveryProgress) -> Text:
    """Return what became of the people of a delivery so far: `presse (fr): 3 posted, 1 refused, 9 waiting of 13`."""
    shown = {
        Outcome.POSTED: found.count(Outcome.POSTED),
        Outcome.REFUSED: found.count(Outcome.REFUSED),
        Outcome.UNCONFIRMED: found.count(Outcome.UNCONFIRMED, Outcome.HELD),
        Outcome.SUPPRESSED: found.count(Outcome.SUPPRESSED),
        Outcome.SUPERSEDED: found.count(Outcome.SUPERSEDED),
        Outcome.WAITING: found.count(Outcome.WAITING, Outcome.SENDING),
    }
    counts = [counted(outcome, count) for outcome, count in shown.items() if count]
    people = Text.join(", ", counts) if counts else Text("nobody yet")
    return Text("{channel} ({language}): {people}", channel=found.channel, language=found.language, people=people)


def duration(length: timedelta) -> str:
    """Return a length of time: `45 s`, `3 min 20 s` or `1 h 05 min`."""
    seconds = round(length.total_seconds())
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE:02} s"
    return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02} min"


def drawn(samples: Samples, say: Callable[[AnyText], str]) -> RenderableType:
    """Return a bar for each delivery, above its line."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text as RichText

    from policenotify.cli.output import plain

    rows = Table.grid()  # a bar alone ends without a line feed
    for found, line in samples.lines():
        whole = max(found.known - found.count(Outcome.SUPPRESSED), 1)
        rows.add_row(ProgressBar(total=whole, completed=whole - found.left, width=60, pulse=not found.known))
        rows.add_row(RichText(plain(say(line))))
    return rows


def live() -> Live:
    """Return the place of the bars, on standard error."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    return Live(console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)


@contextmanager
def shown_while_sending(call: CliContext, publisher: Publisher, name: str) -> Iterator[None]:
    """Show bars on a terminal while a publication is sent to more than some hundred people.

    Args:
        call: The call. With `--json` nothing is shown.
        publisher: It sends in the caller's thread.
        name: The publication's key.
    """
    if call.json or not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_show, args=(call.say, publisher, name, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=2.0)


def _show(say: Callable[[AnyText], str], publisher: Publisher, name: str, ended: threading.Event) -> None:
    samples = Samples()
    with live() as place:
        while not ended.wait(_LOOK):
            try:
                progress = publisher.journal.sendings.progress(name)
            except PolicenotifyError:  # the publication itself reports it
                return
            if progress is None:
                continue
            if progress.is_settled:
                return
            samples.add(progress)
            if any(found.known >= _MANY for found in progress.bulk):
                place.update(drawn(samples, say), refresh=True)
