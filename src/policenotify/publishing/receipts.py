"""Publications with notes on who delivers what waits of them, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig
from policenotify.model.history import Outcome
from policenotify.model.receipt import UNVERIFIED, Publication, Receipt, local_time
from policenotify.publishing.status import why_blocked
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from datetime import tzinfo

    from policenotify.delivery.worker import Worker
    from policenotify.journal.journal import Journal

_UNTRANSLATED = Text("Readers get fixed phrases: the message has no translation.")


class Receipts:
    """Reads publications from the journal, with their notes.

    Args:
        journal: The journal.
        channels: The channels of the installation, by name.
        zone: The zone of the times.
        worker: The worker of this process. If it runs, the journal may not know it yet.
    """

    def __init__(
        self,
        journal: Journal,
        channels: Mapping[str, ChannelConfig],
        zone: tzinfo,
        worker: Worker | None,
    ) -> None:
        self._journal = journal
        self._channels = channels
        self._zone = zone
        self._worker = worker

    def find(self, name: str) -> Publication | None:
        """Return a publication by its id or key, with notes on who will deliver what waits."""
        with self._journal.snapshot():
            publication = self._journal.publications.get(name)
            return next(self.noted((publication,))) if publication else None

    def report(self, name: str, *, repeated: bool = False) -> Publication:
        """Return a publication that was stored, as `find` does.

        Raises:
            KeyError: There is none.
        """
        publication = self.find(name)
        if publication is None:
            raise KeyError(name)
        return publication.model_copy(update={"repeated": repeated})

    def noted(self, publications: Sequence[Publication]) -> Iterator[Publication]:
        """Yield the publications with notes on who will deliver what waits."""
        waiting = {receipt.channel for each in publications for receipt in each if not receipt.outcome.is_final}
        notes, in_hand = self._waiting_notes(waiting) if waiting else ({}, frozenset())
        for publication in publications:
            receipts = []
            for receipt in publication.receipts:
                retry_at = receipt.retry_at and receipt.retry_at.astimezone(self._zone)
                words = publication.message.wording(receipt.language)
                note = _UNTRANSLATED if words and words.untranslated else ""
                note = Text.join(" ", (note, self._note(receipt, notes)))
                handled = receipt.channel in in_hand and not receipt.outcome.is_final and not receipt.paused
                update = {"note": note, "retry_at": retry_at, "in_hand": handled}
                receipts.append(receipt.model_copy(update=update))
            yield publication.model_copy(update={"receipts": tuple(receipts)})

    def _note(self, receipt: Receipt, waiting: Mapping[str, AnyText]) -> AnyText:
        if receipt.outcome is Outcome.SENDING:
            return Text("It is being sent now.")
        if receipt.paused:
            return ""  # the reason states who
        if not receipt.outcome.is_final:
            return waiting[receipt.channel]
        channel = self._channels.get(receipt.channel)
        verified = channel is None or channel.capabilities.acceptance == "verified"
        return UNVERIFIED if receipt.outcome is Outcome.POSTED and not verified else ""

    def _waiting_notes(self, channels: Iterable[str]) -> tuple[dict[str, Text], frozenset[str]]:
        """Return for each channel who sends what waits there, and when; and the channels on which a worker does."""
        configs, journal = self._channels, self._journal
        seen = journal.workers.last_heartbeat()
        time = local_time(seen, self._zone, seconds=True) if seen else ""
        ran = Text("the last one ran at {time}", time=time) if seen else Text("none has run yet")
        sender = Text("The next publish or `policenotify drain` sends it; {ran}.", ran=ran)
        works = (self._worker is not None and self._worker.running) or bool(journal.workers.running())
        if works:
            sender = Text(
                "A worker sends it; {text}.",
                text=Text("it was last seen at {time}", time=time) if time else Text("it has just started"),
            )
        rates = {name: configs[name].rate if name in configs else None for name in channels}
        limited = {
            name: Text("Nothing leaves on its channel before {at}.", at=local_time(at, self._zone, seconds=True))
            for name, at in journal.channels.opens_at(rates).items()
        }
        blocked = {
            name: Text(
                "It waits until the channel may go on: policenotify doctor, or policenotify resume {name}", name=name
            )
            for name in journal.channels.blocked()
        }
        by_settings = {
            name: Text("It waits: {why}", why=why_blocked(channel, journal.deliveries.had_recipients))
            for name, channel in configs.items()
            if name in rates and channel.blocked
        }
        if journal.stopped() is not None:
            works = False
            sender = Text("It waits, for everything is stopped. Go on with: policenotify resume")
            limited, blocked = {}, {}
        blocked |= by_settings
        notes = {name: blocked.get(name) or Text.join(" ", (sender, limited.get(name, ""))) for name in rates}
        return notes, frozenset(rates.keys() - blocked.keys() if works else ())
