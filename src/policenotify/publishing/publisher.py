"""Facade: prepare, store, deliver and report on a message."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from policenotify.channel import ChannelConfig, Operation
from policenotify.delivery.dispatcher import Dispatcher
from policenotify.delivery.event_reader import EventReader
from policenotify.delivery.telemetry import note, span
from policenotify.delivery.worker import Worker
from policenotify.errors import ApprovalMissing, JournalError, JournalTakenAway, MessageRejected, SettingsError
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.arguments import PublishOptions, check_message, check_names, checked_reason, wait_of
from policenotify.publishing.drafts import Drafts
from policenotify.publishing.duty import DutyNotifier
from policenotify.publishing.images import LoadedMessage, load_images
from policenotify.publishing.installation import Installation
from policenotify.publishing.metrics import Monitor
from policenotify.publishing.operations import Operations
from policenotify.publishing.people import People
from policenotify.publishing.preparation import prepare
from policenotify.publishing.reach import Preview, course_of, find_reach, with_consent
from policenotify.publishing.routing import shared_accounts
from policenotify.publishing.wording import discover_capabilities
from policenotify.translation import Text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from policenotify.journal.workers import Runner

_log = logging.getLogger("policenotify")
_TIDY_INTERVAL = 15.0  # seconds between two looks of a drain for reminders and addresses to erase
_ERASE_INTERVAL = 3600.0  # seconds between two looks of `publish` for addresses to erase: they cost 16 ms among 10,000
_INTERVAL = 60.0  # seconds, at least, between two reads of the settings of a blocked channel
_ATTEMPTS = 5  # to store a publication while other processes change its incident


class Publisher:
    """Publishes messages on the channels of an installation.

    `policenotify.open_publisher()` makes one from the settings. It may be used from several threads. Making it starts
    nothing. Use it as a context manager, or call `close`.

    Attributes:
        installation: What it works with.
        journal: Its journal.
        runners: Engines of the host application to notify of new publications.
        operations: How things are, and the decisions of a person.
        drafts: What others read before it is published.
        people: The people who are written to.
        events: What happened, for subscribers.
        monitor: Metrics and health.
    """

    def __init__(self, installation: Installation) -> None:
        journal, clock = installation.journal, installation.timer
        journal.may = installation.may or journal.may
        self.installation = installation
        self.journal = journal
        self.runners: list[Runner] = []
        self._fresh = _FreshChannels(installation)
        self._dispatcher = Dispatcher(
            journal=journal,
            channels=installation.channel_configs,
            clock=clock,
            lease=installation.lease,
            backoff=installation.backoff,
            refresh=self._fresh.look,
        )
        self._worker = Worker(self._dispatcher, begin=self._begin_to_deliver, duties=self._look_around)
        self.operations: Operations = Operations(
            journal,
            installation.channel_configs,
            zone=installation.zone,
            settings=installation.settings,
            worker=self._worker,
            wake=self.wake,
            refresh=self._fresh.look,
        )
        self.people: People = People(journal, installation.channel_configs, clock)
        self.monitor: Monitor = Monitor(self.operations)
        self.drafts: Drafts = Drafts(installation, self.publish)
        self.events: EventReader = EventReader(journal)
        for name, callback in (installation.on_event or {}).items():
            self.events.subscribe(name, callback)
        self._duty = DutyNotifier(installation)
        self._tidied_at = self._erased_at = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
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

    def preview(self, message: Message, *, to: Sequence[str] | None = None, count_people: bool = False) -> Preview:
        """Return exactly what `publish` would send now, without storing or sending anything.

        Args:
            message: The message.
            to: As in `publish`.
            count_people: Also count the people whom it reaches. That reads the lists of its channels to their end.

        Raises:
            InvalidTransition: The stage is not allowed now in this incident.
            MessageTooLong: The message fits none of the channels.
            InvalidImage: An image cannot be used.
            SettingsError: No channel is chosen, or *to* names an unknown one.
        """
        check_message(message)
        installation, journal = self.installation, self.journal
        loaded = load_images(message, journal.publications.picture)
        new = prepare(installation, loaded, PublishOptions(to=to, despite_findings=True))
        new = replace(new, approval=self.drafts.needed(new, PublishOptions()))
        names = {
            target.channel
            for target in (*(post.target for post in new.posts), *new.targets)
            if not (target.skip or target.refused)
        }
        reach = find_reach(new.message, new.posts, installation.channel_configs, journal.deliveries.had_recipients)
        return Preview(
            message=new.message,
            findings=new.all_findings,
            posts=new.posts,
            deletions=tuple(
                target for target in new.targets if target.operation is Operation.DELETE and not target.skip
            ),
            blocked=self.operations.blocked(names),
            refusals=tuple(target for target in new.targets if target.refused),
            reach=tuple(reach) if count_people else (),
            course=course_of(new),
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
                follows goes to the channels of its beginning. If these were named here, nothing else ever gets it,
                unless *to* of what follows adds channels. Otherwise an update also goes where the routes send it now.
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
        options = PublishOptions(
            key=key,
            actor=actor,
            to=to,
            draft=draft,
            urgent=urgent and checked_reason("urgent", urgent),
            despite_findings=bool(draft or urgent),
        )
        # Before anything is written: a wrong value must not come to light after that.
        wait = wait_of(self.installation.wait if wait is None and connection is None else wait)
        if connection is not None and wait:
            raise ValueError(Text("wait: nothing can be delivered before you commit; leave it out. Nothing was sent"))
        if connection is None:
            self.events.register()
            self._fresh.look()
        with self.journal.joined(connection) if connection is not None else nullcontext():
            try:
                loaded = load_images(message, self.journal.publications.picture)
                publication, new = self._store(loaded, options)
            except JournalError as error:
                error.mark_not_published()
                raise
            except MessageRejected as error:
                if connection is None or error.publication is None:
                    raise
                raise type(error)(error.findings, error.publication, in_transaction=True) from None
            if connection is not None:
                return _noted(self._report(publication), repeated=not new)
        if new:
            self.wake()
        self._deliver(publication, wait)
        report = _noted(self._report(publication), repeated=not new)
        now = self.installation.timer.monotonic()
        if now >= self._erased_at + _ERASE_INTERVAL:
            self._erased_at = now
            with suppress(JournalError):  # the message is out or waits; the next process erases
                self.journal.retention.erase_addresses()
        return report

    def withdraw(
        self, publication: str, *, actor: str, reason: str, wait: timedelta | float | None = None
    ) -> Publication:
        """Take the posts of one publication down, with their images, where the network can delete.

        Whatever of it still waits is not sent any more. Mails and SMS cannot be taken back, and their receipts are not
        `ok`. An incident goes on as it was: its end is still owed, and readers of what is deleted learn nothing of it.
        For them, publish a correction or a cancellation. The text stays in the journal: `journal.retention.erase`. It
        needs a reason of at least 10 characters. *wait* is how long to delete before returning.

        Raises:
            KeyError: There is no publication of that id or key.
            ValueError: There is no reason.
            NotAllowed: The installation's rule refuses it to the actor.
        """
        found = self._report(publication)
        reason, wait = checked_reason("reason", reason), wait_of(self.installation.wait if wait is None else wait)
        self.journal.authorize(actor, "withdraw", found.message)
        configs = self.installation.channel_configs
        names = sorted({receipt.channel for receipt in found} & configs.keys())
        known = [discover_capabilities(self.installation, configs[name]) for name in names]
        deletes = {channel.name for channel in known if channel.capabilities.deletes}
        self.journal.publications.take_down(found.id, actor=actor, reason=reason, deletes=deletes)
        self.wake()
        self._deliver(found.id, wait)
        report = self._report(found.id)
        receipts = (
            receipt.model_copy(update={"remains": receipt.outcome is Outcome.POSTED and receipt.channel not in deletes})
            for receipt in report
        )
        return report.model_copy(update={"receipts": tuple(receipts)})

    def _report(self, publication: str) -> Publication:
        report = self.operations.publication(publication)
        if report is None:
            raise KeyError(publication)
        return report

    def _store(self, loaded: LoadedMessage, options: PublishOptions) -> tuple[str, bool]:
        """Prepare and store a publication, unless its key names one. Return the id, and whether this call stored it."""
        from policenotify.journal.publications import IncidentChanged  # noqa: PLC0415 - brings the SQL toolkit

        digest = loaded.message.digest()
        for attempt in range(1, _ATTEMPTS + 1):
            with self.journal.snapshot():
                if (first := self.journal.publications.find_repeated(options.key, digest)) is not None:
                    return first, False
                new = prepare(self.installation, loaded, options)
            self.journal.authorize(options.actor, "publish", new.message)
            needed = self.drafts.needed(new, options)
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

    def _begin_to_deliver(self) -> None:
        self.events.register()
        self._fresh.look()
        self.journal.deliveries.retry_lists()
        self._tidied_at = -math.inf

    def _look_around(self) -> bool:
        """Do what a drain does at each look, besides delivering. Return whether there is more to deliver."""
        self.events.register()  # who has subscribed since gets what is written from now on
        self.events.wake()
        self._fresh.look()
        now = self.installation.timer.monotonic()
        if now < self._tidied_at + _TIDY_INTERVAL:
            return False
        self._tidied_at = now
        try:
            self.journal.retention.erase_addresses()
            return self._duty.run()
        except JournalTakenAway:
            raise
        except JournalError as error:  # one damaged row must not keep posts from going out
            _log.error("Reminders or addresses could not be looked after: %s", error)
            return False


@dataclass(slots=True)
class _FreshChannels:
    """Makes blocked channels of an installation again from the settings. What waits for them is then sent."""

    installation: Installation
    _looked_at: float | None = field(default=None, init=False)
    _blocked: set[str] = field(default_factory=set, init=False)  # in the journal, at the last look

    def look(self) -> None:
        """Make those again that are blocked by their settings, once a minute, and those that were resumed."""
        settings, configs = self.installation.settings, self.installation.channel_configs
        if settings is None:
            return
        blocked = set(self.installation.journal.channels.blocked())
        names = self._blocked - blocked  # a channel that was resumed may have a new secret
        now = self.installation.timer.monotonic()
        if self._looked_at is None or now >= self._looked_at + _INTERVAL:
            names |= {name for name, channel in configs.items() if channel.blocked}
            self._looked_at = now
        for name in sorted(names & configs.keys()):
            self._replace(configs[name], settings.reopen(name))
        self._blocked = blocked  # at last: until then another thread makes them again, too, before it sends

    def _replace(self, channel: ChannelConfig, fresh: ChannelConfig | None) -> None:
        if fresh is None or (channel.account and fresh.account not in {"", channel.account}):
            return  # what was worded for one account is not for another
        configs = self.installation.channel_configs
        if problem := shared_accounts((*(other for other in configs.values() if other.name != channel.name), fresh)):
            fresh = channel.model_copy(update={"blocked": problem})
        if channel.blocked and not fresh.blocked:
            _log.warning("Channel %s can be used again.", channel.name, extra=fields("usable", channel=channel.name))
        configs[channel.name] = with_consent(fresh, self.installation.profiles)


def _noted(report: Publication, *, repeated: bool) -> Publication:
    """Return a publication, after adding it to its span."""
    note({"policenotify.publication": report.id, "policenotify.repeated": repeated})
    if report.message.severity is not None:
        note({"policenotify.severity": report.message.severity.value})
    return report.model_copy(update={"repeated": repeated})
