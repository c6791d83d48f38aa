"""Watch and steer an installation: its status, its channels, a stop, and deliveries that wait for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol

from policenotify.channel import ChannelConfig, Clock
from policenotify.errors import IncidentNotFound, JournalError, SettingsError, printable
from policenotify.journal.records import describe_incidents
from policenotify.model.decision import HeldDelivery, HeldPeople, Resolved, Resumed, Stopped
from policenotify.model.diagnosis import Diagnosis, DiagnosisLine
from policenotify.model.history import History, Outcome
from policenotify.model.receipt import UNVERIFIED, Publication, Receipt, local_time
from policenotify.model.status import ChannelStatus, InstallationStatus, Problem
from policenotify.publishing.arguments import check_flags
from policenotify.publishing.defaults import latest
from policenotify.publishing.sendings import SendingControls
from policenotify.publishing.status import find_problems, problem_of, read_channels, read_status
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

if TYPE_CHECKING:
    from datetime import tzinfo

    from policenotify.journal.journal import Journal
    from policenotify.model.status import IncidentLine

_UNTRANSLATED = Text("Readers get fixed phrases: the message has no translation.")
_NEAR = 1000  # newest open incidents among which a misspelt name is looked for


class SettingsSource(Protocol):
    """Where the settings of an installation come from, to be read again while it runs."""

    def reopen(self, name: str) -> ChannelConfig | None:
        """Make a channel from the current settings, or return `None` if they cannot be read."""
        ...

    def problem(self) -> AnyText:
        """Return what is wrong with the current settings as a whole, so that nothing could be published."""
        ...

    def examine(self) -> Iterator[DiagnosisLine]:
        """Check the current settings, the files of secrets and the installed networks."""
        ...


class Operations(SendingControls):
    """What an operator does with an installation. Every `Publisher` can do it.

    By itself it needs no channel that can be used, and delivers nothing.

    Attributes:
        journal: The journal.
        channel_configs: The channels of the installation, by name.
        zone: The zone of the times in receipts.
        settings: Where the settings come from, if they are in a file.
    """

    def __init__(
        self,
        journal: Journal,
        channels: Iterable[ChannelConfig],
        *,
        zone: tzinfo,
        settings: SettingsSource | None = None,
    ) -> None:
        self.journal = journal
        self.clock: Clock = journal.clock
        self.channel_configs: dict[str, ChannelConfig] = {channel.name: channel for channel in channels}
        self.zone = zone
        self.settings = settings

    def wake(self) -> None:
        """Do nothing: workers see within a second what is written to the journal."""

    # --- how it is

    def status(self, *, last: int = 5, limit: int | None = 20) -> InstallationStatus:
        """Return alarms, open incidents, what waits on each channel, and the last publications.

        A channel whose settings or secret cannot be read now is named in it, as `publish` would find it.

        Args:
            last: How many publications.
            limit: How many open incidents, and how many older publications that are not finished. The most urgent
                ones come first. `None` stands for all.

        Raises:
            JournalError: The journal cannot be read.
        """
        self._refresh()
        found = read_status(self.journal, self.channel_configs, limit=limit)
        latest = self.journal.publications.latest(last)
        ids = self._unfinished(latest)
        older = filter(None, map(self.journal.publications.get, ids[:limit]))
        reported = self._reported((*latest, *older))
        return found.model_copy(
            update={
                "settings": (self.settings.problem() or None) if self.settings else None,
                "publications": reported[: len(latest)],
                "unfinished_count": len(ids),
                "unfinished": reported[len(latest) :],
            }
        )

    def channels(self) -> tuple[ChannelStatus, ...]:
        """Return the state of each channel: ready, paused, blocked, unusable or removed from the settings.

        The fields of an unusable one state what is wrong and what to do. What is meant for it waits in the journal, and
        is sent once it is mended.
        """
        self._refresh()
        return read_channels(self.journal, self.channel_configs)

    def channel_problems(self) -> dict[str, Problem]:
        """Return the channels that cannot be used now, by name.

        Their deliveries wait in the journal. Causes are a wrong option, a secret that cannot be read, a library that
        is not installed, and a list of recipients that cannot be read or was emptied. Its first rows are read at
        each call, and the rest is checked again at most every ten seconds.

        Raises:
            JournalError: The journal cannot be read.
        """
        self._refresh()
        return find_problems(self.channel_configs.values(), self.journal.deliveries.had_recipients)

    def doctor(self, *, actor: str) -> Diagnosis:
        """Check settings, keys, journal, and the credentials of every channel with its network. Nothing is posted.

        A blocked channel that works again is resumed. One that reported too many recipients as not existing is not.
        It takes as long as the networks take to answer. A journal that cannot be read is a line, not an error.

        Args:
            actor: Who checks. A rule (`may`) may refuse to resume a channel.
        """
        from policenotify.publishing.diagnosis import check_journal  # noqa: PLC0415 - others need no summary of lists

        with suppress(JournalError):  # a line states it
            self._refresh()
        lines = [] if self.settings is None else list(self.settings.examine())
        return Diagnosis(lines=(*lines, *check_journal(self.journal, self.channel_configs, actor, self.zone)))

    # --- publications

    def publication(self, name: str) -> Publication | None:
        """Return a publication by its id or by your key, if there is one."""
        return self._report(name) if self.journal.publications.get(name) else None

    def publications(self, which: str | None = None, *, last: int = 5) -> tuple[Publication, ...]:
        """Return the last publications, newest first, or all of an incident in their order.

        Args:
            which: An incident, or the id or key of one publication.
            last: How many, if none is named.

        Raises:
            IncidentNotFound: There is no incident or publication of that name. The error names the nearest one.
        """
        if which is None:
            return self._reported(self.journal.publications.latest(last))
        history = self.journal.incidents.history(which)
        names = [entry.publication for entry in history.entries] or [which]
        found = tuple(filter(None, map(self.journal.publications.get, names)))
        if not found:
            raise not_found(self.journal, which, self.zone)
        return self._reported(found)

    def incident(self, incident: str) -> Publication:
        """Return the publication of an incident that states how things are now, to build what may follow.

        It is the last one that was neither corrected nor withdrawn. If none is left, it is the last one whose text was
        not erased: its category and place are known, and the end is owed.

        Raises:
            IncidentNotFound: There is no such incident. The error names those that are open.
        """
        history = self.journal.incidents.history(incident)
        if not history.entries:
            raise not_found(self.journal, incident, self.zone, only_incidents=True)
        kept = [entry for entry in history.entries if not entry.erased]
        last = latest(history) or (kept or history.entries)[-1]
        return self._report(last.publication)

    def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """Return the incidents with their deadlines, the latest first."""
        return self.journal.incidents.list(only_open=only_open)

    # --- decisions of a person

    def stop(self, *, actor: str, reason: str = "") -> Stopped:
        """Stop publishing and delivery at once, in all processes, until `resume`.

        What waits stays in the journal. A post under way at this moment may still go out.

        Args:
            actor: Who decided it.
            reason: Why. It is shown with every refused call, up to 1,000 characters of it.

        Raises:
            ValueError: *actor* is empty, too long or cannot be printed.
            NotAllowed: The installation's rule (`may`) refuses it to the actor.
        """
        reason = printable(reason).strip()
        self.journal.stop(actor, reason)
        return Stopped(actor=actor, reason=reason)

    def resume(self, channel: str | None = None, *, actor: str, reason: str = "") -> Resumed:
        """Resume after `stop`, or one channel after it was blocked, and notify the worker and the runners.

        Lists of recipients that could not be read are tried again at once.

        Args:
            channel: The blocked channel. `None` stands for everything after a stop.
            actor: Who decided it.
            reason: Why, for the journal.

        Raises:
            SettingsError: There is no such channel.
            NotAllowed: The installation's rule (`may`) refuses it to the actor.
        """
        journal = self.journal
        halting = {*journal.channels.blocked(), *(each.channel for each in journal.deliveries.waiting_for_lists())}
        if channel is not None and channel not in {*self.channel_configs, *halting}:
            raise SettingsError(
                Text(
                    "{channel!r} is not a channel. {did_you_mean}",
                    channel=channel,
                    did_you_mean=did_you_mean(channel, self.channel_configs),
                )
            )
        halted = journal.stopped() is not None if channel is None else channel in halting
        journal.resume(actor, channel)
        if reason := printable(reason).strip():
            journal.audit.record(actor, "remarked", {"reason": reason}, channel=channel)
        stopped = journal.stopped()
        self.wake()
        return Resumed(resumed=halted, channel=channel, actor=actor, still_stopped=stopped.text if stopped else None)

    def held(self) -> tuple[HeldDelivery, ...]:
        """Return the deliveries that a person must settle with `resolve`, those of the newest publication first."""
        return held_deliveries(self.journal)

    def held_people(self, delivery: int) -> HeldPeople:
        """Return the people of a delivery who are in doubt: each may or may not have the message.

        Raises:
            NotHeld: There is no such delivery.
        """
        people, lists = self.journal.sendings.in_doubt(delivery), self.journal.deliveries.waiting_for_lists()
        waits = next((each for each in lists if each.delivery == delivery), None)
        return HeldPeople(delivery=delivery, people=people, waits_for_list=waits)

    def resolve(self, delivery: int, *, actor: str, posted: bool, people: Collection[str] = ()) -> Resolved:
        """Settle a held delivery, after you looked on the network whether the post is there.

        Args:
            delivery: Its number, as receipts and `held` name it.
            actor: Who decided it.
            posted: The post is there. Otherwise it is sent again.
            people: Only these people of a list: addresses, numbers, or keys as `held_people` names them. By default all
                who are held.

        Raises:
            NotHeld: Nothing of it is held, or one of the people is not in doubt. Nothing was changed.
            NotAllowed: The installation's rule (`may`) refuses it to the actor.
            TypeError: *posted* is not a bool: the text "false" of a web form would mean that the post is there.
        """
        check_flags(posted=posted)
        outcome = self.journal.sendings.resolve(delivery, actor, people, posted=posted)
        if not posted:
            self.wake()
        return Resolved(
            delivery=delivery, posted=posted, actor=actor, outcome=outcome, people=len(people) if people else None
        )

    # --- receipts with their notes

    def _refresh(self) -> None:
        """Read the settings of unusable channels again, if that is due."""

    def _has_worker(self) -> bool:
        return bool(self.journal.workers.running())

    def _unfinished(self, latest: Iterable[Publication]) -> list[str]:
        """Return the ids of other unfinished publications, those that need a person first."""
        needs_person = dict(self.journal.publications.unfinished_ids())
        for publication in latest:
            needs_person.pop(publication.id, None)
        return sorted(needs_person, key=lambda name: not needs_person[name])

    def _report(self, name: str, *, repeated: bool = False) -> Publication:
        """Return a publication from the journal, with notes on who will deliver what waits."""
        with self.journal.snapshot():
            publication = self.journal.publications.get(name)
            if publication is None:
                raise KeyError(name)
            [noted] = self._noted((publication,))
        return noted.model_copy(update={"repeated": repeated})

    def _reported(self, publications: Sequence[Publication]) -> tuple[Publication, ...]:
        return tuple(self._noted(publications))

    def _noted(self, publications: Sequence[Publication]) -> Iterator[Publication]:
        """Yield the publications with notes on who will deliver what waits."""
        waiting = {receipt.channel for each in publications for receipt in each if not receipt.outcome.is_final}
        notes = self._waiting_notes(waiting) if waiting else {}
        for publication in publications:
            receipts = []
            for receipt in publication.receipts:
                retry_at = receipt.retry_at and receipt.retry_at.astimezone(self.zone)
                words = publication.message.wording(receipt.language)
                note = _UNTRANSLATED if words and words.untranslated else ""
                note = Text.join(" ", (note, self._note(receipt, notes)))
                update = {"note": note, "retry_at": retry_at}
                receipts.append(receipt.model_copy(update=update))
            yield publication.model_copy(update={"receipts": tuple(receipts)})

    def _note(self, receipt: Receipt, waiting: Mapping[str, AnyText]) -> AnyText:
        if receipt.outcome is Outcome.SENDING:
            return Text("It is being sent now.")
        if receipt.paused:
            return ""  # the reason states who
        channel = self.channel_configs.get(receipt.channel)
        if receipt.unrendered and (channel is None or channel.problem):
            return ""  # the reason and the remedy are enough
        if not receipt.outcome.is_final:
            return waiting[receipt.channel]
        verified = channel is None or channel.capabilities.acceptance == "verified"
        return UNVERIFIED if receipt.outcome is Outcome.POSTED and not verified else ""

    def _waiting_notes(self, channels: Iterable[str]) -> dict[str, Text]:
        """Return for each channel who sends what waits there, and when."""
        configs, journal = self.channel_configs, self.journal
        seen = journal.workers.last_heartbeat()
        time = local_time(seen, self.zone, seconds=True) if seen else ""
        ran = Text("the last one ran at {time}", time=time) if seen else Text("none has run yet")
        sender = Text("The next publish or `policenotify drain` sends it; {ran}.", ran=ran)
        if self._has_worker():
            sender = Text(
                "A worker sends it; {text}.",
                text=Text("it was last seen at {time}", time=time) if time else Text("it has just started"),
            )
        rates = {name: configs[name].rate if name in configs else None for name in channels}
        limited = {
            name: Text("Nothing leaves on its channel before {at}.", at=local_time(at, self.zone, seconds=True))
            for name, at in journal.channels.opens_at(rates).items()
        }
        problems = {
            name: Text("It waits: {problem_of}", problem_of=problem_of(channel, journal.deliveries.had_recipients))
            for name in rates
            if (channel := configs.get(name)) is not None and channel.problem
        }
        blocked = {
            name: Text(
                "It waits until the channel may go on: policenotify doctor, or policenotify resume {name}", name=name
            )
            for name in journal.channels.blocked()
        }
        if journal.stopped() is not None:
            sender = Text("It waits, for everything is stopped. Go on with: policenotify resume")
            limited, blocked = {}, {}
        return {
            name: problems.get(name) or blocked.get(name) or Text.join(" ", (sender, limited.get(name, "")))
            for name in rates
        }


def held_deliveries(journal: Journal) -> tuple[HeldDelivery, ...]:
    """See `Operations.held`."""
    unfinished = journal.publications.unfinished_ids()
    names = [name for name, needs_person in unfinished.items() if needs_person]
    publications = filter(None, map(journal.publications.get, reversed(names)))
    return tuple(_held(each, receipt) for each in publications for receipt in each if _is_held(receipt))


def _is_held(receipt: Receipt) -> bool:
    """Return True if a person must resolve the delivery, or that of a recipient."""
    return receipt.outcome is Outcome.HELD or bool((receipt.recipients or {}).get(Outcome.HELD))


def not_found(journal: Journal, name: str, zone: tzinfo, *, only_incidents: bool = False) -> IncidentNotFound:
    """Return the error for an unknown name, with the nearest and the open incidents, or for a refused message."""
    if refusal := journal.publications.refusal(name):
        at, codes = refusal
        text = Text(
            "{name}: message refused at {at} by {codes}.",
            name=name,
            at=local_time(at, zone),
            codes=codes or Text("a check"),
        )
        return IncidentNotFound(text, name=name)
    open_now = journal.incidents.list(limit=_NEAR)
    nearest = next(iter(get_close_matches(name, [incident.id for incident in open_now], n=1)), None)
    hint = Text(" Did you mean {nearest!r}?", nearest=nearest) if nearest else ""
    known = describe_incidents(History(), open_now, zone, count=journal.incidents.count_open())
    text = Text("There is no incident, publication or key {name!r}.{hint} {known}", name=name, hint=hint, known=known)
    if only_incidents:
        text = Text("There is no incident {name!r}.{hint} {known}", name=name, hint=hint, known=known)
    return IncidentNotFound(text, name=name, nearest=nearest)


def _held(publication: Publication, receipt: Receipt) -> HeldDelivery:
    people = receipt.recipients
    return HeldDelivery(
        delivery=receipt.delivery,
        channel=receipt.channel,
        language=receipt.language,
        publication=publication.id,
        incident=publication.incident,
        headline=publication.message.headline,
        published_at=publication.at,
        people=None if people is None else people.get(Outcome.HELD, 0),
        reason=receipt.reason,
        remedy=receipt.remedy,
    )
