"""Watch and steer an installation: its status, its channels, a stop, and deliveries that wait for a person."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig
from policenotify.errors import IncidentNotFound, InvalidTransition, JournalError, printable
from policenotify.journal.records import describe_incidents
from policenotify.model.decision import HeldDelivery, HeldPeople, Resolved, Resumed, Steered, Stopped
from policenotify.model.history import History, Outcome
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.model.progress import Progress
from policenotify.model.receipt import UNVERIFIED, Publication, Receipt, local_time
from policenotify.model.status import ChannelStatus, Diagnosis, InstallationStatus, Problem
from policenotify.publishing.alarms import alarms
from policenotify.publishing.arguments import check_channel, check_flags
from policenotify.publishing.status import read_blocked, read_channels, read_status, why_blocked
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from datetime import tzinfo

    from policenotify.delivery.worker import Worker
    from policenotify.journal.journal import Journal
    from policenotify.model.status import IncidentLine
    from policenotify.publishing.installation import SettingsSource

_UNTRANSLATED = Text("Readers get fixed phrases: the message has no translation.")
_NEAR = 1000  # newest open incidents among which a misspelt name is looked for


class Operations:
    """What an operator does with an installation. A publisher has it as `operations`.

    By itself it needs no channel that can be used, and delivers nothing.

    Every decision names its *actor*, who decided it. A *reason* is for the journal. All of them raise `ValueError` for
    an actor that is empty, too long or cannot be printed, and `NotAllowed` if the installation's rule (`may`) refuses
    it to the actor. Nothing was changed then.

    Attributes:
        journal: The journal.
        channel_configs: The channels of the installation, by name.
        zone: The zone of the times in receipts.
        settings: Where the settings come from, if they are in a file.
    """

    def __init__(
        self,
        journal: Journal,
        channels: Mapping[str, ChannelConfig],
        *,
        zone: tzinfo,
        settings: SettingsSource | None = None,
        worker: Worker | None = None,
        wake: Callable[[], object] = bool,
        refresh: Callable[[], object] = bool,
    ) -> None:
        """Make them. What a publisher adds: its worker, and how to wake it and to read settings again."""
        self.journal = journal
        self.channel_configs = channels
        self.zone = zone
        self.settings = settings
        self._wake = wake
        self._refresh = refresh
        self._worker = worker

    # --- how it is

    def status(self, *, last: int = 5, limit: int | None = 20) -> InstallationStatus:
        """Return alarms, open incidents, what waits on each channel, and the last publications.

        A channel whose settings or secret cannot be read now is blocked in it, as `publish` would find it.

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
        shown = {publication.id for publication in latest}
        unfinished = self.journal.publications.unfinished_ids()
        ids = [name for name in sorted(unfinished, key=lambda name: not unfinished[name]) if name not in shown]
        older = filter(None, map(self.journal.publications.get, ids[:limit]))
        reported = tuple(self._noted((*latest, *older)))
        found = found.model_copy(
            update={
                "settings": (self.settings.problem() or None) if self.settings else None,
                "publications": reported[: len(latest)],
                "unfinished_count": len(ids),
                "unfinished": reported[len(latest) :],
            }
        )
        return found.model_copy(update={"alarms": tuple(alarms(found, self.zone))})

    def channels(self) -> tuple[ChannelStatus, ...]:
        """Return the state of each channel: ready, paused, blocked or removed from the settings.

        The fields of a blocked one state what is wrong and what to do. What is meant for it waits in the journal,
        and is sent once it is mended.
        """
        self._refresh()
        return read_channels(self.journal, self.channel_configs, self.journal.figures.read(people=False))

    def blocked(self, names: Collection[str] | None = None) -> dict[str, Problem]:
        """Return the channels on which nothing is sent until a person acts, by name, and why.

        Their deliveries wait in the journal. The network refuses the account, or the cause is a wrong option, a secret
        that cannot be read, a library that is not installed, or a list of recipients that cannot be read or was
        emptied. Its first rows are read at each call, and the rest is checked again at most every ten seconds.

        Raises:
            JournalError: The journal cannot be read.
        """
        self._refresh()
        configs = self.channel_configs
        asked = configs if names is None else {name: configs[name] for name in names if name in configs}
        found = read_blocked(self.journal, asked)
        return found if names is None else {name: found[name] for name in sorted(names) if name in found}

    def doctor(self, *, actor: str) -> Diagnosis:
        """Check settings, keys, journal, and the credentials of every channel with its network. Nothing is posted.

        A blocked channel that works again is resumed. One that reported too many recipients as not existing is not.
        It takes as long as the networks take to answer. A journal that cannot be read is a line, not an error.

        If the rule (`may`) refuses to resume a channel, its line states it.
        """
        from policenotify.publishing.diagnosis import check_journal  # noqa: PLC0415 - others need no summary of lists

        with suppress(JournalError):  # a line states it
            self._refresh()
        lines = [] if self.settings is None else list(self.settings.examine())
        return Diagnosis(lines=(*lines, *check_journal(self.journal, self.channel_configs, actor, self.zone)))

    # --- publications

    def publication(self, name: str) -> Publication | None:
        """Return a publication by its id or by your key, if there is one."""
        with self.journal.snapshot():
            publication = self.journal.publications.get(name)
            return next(self._noted((publication,))) if publication else None

    def publications(self, which: str | None = None, *, last: int = 5) -> tuple[Publication, ...]:
        """Return the last publications, newest first, or all of an incident in their order, or that of an id or key.

        Raises:
            IncidentNotFound: There is no incident, id or key of that name. The error names the nearest one.
        """
        if which is None:
            return tuple(self._noted(self.journal.publications.latest(last)))
        history = self.journal.incidents.history(which)
        names = history.publications or [which]
        found = tuple(filter(None, map(self.journal.publications.get, names)))
        if not found:
            raise not_found(self.journal, which, self.zone)
        return tuple(self._noted(found))

    def incident(self, incident: str) -> Publication:
        """Return the publication of an incident that states how things are now, to build what may follow.

        It is the last one that was neither corrected nor withdrawn. If none is left, it is the last one whose text was
        not erased: its category and place are known, and the end is owed. If the journal cannot read one of them, it is
        what the list of incidents states.

        Raises:
            IncidentNotFound: There is no such incident. The error names those that are open.
        """
        history = self.journal.incidents.history(incident)
        kept = [entry for entry in history.entries if not entry.erased]
        last = history.latest or next(reversed(kept or history.entries), None)
        name = last.publication if last else next(reversed(history.publications), None)
        publication = self.publication(name) if name else None
        if publication is None:  # or it was purged in this very moment
            raise not_found(self.journal, incident, self.zone)
        return _as_listed(self.journal, publication, history)

    def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """Return the incidents with their deadlines, the latest first."""
        return self.journal.incidents.list(only_open=only_open)

    # --- decisions of a person

    def stop(self, *, actor: str, reason: str = "") -> Stopped:
        """Stop publishing and delivery at once, in all processes, until `resume`.

        What waits stays in the journal. A post under way at this moment may still go out. The reason is shown with
        every refused call, up to 1,000 characters of it.
        """
        reason = printable(reason).strip()
        self.journal.stop(actor, reason)
        return Stopped(actor=actor, reason=reason)

    def resume(self, channel: str | None = None, *, actor: str, reason: str = "") -> Resumed:
        """Resume after `stop`, or one channel after it was blocked, and notify the worker and the runners.

        Without a *channel* it resumes everything. Lists of recipients that could not be read are tried again at once.

        Raises:
            SettingsError: There is no such channel.
        """
        journal = self.journal
        halting = {*journal.channels.blocked(), *(name for name, _ in journal.deliveries.waiting_for_lists().values())}
        check_channel(channel, {*self.channel_configs, *halting})
        halted = journal.stopped() is not None if channel is None else channel in halting
        journal.resume(actor, channel)
        if reason := printable(reason).strip():
            journal.audit.record(actor, "remarked", {"reason": reason}, channel=channel)
        stopped = journal.stopped()
        self._wake()
        return Resumed(resumed=halted, channel=channel, actor=actor, still_stopped=stopped.text if stopped else None)

    def held(self) -> tuple[HeldDelivery, ...]:
        """Return the deliveries that a person must settle with `resolve`, those of the newest publication first."""
        return held_deliveries(self.journal)

    def held_people(self, delivery: int) -> HeldPeople:
        """Return the people of a delivery who are in doubt: each may or may not have the message.

        Raises:
            NotHeld: There is no such delivery.
        """
        people = self.journal.sendings.in_doubt(delivery)
        _, waits = self.journal.deliveries.waiting_for_lists().get(delivery, ("", None))
        return HeldPeople(delivery=delivery, people=people, waits_for_list=waits)

    def resolve(self, delivery: int, *, actor: str, posted: bool, people: Collection[str] = ()) -> Resolved:
        """Settle a held delivery, after you looked on the network whether the post is there.

        Unless it is *posted*, it is sent again. Of a list all who are held are settled, or only those whom *people*
        names, by addresses, numbers, or keys as `held_people` has them.

        Raises:
            NotHeld: Nothing of it is held, or one of the people is not in doubt. Nothing was changed.
            TypeError: *posted* is not a bool: the text "false" of a web form would mean that the post is there.
        """
        check_flags(posted=posted)
        outcome = self.journal.sendings.resolve(delivery, actor, people, posted=posted)
        if not posted:
            self._wake()
        return Resolved(delivery=delivery, posted=posted, actor=actor, outcome=outcome, people=len(people) or None)

    # --- sendings to many people

    def progress(self, publication: str) -> Progress:
        """Return how far a publication is: how many people have which outcome, and why. It names no person.

        It takes some milliseconds, whatever the list. The rate and the time left follow from two samples; see
        [`pace`][policenotify.model.progress.pace].

        Raises:
            KeyError: There is no publication of that id or key.
        """
        return self.journal.sendings.progress(self._id_of(publication))

    def pause_sending(self, publication: str, *, actor: str, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people until `resume_sending`; see `Sendings.pause` of the journal.

        It takes effect after the people who are marked, in every process: on one *channel*, or on all that have
        recipients. Posts on other networks are not paused.

        Raises:
            KeyError: There is no publication of that id or key.
        """
        return self.journal.sendings.pause(
            self._id_of(publication), actor, channel=channel, reason=printable(reason).strip()
        )

    def resume_sending(self, publication: str, *, actor: str, channel: str | None = None) -> Steered:
        """Go on with what was paused, and notify the worker and the runners. Raises as `pause_sending`."""
        resumed = self.journal.sendings.resume(self._id_of(publication), actor, channel=channel)
        self._wake()
        return resumed

    def abort_sending(self, publication: str, *, actor: str, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people for good. Raises as `pause_sending`.

        People who wait get the outcome `superseded`, with the actor in the reason. People in doubt are held. Those who
        have the message keep it, and still get the end of its incident.
        """
        return self.journal.sendings.abort(
            self._id_of(publication), actor, channel=channel, reason=printable(reason).strip()
        )

    def _id_of(self, publication: str) -> str:
        found = self.journal.publications.get(publication)
        if found is None:
            raise KeyError(publication)
        return found.id

    def _noted(self, publications: Sequence[Publication]) -> Iterator[Publication]:
        """Yield the publications with notes on who will deliver what waits."""
        waiting = {receipt.channel for each in publications for receipt in each if not receipt.outcome.is_final}
        notes, in_hand = self._waiting_notes(waiting) if waiting else ({}, frozenset())
        for publication in publications:
            receipts = []
            for receipt in publication.receipts:
                retry_at = receipt.retry_at and receipt.retry_at.astimezone(self.zone)
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
        channel = self.channel_configs.get(receipt.channel)
        verified = channel is None or channel.capabilities.acceptance == "verified"
        return UNVERIFIED if receipt.outcome is Outcome.POSTED and not verified else ""

    def _waiting_notes(self, channels: Iterable[str]) -> tuple[dict[str, Text], frozenset[str]]:
        """Return for each channel who sends what waits there, and when; and the channels on which a worker does."""
        configs, journal = self.channel_configs, self.journal
        seen = journal.workers.last_heartbeat()
        time = local_time(seen, self.zone, seconds=True) if seen else ""
        ran = Text("the last one ran at {time}", time=time) if seen else Text("none has run yet")
        sender = Text("The next publish or `policenotify drain` sends it; {ran}.", ran=ran)
        works = self._worker is not None and self._worker.running  # the journal may not know it yet
        works = works or bool(journal.workers.running())
        if works:
            seen_at = Text("it was last seen at {time}", time=time) if time else Text("it has just started")
            sender = Text("A worker sends it; {text}.", text=seen_at)
        rates = {name: configs[name].rate if name in configs else None for name in channels}
        limited = {
            name: Text("Nothing leaves on its channel before {at}.", at=local_time(at, self.zone, seconds=True))
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


def held_deliveries(journal: Journal) -> tuple[HeldDelivery, ...]:
    """See `Operations.held`."""
    unfinished = journal.publications.unfinished_ids()
    names = [name for name, needs_person in unfinished.items() if needs_person]
    publications = filter(None, map(journal.publications.get, reversed(names)))
    return tuple(
        HeldDelivery(
            delivery=receipt.delivery,
            channel=receipt.channel,
            language=receipt.language,
            publication=each.id,
            incident=each.incident,
            headline=each.message.headline,
            published_at=each.at,
            people=None if receipt.recipients is None else receipt.recipients.get(Outcome.HELD, 0),
            reason=receipt.reason,
            remedy=receipt.remedy,
        )
        for each in publications
        for receipt in each
        if receipt.outcome is Outcome.HELD or receipt.count(Outcome.HELD)
    )


def find_publication(journal: Journal, name: str, zone: tzinfo) -> Publication:
    """Return the publication of that id or key, or the last one of that incident. An incident takes precedence.

    Raises:
        IncidentNotFound: There is none.
        InvalidTransition: The name means two publications.
    """
    history, named = journal.incidents.history(name), journal.publications.get(name)
    last_id = next(reversed(history.publications), name)
    if history.publications and named is not None and named.incident != name:
        raise InvalidTransition(
            Text(
                "{name!r} is an incident, and also the key of publication {id}, which does not belong to it. "
                "Give the id of the publication, or that of the incident's last one: {last_id}.",
                name=name,
                id=named.id,
                last_id=last_id,
            ),
            incident=name,
        )
    found = journal.publications.get(last_id) if history.publications else named
    if found is None:
        raise not_found(journal, name, zone)
    return _as_listed(journal, found, history)


def _as_listed(journal: Journal, publication: Publication, history: History) -> Publication:
    """Return the last publication of an incident. If one of them cannot be read, it states what its list states."""
    line = journal.incidents.line(history.incident) if history.damage and history.incident else None
    if line is None:
        return publication
    message = Message(
        category=line.category,
        severity=line.severity,
        exercise=line.exercise,
        lifecycle=publication.message.lifecycle,
        headline=line.headline,
        location=Location(label=line.place) if line.place else None,
    )
    return publication.model_copy(update={"message": message})  # the message is validated, and nothing is stored


def not_found(journal: Journal, name: str, zone: tzinfo) -> IncidentNotFound:
    """Return the error for an unknown name, with the nearest and the open incidents, or for a refused message."""
    if at := journal.publications.refused_at(name):
        text = Text(
            "{name}: the checks refused this message at {at}. It was not sent.", name=name, at=local_time(at, zone)
        )
        return IncidentNotFound(text, name=name)
    open_now = journal.incidents.list(limit=_NEAR)
    nearest = next(iter(get_close_matches(name, [incident.id for incident in open_now], n=1)), None)
    hint = Text(" Did you mean {nearest!r}?", nearest=nearest) if nearest else ""
    known = describe_incidents(History(), open_now, zone)
    text = Text("There is no incident, publication or key {name!r}.{hint} {known}", name=name, hint=hint, known=known)
    return IncidentNotFound(text, name=name, nearest=nearest)
