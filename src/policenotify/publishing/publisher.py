"""Facade: prepare, store, deliver and report on a message."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from policenotify.channel import ChannelConfig, Clock, Operation, Picture
from policenotify.checks import CHECKS, SHIPPED, Rule, Vocabulary
from policenotify.delivery.dispatcher import Dispatcher
from policenotify.delivery.event_reader import EventReader, OnEvent
from policenotify.delivery.sender import backoff
from policenotify.delivery.telemetry import note, span
from policenotify.delivery.worker import Worker
from policenotify.errors import (
    ApprovalMissing,
    JournalError,
    JournalTakenAway,
    MessageRejected,
    SettingsError,
)
from policenotify.journal.records import LEASE
from policenotify.model.message import Message, parsed, read
from policenotify.model.receipt import Publication
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.arguments import Naming, check_message, check_names, checked_reason, wait_of
from policenotify.publishing.backlog import PendingDeliveries
from policenotify.publishing.drafts import Drafts
from policenotify.publishing.images import file_names, load_images, with_pictures
from policenotify.publishing.monitor import Monitor
from policenotify.publishing.operations import Operations, SettingsSource
from policenotify.publishing.people import People
from policenotify.publishing.preparation import Preparer
from policenotify.publishing.reach import Preview, find_reach, with_consent
from policenotify.publishing.reminders import CATEGORY as DUTY_CATEGORY
from policenotify.publishing.reminders import DutyNotifier, Reminder, ReminderPolicy, Reminders, duty_profile
from policenotify.publishing.routing import Route, refuse_shared_accounts
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, Locale
from policenotify.translation import Text
from policenotify.validation import did_you_mean

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from policenotify.journal.database.transactions import May
    from policenotify.journal.journal import Journal
    from policenotify.journal.workers import Runner

_log = logging.getLogger("policenotify")
_TIDY_INTERVAL = 15.0  # seconds between two looks of a drain for reminders, drafts that expire and addresses to erase
_ATTEMPTS = 5  # to store a publication while other processes change its incident


class Publisher(Operations):
    """Publishes messages on the channels of an installation.

    `policenotify.open_publisher()` makes one from the settings. It may be used from several threads. Making it starts
    nothing. Use it as a context manager, or call `close`.
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
        checks: Sequence[Rule] = CHECKS,
        links: Sequence[str] = (),
        words: Vocabulary = SHIPPED,
        lease: timedelta = LEASE,
        backoff: Callable[[timedelta], timedelta] = backoff,
        reminders: ReminderPolicy | None = None,
        on_overdue: Callable[[Reminder], object] | None = None,
        on_event: Mapping[str, OnEvent] | None = None,
        runners: Iterable[Runner] = (),
        settings: SettingsSource | None = None,
        pictures: Path | None = None,
        may: May | None = None,
        approval: Sequence[ApprovalRule] = (),
    ) -> None:
        """Make a publisher.

        Args:
            journal: The journal.
            channels: The channels of the installation.
            routes: Which message goes where. Without routes every message goes to every channel.
            profiles: The categories.
            locales: The fixed phrases, by language.
            zone: The zone of the times in posts and receipts.
            sender: The service's name.
            wait: How long `publish` delivers before it returns.
            clock: Measures how long something takes, and is the clock of channels. By default the journal's, which in
                any case dates what is published.
            entropy: Returns that many random bytes.
            checks: The checks before anything is published.
            links: Hosts to which messages may link: `police.fr`, or `.gouv.fr` for all below it. Empty: any.
            words: The word lists of the checks.
            lease: How long a claimed delivery is held without a heartbeat.
            backoff: Returns the wait after a failure, from the wait after the failure before it.
            reminders: When overdue incidents are reminded of, and on which channels.
            on_overdue: Called with each reminder that this process raises, in the thread that drains.
            on_event: Callbacks by the names of their subscribers; see `events`.
            runners: Engines of the host application to notify of new publications.
            settings: Where the settings come from. A channel with a problem is made again from them.
            pictures: The folder of the images that messages in JSON may name by path. By default they may name none.
            may: Called with actor, action and message before each publication and each step of a draft, before one
                approves, or publishes urgently, despite a finding of level `block` (action `overrule`), and
                without a message before `stop`, `resume`, `pause`, `abort`, `resolve`, `show`, `purge`, `suppress` and
                `release`. It returns `True`, or the reason why the actor may not. Who the actor is, is not verified.
            approval: Which messages others read before they are published. Without rules none, except those with a
                finding of level `second` or `block`.

        Raises:
            SettingsError: Two channels are the same account, or a duty channel does not exist.
        """
        super().__init__(
            journal, [with_consent(channel, profiles) for channel in channels], zone=zone, settings=settings
        )
        journal.may = may or journal.may
        refuse_shared_accounts(self.channel_configs.values())
        self.routes: tuple[Route, ...] = tuple(routes)
        self.profiles = profiles
        self.locales = locales
        self.sender = sender
        self.wait = wait
        self.pictures = pictures
        self.clock: Clock = clock or journal.clock
        self.runners: list[Runner] = list(runners)
        self._dispatcher = Dispatcher(
            journal=journal,
            channels=self.channel_configs,
            clock=self.clock,
            lease=lease,
            backoff=backoff,
            refresh=self._refresh,
        )
        policy = reminders or ReminderPolicy()
        for name in policy.to:
            if name not in self.channel_configs:
                raise SettingsError(
                    Text(
                        "reminders.to: {name!r} is not a channel. {did_you_mean}",
                        name=name,
                        did_you_mean=did_you_mean(name, self.channel_configs),
                    )
                )
        self._preparer = Preparer(
            journal=journal,
            channels=self.channel_configs,
            duty_channels=policy.to,
            routes=self.routes,
            profiles=profiles,
            locales=locales,
            zone=zone,
            sender=sender,
            clock=self.clock,
            checks=checks,
            entropy=entropy,
            links=tuple(links),
            words=words,
        )
        self.people: People = People(journal, self.channel_configs, self.clock)
        self.monitor: Monitor = Monitor(self)
        self.drafts: Drafts = Drafts(journal, self._preparer, approval, self.publish)
        self._pending = PendingDeliveries(
            journal=journal,
            channels=self.channel_configs,
            # Pending messages to duty channels have a category that the installation does not know.
            preparer=replace(
                self._preparer, profiles={**profiles, DUTY_CATEGORY: duty_profile(policy, level=1, locales=locales)}
            ),
            clock=self.clock,
            reopen=settings.reopen if settings else None,
        )
        self._reminders = Reminders(journal=journal, policy=policy, on_overdue=on_overdue)
        self._duty = DutyNotifier(journal=journal, preparer=self._preparer, reminders=self._reminders)
        self.events: EventReader = EventReader(journal)
        for name, callback in (on_event or {}).items():
            self.events.subscribe(name, callback)
        self._worker = Worker(
            self._deliver_until,
            wake=self._dispatcher.wake,
            finish=self._finish_worker,
            clock=self.clock,
        )
        self._tidied_at = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let posts under way finish, then close the journal. May be called twice."""
        self._worker.stop()
        self._dispatcher.close()
        self.events.close()
        self.journal.close()

    def interrupt(self) -> bool:
        """Let `publish` and `drain` return soon: posts under way finish, and a list ends between two people.

        This publisher then delivers nothing more. What waits is for the next one. A handler of signals may call it.

        Returns:
            Whether anything was being delivered. If not, nothing changes.
        """
        return self._dispatcher.interrupt()

    # --- publishing

    def read(self, source: str | bytes | Mapping[str, Any]) -> Message:
        """Read a message as [`policenotify.read`][policenotify.read] does, with paths of images below `pictures`.

        Raises:
            UnsupportedVersion: A newer policenotify wrote it.
            InvalidImage: A path does not lead to a usable file there, or the publisher has no such folder.
            pydantic.ValidationError: It is not a message, or gives a name twice. The text names each wrong field.
        """
        fields = with_pictures(parsed(source), self.pictures)
        return read(fields if isinstance(fields, dict) else source)

    def preview(self, message: Message, *, to: Sequence[str] | None = None, count_people: bool = False) -> Preview:
        """Return exactly what `publish` would send now, without storing or sending anything.

        Args:
            message: The message.
            to: Channels or tags, instead of those that the routes choose.
            count_people: Also count the people whom it reaches. That reads the lists of its channels to their end.

        Raises:
            InvalidTransition: The stage is not allowed now in this incident.
            MessageTooLong: The message fits none of the channels.
            InvalidImage: An image cannot be used.
            SettingsError: No channel is chosen, or *to* names an unknown one.
        """
        check_message(message)
        names = file_names(message)
        message, pictures = load_images(message, self.journal.publications.picture)
        new = self._preparer.prepare(
            message, pictures, key="", actor="", to=to, file_names=names, despite_findings=True
        )
        new = replace(new, approval=self.drafts.needed(new))
        return Preview(
            message=new.message,
            findings=new.all_findings,
            posts=new.posts,
            deletions=tuple(
                target for target in new.targets if target.operation is Operation.DELETE and not target.skip
            ),
            pending=(*(target for target in new.targets if target.problem), *self._preparer.without_people(new)),
            refusals=tuple(target for target in new.targets if target.refused),
            reach=tuple(
                find_reach(new.message, new.posts, self.channel_configs, self.journal.deliveries.had_recipients)
            )
            if count_people
            else (),
        )

    @span("publish")
    def publish(
        self,
        message: Message,
        *,
        key: str,
        actor: str,
        to: Sequence[str] | None = None,
        wait: timedelta | float | None = None,
        connection: Connection | None = None,
        draft: str | None = None,
        urgent: str = "",
    ) -> Publication:
        """Store a message in the journal, deliver it, and return what became of it.

        Never lost; never twice where the network gives a key or a readable timeline; otherwise your documented choice
        (`on_unknown` of the channel).

        Args:
            message: The message.
            key: Your own name for this publication, 1 to 200 characters. One key publishes once: a repeated call
                returns the receipts of the first one.
            actor: The officer's service name, or the system that publishes.
            to: Names or tags of the channels of an opening or standalone message; by default the routes decide. What
                follows goes to the channels of the opening.
            wait: How long to deliver before returning; a number is seconds. With zero the call returns when the
                message is stored. By default as set for the publisher. What is not delivered by then waits in the
                journal, as its receipt states.
            connection: Your own transaction on the journal's database (of a `Session`: `session.connection()`). The
                message is then part of it: your commit publishes it, your rollback leaves no trace of it, and nothing
                is delivered before. Everything it depends on is read there too. An error (a rejected message, a key
                that was used) leaves your transaction usable. The draft of a rejected message is kept if you commit.
                On SQLite begin it with `BEGIN IMMEDIATE`: a transaction that has only read so far fails if another
                process has written since, and must be started again.
            draft: The id of the draft that the message is; see `Drafts.publish`.
            urgent: Why it is published before others have read it, in at least 10 characters. A second reading is then
                owed. A finding of level `block` allows it from severity Severe on, unless it is one of `NEVER_URGENT`.
                Without effect on a message that no other person needs to read. What follows in its incident is urgent
                for the same reason, if no finding is about it, while the second reading is owed.

        Raises:
            TypeError: *message* is not a message.
            ValueError: *key* or *actor* is empty or too long, *wait* is not a time, *wait* is not zero in your own
                transaction, or *urgent* states no reason.
            ApprovalMissing: Others must read it first (a kind of `MessageRejected`): a rule of approval or a finding
                demands it. The refusal is recorded.
            DraftConflict: The draft is not open any more, is another message, or what it takes from its incident has
                changed since it was read.
            InvalidTransition: The stage is not allowed now in this incident, or another process published first.
            IdempotencyConflict: The key names another message.
            MessageTooLong: The message fits none of the channels.
            InvalidImage: An image cannot be used.
            NotAllowed: The installation's rule (`may`) refuses it to the actor.
            PublishingStopped: Publishing is stopped.
            SettingsError: No channel is chosen, or *to* names an unknown one.
            JournalError: The journal cannot be written; nothing was sent that is not in it. If it fails only after the
                message was stored, the message waits there: call again with the same key.

        In all other cases nothing was sent.
        """
        check_message(message)
        about = {"policenotify.category": message.category, "policenotify.stage": message.stage.value}
        note({**about, "policenotify.exercise": message.exercise})
        check_names(key, actor)
        urgent = urgent and checked_reason("urgent", urgent)
        # Before anything is written: a wrong value must not come to light after that.
        wait = wait_of(self.wait if wait is None and connection is None else wait)
        if connection is not None and wait:
            raise ValueError(Text("wait: nothing can be delivered before you commit; leave it out. Nothing was sent"))
        if connection is None:
            self.events.register()
            self._pending.run(retries_lists=True)
        with self.journal.joined(connection) if connection is not None else nullcontext():
            try:
                names = file_names(message)
                message, pictures = load_images(message, self.journal.publications.picture)
                naming = Naming(key=key, actor=actor, to=to, draft=draft, urgent=urgent, file_names=names)
                publication, new = self._store(message, pictures, naming)
            except JournalError as error:
                error.mark_not_published()
                raise
            except MessageRejected as error:
                if connection is None or error.publication is None:
                    raise
                raise type(error)(error.findings, error.publication, in_transaction=True) from None
            if connection is not None:
                return _noted(self._report(publication, repeated=not new))
        if new:
            self.wake()
        self._deliver(publication, wait)
        report = _noted(self._report(publication, repeated=not new))
        with suppress(JournalError):  # the message is out or waits; the next publication erases, a worker records
            self.journal.retention.erase_when_due()
            if self.journal.workers.lost:  # as the report has found
                self.journal.workers.record_lost()
        return report

    def withdraw(
        self, publication: str, *, actor: str, reason: str, wait: timedelta | float | None = None
    ) -> Publication:
        """Take the posts of one publication down, with their images, where the network can delete.

        Whatever of it still waits is not sent any more. Mails and SMS cannot be taken back. An incident goes on as it
        was: its end is still owed, and readers of what is deleted learn nothing of it. For them, publish a correction
        or a cancellation. The text stays in the journal: `journal.retention.erase`.

        Args:
            publication: Its id or key.
            actor: Who decides it.
            reason: Why, in at least 10 characters.
            wait: How long to delete before returning, as of `publish`.

        Raises:
            KeyError: There is none.
            ValueError: There is no reason.
            NotAllowed: The installation's rule refuses it to the actor.
        """
        found = self._report(publication)
        reason, wait = checked_reason("reason", reason), wait_of(self.wait if wait is None else wait)
        self.journal.authorize(actor, "withdraw", found.message)
        names = {receipt.channel for receipt in found} & self.channel_configs.keys()
        known = [self._preparer.discover_capabilities(self.channel_configs[name]) for name in sorted(names)]
        deletes = {channel.name for channel in known if channel.capabilities.deletes}
        self.journal.publications.take_down(found.id, actor=actor, reason=reason, deletes=deletes)
        self.wake()
        self._deliver(found.id, wait)
        return self._report(found.id)

    def _store(self, message: Message, pictures: Sequence[Picture], naming: Naming) -> tuple[str, bool]:
        """Prepare and store a publication, unless its key names one. Return the id, and whether this call stored it."""
        from policenotify.journal.publications import IncidentChanged  # noqa: PLC0415 - brings the SQL toolkit

        key, actor = naming.key, naming.actor
        for attempt in range(1, _ATTEMPTS + 1):
            with self.journal.snapshot():
                if (first := self.journal.publications.find_repeated(key, message.digest())) is not None:
                    return first, False
                new = self._preparer.prepare(
                    message,
                    pictures,
                    key=key,
                    actor=actor,
                    to=naming.to,
                    file_names=naming.file_names,
                    despite_findings=bool(naming.draft or naming.urgent),
                )
            self.journal.authorize(actor, "publish", new.message)
            needed = self.drafts.needed(new, draft=naming.draft, urgent=naming.urgent, to=naming.to)
            new = replace(new, approval=needed)
            if needed is not None and needed.is_missing:
                new = replace(new, findings=new.all_findings)
                self.journal.publications.add_refused(new)
                raise ApprovalMissing(new.findings, new.id)
            if not (new.posts or new.targets):
                raise SettingsError(
                    Text(
                        "Nothing was sent: no route takes this {category} message. Add a route for it, or "
                        "name the channels in 'to'.",
                        category=new.message.category,
                    )
                )
            try:
                self.drafts.ask(new)
                with span("journal.commit"):
                    publication = self.journal.publications.add(new, self.runners)
            except IncidentChanged:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return publication, publication == new.id
        raise AssertionError  # pragma: no cover  # the loop returns or raises

    # --- delivering

    def wake(self) -> None:
        """Notify the worker and the runners. Call it after you commit a transaction of your own.

        Without it they find what you published when they next look.
        """
        from policenotify.journal import workers  # noqa: PLC0415 - brings the SQL toolkit

        self._worker.wake()
        workers.notify_runners(self.runners)

    def _deliver(self, publication: str, wait: timedelta) -> None:
        """Deliver a publication for that long, or wait while another process does."""
        if wait:
            self.events.wake()
            self._dispatcher.drain(wait, publication=publication)
            self.events.wake()

    def drain(self, budget: timedelta) -> datetime | None:
        """Deliver what is due, for at most *budget*. For timers and cron.

        Meanwhile reminders of overdue incidents are raised, and addresses that are no longer needed erased. Messages to
        the duty channels leave in what is left of the budget.

        Returns:
            When something is due next. `None` if nothing is.
        """
        budget = wait_of(budget, "budget")
        self._begin_to_deliver()
        due = self._dispatcher.drain(budget, duties=self._look_around)
        self.events.wake()
        return due

    def worker(self) -> Worker:
        """Return the worker that delivers in the background of this process.

        Start it, or use it in a `with` block. Each publisher has one. `close` stops it.
        """
        return self._worker

    def _deliver_until(self, stop: Callable[[], bool]) -> None:
        """Deliver as a worker until it is to stop."""
        self._begin_to_deliver()
        self.journal.workers.start_heartbeat()
        self._dispatcher.drain(None, stop=stop, duties=self._look_around)

    def _begin_to_deliver(self) -> None:
        self.events.register()
        self._pending.run(retries_lists=True)
        self._tidied_at = -math.inf

    def _look_around(self) -> bool:
        """Do what a drain does at each look, besides delivering. Return whether there is more to deliver."""
        self.events.register()  # who has subscribed since gets what is written from now on
        self.events.wake()
        self._pending.render()
        if self.clock.monotonic() < self._tidied_at + _TIDY_INTERVAL:
            return False
        self._tidied_at = self.clock.monotonic()
        try:
            self.journal.retention.erase_addresses()
            self.drafts.expire()
            return self._duty.run()
        except JournalTakenAway:
            raise
        except JournalError as error:  # one damaged row must not keep posts from going out
            _log.error("Reminders, drafts or addresses could not be looked after: %s", error)
            return False

    def _finish_worker(self, timeout: float) -> bool:
        """Take nothing new, and return whether all that is under way ends in time."""
        finished = self._dispatcher.finish(timeout=timeout)
        with suppress(JournalError):  # others will notice the missing heartbeat
            self.journal.workers.stop_heartbeat()
        return finished

    # --- what operations need

    def _refresh(self) -> None:
        self._pending.reopen_channels()

    def _has_worker(self) -> bool:
        return self._worker.running or super()._has_worker()


def _noted(report: Publication) -> Publication:
    """Return a publication, after adding it to its span."""
    note({"policenotify.publication": report.id, "policenotify.repeated": report.repeated})
    if report.message.severity is not None:
        note({"policenotify.severity": report.message.severity.value})
    return report
