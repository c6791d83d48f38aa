"""The one door: decide, journal, deliver, and say what became of it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Self

from policenotify.channel import ChannelConfig, Clock
from policenotify.checks import CHECKS, Check
from policenotify.delivery.attempt import patience
from policenotify.delivery.dispatcher import Dispatcher
from policenotify.delivery.worker import Worker
from policenotify.errors import (
    InvalidTransition,
    JournalError,
    MessageRejected,
    SettingsError,
)
from policenotify.findings import Finding
from policenotify.journal.records import LEASE, describe_incidents
from policenotify.model.history import Outcome, Pending, RenderedPost, Target
from policenotify.model.message import Message
from policenotify.model.receipt import UNVERIFIED, Publication, Receipt, local_time
from policenotify.publishing.duty import DutyNotifier
from policenotify.publishing.fault import Fault, fault_of
from policenotify.publishing.pending import PendingDeliveries
from policenotify.publishing.preparation import LoadedMessage, Preparer
from policenotify.publishing.reminders import CATEGORY as DUTY_CATEGORY
from policenotify.publishing.reminders import Reminder, ReminderPolicy, Reminders, duty_profile
from policenotify.publishing.routing import Route
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, Locale
from policenotify.validation import did_you_mean

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from policenotify.journal.journal import Journal
    from policenotify.journal.records import IncidentLine
    from policenotify.journal.workers import Runner

_log = logging.getLogger("policenotify")
_DESKS = 5  # how often a publication is decided anew when other desks are faster
_TURN = timedelta(seconds=5)  # for which a worker delivers before it looks up


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `publish` would send.

    Attributes:
        message: The message as it would be journalled.
        findings: What the checks remark; blocking ones would keep it from going out.
        wordings: How it would read, on each channel and in each language.
        deletions: Which earlier posts would be taken back.
        pending: What would wait, since its channel cannot be used now.
        refusals: Where it cannot be said, since even its briefest form does not fit; each leg says why in `refused`.
    """

    message: Message
    findings: tuple[Finding, ...] = ()
    wordings: tuple[RenderedPost, ...] = ()
    deletions: tuple[Target, ...] = ()
    pending: tuple[Pending, ...] = ()
    refusals: tuple[Target, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it might go out."""
        return not any(finding.blocks for finding in self.findings)


class Publisher:
    """Publishes messages on the channels of an installation.

    Usually made from the settings, by `policenotify.open_publisher()`. It may be used from several threads; nothing
    starts when it is made. Use it as a context manager, or call `close`.
    """

    def __init__(  # noqa: PLR0913 - what an installation is; all named at the call, most with a default
        self,
        *,
        journal: Journal,
        channels: Iterable[ChannelConfig],
        routes: Sequence[Route] = (),
        profiles: Mapping[str, CategoryProfile] = PROFILES,
        locales: Mapping[str, Locale] = LOCALES,
        zone: tzinfo,
        sender: str,
        wait: timedelta = timedelta(seconds=20),
        clock: Clock | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        checks: Sequence[Check] = CHECKS,
        lease: timedelta = LEASE,
        patience: Callable[[timedelta], timedelta] = patience,
        reminding: ReminderPolicy | None = None,
        on_overdue: Callable[[Reminder], object] | None = None,
        runners: Iterable[Runner] = (),
        reopen: Callable[[str], ChannelConfig | None] | None = None,
    ) -> None:
        """Make a publisher.

        Args:
            journal: Where everything is written down.
            channels: The channels of the installation.
            routes: Which message goes where; none: every message goes everywhere.
            profiles: What each category means.
            locales: The fixed phrases of each language.
            zone: The zone in which readers are told times.
            sender: The service's name.
            wait: For how long `publish` delivers before it returns.
            clock: Tells how much time passes, and channels what time it is; by default the journal's own, which alone
                says when something was said.
            entropy: Gives that many random bytes.
            checks: What is checked before anything is published.
            lease: For how long a claimed delivery stays its owner's without a word.
            patience: Returns how long to wait after a failure, from how long the wait after the one before it was.
            reminding: When the desk is reminded of a word that it owes, and where.
            on_overdue: Called with each reminder that this process raises, in the thread that drains.
            runners: Engines of the host that deliver, and are told when something is published.
            reopen: Makes a channel that could not be used again, from the settings as they are now.

        Raises:
            SettingsError: Two channels are the same account, or a duty channel is none.
        """
        self.journal = journal
        self.channels: dict[str, ChannelConfig] = {channel.name: channel for channel in channels}
        _refuse_shared_accounts(self.channels.values())
        self.routes: tuple[Route, ...] = tuple(routes)
        self.profiles = profiles
        self.locales = locales
        self.zone = zone
        self.sender = sender
        self.wait = wait
        self.clock: Clock = clock or journal.clock
        self.runners: list[Runner] = list(runners)
        self._delivery = Dispatcher(
            journal=journal, channels=self.channels, clock=self.clock, lease=lease, patience=patience
        )
        reminding = reminding or ReminderPolicy()
        for name in reminding.to:
            if name not in self.channels:
                raise SettingsError(f"reminders.to: {name!r} is no channel. {did_you_mean(name, self.channels)}")
        self._reminders = Reminders(journal=journal, reminding=reminding, on_overdue=on_overdue)
        self._deciding = Preparer(
            journal=journal,
            channels=self.channels,
            duty=reminding.to,
            routes=self.routes,
            profiles=profiles,
            locales=locales,
            zone=zone,
            sender=sender,
            clock=self.clock,
            checks=checks,
            entropy=entropy,
        )
        self._pending = PendingDeliveries(
            journal=journal,
            channels=self.channels,
            # The messages to duty channels are worded by no category of the installation's.
            deciding=replace(self._deciding, profiles={**profiles, DUTY_CATEGORY: duty_profile(reminding, level=1)}),
            clock=self.clock,
            reopen=reopen,
        )
        self._duty = DutyNotifier(journal=journal, deciding=self._deciding, reminders=self._reminders)
        self._worker = Worker(_Background(journal, self._delivery, self._look_after, self._next_at), clock=self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give what is under way some seconds to finish, and let go of the journal. May be called twice."""
        self._worker.stop()
        self._delivery.close()
        self.journal.close()

    # --- saying something

    def preview(self, message: Message, *, to: Sequence[str] | None = None) -> Preview:
        """Exactly what `publish` would send now, without writing or sending anything.

        Raises:
            InvalidTransition: Its stage may not follow in its incident.
            MessageTooLong: What must be said fits none of the channels.
            InvalidImage: A picture cannot be used.
            SettingsError: No channel is meant, or an unknown one.
        """
        at = self.journal.now()
        made = self._deciding.decide(
            self._deciding.given(message), to=to, publication=self._deciding.ulid(at), at=at, anyway=True
        )
        return Preview(
            message=made.message,
            findings=made.findings,
            wordings=made.wordings,
            deletions=tuple(leg for leg in made.wordless if not leg.skip and not leg.refused),
            pending=made.pending,
            refusals=tuple(leg for leg in made.wordless if leg.refused),
        )

    def publish(
        self,
        message: Message,
        *,
        key: str,
        actor: str,
        to: Sequence[str] | None = None,
        wait: timedelta | float | None = None,
        connection: Connection | None = None,
    ) -> Publication:
        """Say it: write it into the journal, deliver it, and return what became of it.

        Never lost; never twice where the network gives a key or a readable timeline; otherwise your documented
        choice (`on_unknown` of the channel).

        Args:
            message: What to say.
            key: Your own name for this publication, 1 to 200 characters: the same key publishes once, however often
                you ask; you get the receipt of the first time.
            actor: Who says it: an officer's service name or a system's.
            to: Names or tags of the channels that an opening or standalone message goes to; by default the routes
                decide. What follows goes to whoever got the opening.
            wait: For how long to deliver before returning; a number is seconds. Zero: return when it is journalled.
                By default as set for the publisher. What is not delivered by then is waiting in the journal, and the
                receipt says so.
            connection: Your own transaction on the journal's database (of a `Session`: `session.connection()`), in
                which it is then written, and nothing of it is delivered: it is said if you commit, and was never said
                if you roll back. All that it depends on is read there, too. What fails (a message that may not go
                out, a key that was used) leaves your transaction usable; the draft of a message that a check forbids
                is kept if you commit. On SQLite begin it with `BEGIN IMMEDIATE`: one that has only read so far may
                find that another process has written since, and then has to be begun anew.

        Raises:
            ValueError: The key or the actor has no name, *wait* is no time, or there is something to wait for in your
                own transaction.
            MessageRejected: A check forbids it; the draft is kept.
            InvalidTransition: Its stage may not follow in its incident, or another desk was faster.
            IdempotencyConflict: The key names another message.
            MessageTooLong: What must be said fits none of the channels.
            InvalidImage: A picture cannot be used.
            PublishingStopped: Everything is stopped.
            SettingsError: No channel is meant, or an unknown one.
            JournalError: The journal cannot be written; nothing was sent that is not in it. If it fails only after the
                message was written, the message waits there: ask again with the same key.

        In all other cases nothing was sent.
        """
        _check_names(key, actor)
        # Before anything is written: a wrong value must not come to light after that.
        wait = _span(self.wait if wait is None and connection is None else wait)
        if connection is not None and wait:
            raise ValueError("wait: nothing can be delivered before you commit; leave it out. Nothing was sent")
        if connection is None:
            self._pending.look_after()
        with self.journal.joined(connection) if connection is not None else nullcontext():
            try:
                with self.journal.snapshot():
                    given = self._deciding.given(message)
                    first = self.journal.publications.find_repeated(key, given.digest)
                written, new = (first, False) if first else self._write(given, key=key, actor=actor, to=to)
            except JournalError as error:
                error.mark_not_published()
                raise
            except MessageRejected as error:
                if connection is None or error.publication is None:
                    raise
                raise MessageRejected(error.findings, error.publication, in_transaction=True) from None
            if connection is not None:
                return self._told(written, repeated=not new)
        if new:
            self.wake()
        if wait > timedelta(0):
            self._delivery.drain(wait, publication=written)
        return self._told(written, repeated=not new)

    def incident(self, incident: str) -> Publication:
        """The last publication of an incident, perhaps of another process a week ago: builds what may follow.

        Raises:
            InvalidTransition: There is no such incident; says which are open.
        """
        history = self.journal.incidents.history(incident)
        if not history.entries:
            known = describe_incidents(history, self.incidents(), self.zone)
            raise InvalidTransition(f"There is no incident {incident!r}. {known}", incident=incident)
        return self._told(history.entries[-1].publication)

    def publication(self, wanted: str) -> Publication | None:
        """A publication and what became of it, by its id or by your key; `None`: there is none."""
        return self._told(wanted) if self.journal.publications.get(wanted) else None

    def faults(self) -> dict[str, Fault]:
        """The channels that cannot be used now, by name, and why: what is meant for them waits in the journal.

        A wrong option, a secret that cannot be read, a library that is not installed; a list of recipients that cannot
        be read, or that had people and has none. The lists are read again at each call; the rest is looked at again
        by `publish`, `drain` and the worker, at most every ten seconds.
        """
        return self._pending.faults()

    def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """The incidents, the latest first, with what is owed."""
        return self.journal.incidents.list(only_open=only_open)

    def wake(self) -> None:
        """Tell the worker and the runners that something waits: after you have committed a transaction of your own.

        Without it they find what you published when they next look for themselves.
        """
        from policenotify.journal import workers  # noqa: PLC0415 - brings the SQL toolkit

        self._worker.wake()
        workers.notify_runners(self.runners)

    def drain(self, budget: timedelta) -> datetime | None:
        """Deliver what is due, for at most that long; returns when something is due next. For timers and cron.

        The desk is reminded of each incident whose update or end is overdue, and addresses that nothing needs any more
        are erased.
        """
        self._look_after()
        return self._delivery.drain(budget)

    def _look_after(self) -> None:
        """Do what precedes each drain: word what waited for a channel, erase addresses, remind of what is owed."""
        self._pending.look_after()
        self.journal.retention.erase_addresses()
        self._duty.run()

    def _next_at(self) -> datetime | None:
        """When something is to be delivered, or the desk to be reminded, next; `None`: nothing waits and is owed."""
        return min(filter(None, (self._delivery.next_due(), self._reminders.next_at())), default=None)

    def worker(self) -> Worker:
        """Who delivers in the background of this process: to be started, or used as a context manager.

        It is one for each publisher, and runs only from its `start` to its `stop`. `close` stops it.
        """
        return self._worker

    def _write(self, given: LoadedMessage, *, key: str, actor: str, to: Sequence[str] | None) -> tuple[str, bool]:
        """Write it down; returns its id, and whether it is new: another process may just have said it."""
        from policenotify.journal.publications import IncidentChanged  # noqa: PLC0415 - brings the SQL toolkit

        for desk in range(_DESKS):
            at = self.journal.now()
            publication = self._deciding.ulid(at)
            try:
                with self.journal.snapshot():
                    made = self._deciding.decide(given, to=to, publication=publication, at=at)
                    draft = self._deciding.draft(made, publication, key=key, actor=actor, at=at)
            except InvalidTransition:
                # Another process may have said this very thing since the key was looked for.
                if (first := self.journal.publications.find_repeated(key, given.digest)) is None:
                    raise
                return first, False
            if any(finding.blocks for finding in made.findings):
                self.journal.publications.add_refused(draft)
                raise MessageRejected(made.findings, publication)
            if not draft.deliveries:
                raise SettingsError(
                    f"Nothing was sent: no route takes this {made.message.category} message. "
                    "Add a route for it, or name the channels in 'to'."
                )
            try:
                written = self.journal.publications.add(draft, self.runners)
            except IncidentChanged:
                if desk == _DESKS - 1:
                    raise
            else:
                return written, written == publication
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    # --- telling

    def _told(self, wanted: str, *, repeated: bool = False) -> Publication:
        """The publication as the journal has it; what waits says who will send it."""
        with self.journal.snapshot():
            found = self.journal.publications.get(wanted)
            if found is None:
                raise KeyError(wanted)
            waiting = {receipt.channel for receipt in found.receipts if not receipt.outcome.is_final}
            notes = self._waiting_notes(waiting) if waiting else {}
        receipts = []
        for receipt in found.receipts:
            retry_at = receipt.retry_at and receipt.retry_at.astimezone(self.zone)
            update = {"note": self._note(receipt, notes), "retry_at": retry_at}
            receipts.append(receipt.model_copy(update=update))
        return found.model_copy(update={"receipts": tuple(receipts), "repeated": repeated})

    def _note(self, receipt: Receipt, waiting: Mapping[str, str]) -> str:
        if receipt.outcome is Outcome.SENDING:
            return "It is being sent now."
        channel = self.channels.get(receipt.channel)
        if receipt.unrendered and (channel is None or fault_of(channel, self.journal.deliveries.had_recipients)):
            return ""  # the reason and the remedy are enough
        return self._how_far_known(receipt) if receipt.outcome.is_final else waiting[receipt.channel]

    def _how_far_known(self, receipt: Receipt) -> str:
        channel = self.channels.get(receipt.channel)
        told = channel is None or channel.capabilities.acceptance == "verified"
        return "" if told or receipt.outcome is not Outcome.POSTED else UNVERIFIED

    def _waiting_notes(self, channels: Iterable[str]) -> dict[str, str]:
        """For each channel: who sends what waits there, and from when on the next post may leave, if not now."""
        seen = self.journal.workers.last_heartbeat()
        when = local_time(seen, self.zone, seconds=True) if seen else ""
        ran = f"the last one ran at {when}" if seen else "none has run yet"
        who = f"The next publish or `policenotify drain` sends it; {ran}."
        if self._worker.running or self.journal.workers.last_worker_heartbeat():
            who = f"A worker sends it; {f'it was last seen at {when}' if when else 'it has just started'}."
        rates = {name: self.channels[name].rate if name in self.channels else None for name in channels}
        opens = {
            name: f" Nothing leaves on its channel before {local_time(at, self.zone, seconds=True)}."
            for name, at in self.journal.channels.opens_at(rates).items()
        }
        wrong = {
            name: f"It waits: {fault_of(channel, self.journal.deliveries.had_recipients)}"
            for name in rates
            if (channel := self.channels.get(name)) is not None and channel.problem
        }
        blocked = {
            name: f"It waits until the channel may go on: policenotify doctor, or policenotify resume {name}"
            for name in self.journal.channels.blocked()
        }
        if self.journal.stopped() is not None:
            who = "It waits, for everything is stopped. Go on with: policenotify resume"
            opens, blocked = {}, {}
        return {name: wrong.get(name) or blocked.get(name) or who + opens.get(name, "") for name in rates}


@dataclass(frozen=True, slots=True)
class _Background:
    """What the worker does, and how it learns that there is something to do."""

    journal: Journal
    delivery: Dispatcher
    look_after: Callable[[], None]
    next_at: Callable[[], datetime | None]

    def drain(self, enough: Callable[[], bool]) -> None:
        self.look_after()
        self.delivery.drain(_TURN, enough=enough, stays=True)

    def rest(self) -> float | None:
        due = self.next_at()
        return None if due is None else (due - self.journal.now()).total_seconds()

    def mark(self) -> object:
        return self.journal.change_token()

    def finish(self, patience: float) -> bool:
        finished = self.delivery.finish(patience=patience)
        with suppress(JournalError):  # it will be seen by its silence
            self.journal.workers.stop_heartbeat()
        return finished


def _refuse_shared_accounts(channels: Iterable[ChannelConfig]) -> None:
    """Two channels of one account would say everything twice to the same readers."""
    names: dict[tuple[str, str], str] = {}
    for channel in channels:
        if channel.problem:
            continue
        first = names.setdefault((channel.network, channel.account), channel.name)
        if first != channel.name:
            raise SettingsError(f"The channels {first!r} and {channel.name!r} are the same account; keep one of them.")


def _span(wait: timedelta | float | None) -> timedelta:
    """A span of time, also where it was given in seconds; none is no time.

    Raises:
        ValueError: It is no time at all.
    """
    if isinstance(wait, timedelta):
        return wait
    try:
        return timedelta(seconds=0 if wait is None else wait)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("wait: write a timedelta, or a number of seconds; nothing was sent") from None


def _check_names(key: str, actor: str) -> None:
    for name, value in (("key", key), ("actor", actor)):
        if not value.strip() or len(value) > 200 or not value.isprintable():  # noqa: PLR2004 - the column's width
            raise ValueError(f"{name}: 1 to 200 printable characters are needed; nothing was sent")
