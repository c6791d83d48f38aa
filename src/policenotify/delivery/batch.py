"""Batches of people: store one, then mark a chunk of it, send, record what became of each, and go on.

Who was marked is in doubt if the process is killed. Those who were marked and not begun wait again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import cast

from policenotify.audiences.model import Subscriber
from policenotify.channel import (
    Channel,
    Recipient,
    RecipientOutcome,
    Request,
    SupportsPeople,
)
from policenotify.delivery.audience_reader import check_audiences, read_rows, unreadable
from policenotify.delivery.sender import Sender, limited
from policenotify.delivery.telemetry import SEND_DURATION, measure, note, span
from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unavailable, Unconfirmed
from policenotify.journal.lists.state import BATCH, UNREADABLE, ListState
from policenotify.journal.records import DAMAGED, AttemptResult, ClaimedDelivery
from policenotify.log import fields, shown_code
from policenotify.model.history import Outcome
from policenotify.model.rate import RateReached
from policenotify.translation import Text

_log = logging.getLogger("policenotify")
_BEGUN_WITHIN = 1 / 4  # of a lease; who is later waits for the next chunk, and the lease is renewed with it
_UNKNOWN = Text("The network may have accepted it.")
_MOST_DOUBTS = 2  # calls in doubt without an answer between, after which the network counts as unavailable
_SUSPECTED = 3  # refusals without a success, after which a refusal counts for everybody
_OUTCOMES = ("unavailable", "refused", "unconfirmed", "posted")  # of two for one recipient the later here counts


class Breaker:
    """Decides from the outcomes of single people whether a network refuses everybody, or does not answer.

    Attributes:
        served: The network has accepted the message for a person.
    """

    def __init__(self, channel: str) -> None:
        self.served: bool = False
        self._channel = channel
        self._doubts = 0  # calls without an answer, one after the other
        self._refused: dict[str, RecipientOutcome] = {}  # by domain, which may refuse us alone, or by whole number

    def record(self, call: Iterable[tuple[RecipientOutcome, str]]) -> ChannelError | None:
        """Record the outcomes of a call, each with the person's address.

        Returns:
            The error of the whole channel, if they show one.
        """
        doubt: RecipientOutcome | None = None
        for outcome, address in call:
            if outcome.outcome == "unconfirmed":
                doubt = outcome
                continue
            self._doubts = 0
            self.served = self.served or outcome.outcome == "posted"
            if outcome.outcome == "refused" and not (outcome.gone or outcome.personal):
                self._refused[address.rpartition("@")[2].lower()] = outcome
        if doubt is not None:
            self._doubts += 1
            if self._doubts >= _MOST_DOUBTS:
                return Unavailable(Text("{channel!r} does not answer.", channel=self._channel), code=doubt.code)
        if self.served or len(self._refused) < _SUSPECTED:
            return None
        last = list(self._refused.values())[-1]
        return Blocked(
            Text(
                "{channel!r} refuses the message for all recipients. Its last answer: {reason}",
                channel=self._channel,
                reason=last.reason,
            ),
            code=last.code,
            remedy=Text("Check sender, permissions, credit and text with its operator, then: policenotify doctor"),
        )


@dataclass(slots=True, kw_only=True)
class Chunk:
    """The people who are marked together, on their way through one or more channel objects at once.

    Attributes:
        may_go_on: Returns whether another call may be made.
        left: Those who were not begun.
        outcomes: What became of the others, by key.
        failure: Why the batch cannot go on.
        useless: Channel objects that could not be used, while others could.
    """

    request: Request
    claimed: ClaimedDelivery
    breaker: Breaker
    left: deque[Recipient]
    may_go_on: Callable[[], bool] = lambda: True
    outcomes: dict[str, RecipientOutcome] = field(default_factory=dict)
    failure: ChannelError | None = None
    useless: list[SupportsPeople] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _used: int = 0  # channel objects that are not useless

    def run(self, channels: Sequence[SupportsPeople]) -> None:
        """Send to all, unless the batch must not go on or the lease grows old. Each channel object has a thread."""
        (first, *others), self._used = channels, len(channels)
        escaped = list[BaseException]()

        def send(channel: SupportsPeople) -> None:
            try:
                self._send(channel)
            except BaseException as error:  # noqa: BLE001 - it is raised once all calls have ended
                escaped.append(error)
                with self._lock:  # the others begin no one else
                    self._stop(Unavailable(Text("The network failed unexpectedly in the middle.")))

        threads = list[threading.Thread]()
        for other in others:
            run, name = copy_context().run, f"policenotify {self.claimed.channel}"
            thread = threading.Thread(target=run, args=(send, other), name=name, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the machine has no more threads
                with self._lock:
                    self._used -= len(others) - len(threads)
                break
            threads.append(thread)
        send(first)
        for thread in threads:
            thread.join()
        if escaped:
            raise escaped[0]
        if self.failure is not None and not self.breaker.served:  # what was refused may have the same cause
            for key, each in self.outcomes.items():
                if each.outcome == "refused" and not (each.gone or each.personal):
                    self.outcomes[key] = replace(each, outcome="unavailable")

    def _send(self, channel: SupportsPeople) -> None:
        most = channel.capabilities.people_per_call
        while people := self._next(most):
            try:
                outcomes = tuple(channel.send_to(self.request, people))
                self._record(people, outcomes)
            except Unavailable as error:
                if not error.whole_channel and self._leave(channel, people):
                    return
                self._fail(people, error)
            except Exception as error:  # noqa: BLE001 - those that are open go on: no one is in doubt for this
                self._fail(people, error)

    def _next(self, most: int) -> list[Recipient]:
        """Return who is begun now."""
        with self._lock:
            if self.failure is not None or not self.may_go_on():
                return []
            return [self.left.popleft() for _ in range(min(most, len(self.left)))]

    def _leave(self, channel: SupportsPeople, people: Sequence[Recipient]) -> bool:
        """Leave people to the other channel objects, if there are any: a server may limit the sessions of a client."""
        with self._lock:
            if self._used == 1:
                return False
            self._used -= 1
            self.left.extendleft(reversed(people))
            self.useless.append(channel)
            return True

    def _record(self, people: Sequence[Recipient], outcomes: Iterable[RecipientOutcome]) -> None:
        """Record the outcomes of a call."""
        addresses = {person.key: person.address for person in people}
        with self._lock:
            for outcome in outcomes:
                if outcome.key in addresses:
                    self._add(outcome)
            for key in addresses.keys() - self.outcomes.keys():
                self._add(RecipientOutcome(key=key, outcome="unconfirmed", reason=_UNKNOWN))
            if failure := self.breaker.record((self.outcomes[key], address) for key, address in addresses.items()):
                self._stop(failure)

    def _fail(self, people: Sequence[Recipient], error: Exception) -> None:
        """Record what an exception means for the people of a call, and for the batch."""
        outcome = partial(RecipientOutcome, outcome="unconfirmed", reason=_UNKNOWN)
        failure: ChannelError | None = None
        match error:
            case Refused() | Blocked() | Unavailable():
                failure, outcome = error, partial(outcome, outcome="unavailable", reason=error.reason, code=error.code)
            case Unconfirmed():
                outcome = partial(outcome, reason=error.reason, code=error.code)
                if error.retry_at is not None:
                    reason = Text("{channel!r} asks us to wait.", channel=self.claimed.channel)
                    failure = Unavailable(reason, retry_at=error.retry_at, whole_channel=True, code=error.code)
            case _:
                name, code = self.claimed.channel, type(error).__name__
                about = fields(channel=name, delivery=self.claimed.public_id)
                _log.warning("Channel %s: %s escaped in the middle of a list.", name, code, extra=about)
                failure = Unavailable(Text("The network failed unexpectedly in the middle."), code=code)
        self._record(people, [outcome(key=person.key) for person in people])
        if failure is not None:
            with self._lock:
                self._stop(failure)

    def _add(self, outcome: RecipientOutcome) -> None:
        if outcome.outcome not in _OUTCOMES:  # an unknown word tells nothing
            outcome = RecipientOutcome(key=outcome.key, outcome="unconfirmed", reason=_UNKNOWN)
        known = self.outcomes.get(outcome.key)
        if known is None or _OUTCOMES.index(known.outcome) < _OUTCOMES.index(outcome.outcome):
            self.outcomes[outcome.key] = outcome

    def _stop(self, failure: ChannelError) -> None:
        if self.failure is None or isinstance(failure, Blocked):
            self.failure = failure


def close(channel: Channel, name: str) -> None:
    """Close a channel object. A failure is only logged: what was sent is settled already."""
    try:
        channel.close()
    except Exception as error:  # noqa: BLE001 - those that are open go on: no one is in doubt for this
        _log.warning("Channel %s did not close: %s", name, type(error).__name__, extra=fields(channel=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSender(Sender):
    """Makes batches of the people of claimed deliveries on one channel, and sends to them.

    Attributes:
        size: How many rows of a list are read at once.
    """

    size: int = BATCH

    @span("expand")
    def make_batch(self, claimed: ClaimedDelivery) -> ClaimedDelivery | AttemptResult:
        """Read people until there is a batch of which a person waits, and return it, claimed.

        Returns:
            The batch; or the result of the delivery, because its lists have ended or cannot be read, or the drain ends.
        """
        while self.may_go_on():
            known = self.journal.deliveries.list_state(claimed)
            if known is None:
                return AttemptResult(outcome=Outcome.HELD, reason=DAMAGED)
            if not known.reading:
                break
            try:
                batch = self._store_people(claimed, known)
            except Unavailable as problem:
                return self._unreadable(claimed, known, problem)
            if batch is not None:
                return batch
        return AttemptResult(outcome=Outcome.WAITING, not_before=self.journal.now())

    def _store_people(self, claimed: ClaimedDelivery, known: ListState) -> ClaimedDelivery | None:
        if known.cursor.earlier:
            return self.journal.deliveries.add_batch(claimed, self.siblings, lease=self.lease)
        try:
            rows, cursor, is_last = read_rows(self.config.audiences, known, self.size)
        except JournalError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
            raise unreadable(self.config.name, error) from None
        if not (rows or cursor.audience or cursor.position or known.has_people):
            check_audiences(self.config, self.journal.deliveries.had_recipients)
        addresses = [row.address for row in rows if isinstance(row, Subscriber)]
        return self.journal.deliveries.add_batch(
            claimed, self.siblings, addresses, cursor, is_last=is_last, lease=self.lease
        )

    def _unreadable(self, claimed: ClaimedDelivery, known: ListState, problem: Unavailable) -> AttemptResult:
        if not known.unreadable:
            about = fields(channel=claimed.channel, delivery=claimed.id, publication=claimed.publication)
            _log.error("Channel %s: %s %s", claimed.channel, problem.reason, problem.remedy, extra=about)
        wait = self.backoff(claimed.backoff)
        return AttemptResult(
            outcome=Outcome.WAITING,
            not_before=self.journal.now() + wait,
            backoff=wait,
            reason=problem.reason,
            remedy=problem.remedy,
            code=UNREADABLE,
        )

    def _holds_doubt(self, claimed: ClaimedDelivery) -> bool:
        """Return whether a person decides about what is in doubt, where the network cannot be asked."""
        return self.config.on_unknown.choice(severe=claimed.severe) == "hold"

    def _mark(
        self, claimed: ClaimedDelivery, before: Mapping[str, RecipientOutcome] | None = None, *, more: bool = True
    ) -> tuple[Recipient, ...]:
        """Record what became of the people marked *before*, and mark the next ones, unless there shall be no *more*.

        Raises:
            RateReached: The channel's rate, which counts people, is used up.
            Blocked: The channel reports too many people as not existing.
        """
        return self.journal.deliveries.take(
            claimed,
            self.channel.capabilities.people_per_chunk if more else 0,
            hold_doubt=self._holds_doubt(claimed),
            lease=self.lease,
            rate=self.config.rate,
            outcomes=None if before is None else before.values(),
        )

    def _send_to_people(
        self, claimed: ClaimedDelivery, request: Request, recipients: tuple[Recipient, ...], held_since: float
    ) -> tuple[ClaimedDelivery, AttemptResult | ChannelError]:
        """Send to these people and the others of the batch, as long as it may go on.

        Returns:
            The batch with its back-off, and its result or the failure of the whole channel.
        """
        result: AttemptResult | ChannelError | None = None
        breaker, most = Breaker(self.config.name), self.channel.capabilities.calls_at_once
        channels = [self.channel, *self.helpers]
        while recipients:
            may_begin = partial(self._may_begin, held_since)
            chunk = Chunk(
                request=request, claimed=claimed, breaker=breaker, left=deque(recipients), may_go_on=may_begin
            )
            most = self._send_chunk(chunk, channels, most)
            if any(outcome.outcome == "posted" for outcome in chunk.outcomes.values()):
                claimed = replace(claimed, backoff=timedelta(0))  # it does not fail: the next wait is a short one
            held_since, ends = self.clock.monotonic(), not self.may_go_on()
            # Committed alone: a result that cannot be stored must not undo it, and storing that locks the whole list.
            recipients, result = self._following(claimed, chunk, ends=ends)
        return claimed, result or self._waits(claimed)

    def _may_begin(self, held_since: float) -> bool:
        return self.may_go_on() and not self.is_late(held_since, _BEGUN_WITHIN)

    def _following(
        self, claimed: ClaimedDelivery, chunk: Chunk, *, ends: bool
    ) -> tuple[tuple[Recipient, ...], AttemptResult | ChannelError | None]:
        """Store what became of a chunk. Return the people who follow it, or without any what ends the batch."""
        try:
            people = self._mark(claimed, chunk.outcomes, more=not (chunk.failure or ends))
        except Blocked as error:
            return (), error
        except RateReached as reached:
            return (), limited(self.config.name, reached, claimed)
        if people or chunk.failure:
            return people, chunk.failure
        if ends:
            reason = Text("It was interrupted between two people. The others get it when the delivery goes on.")
            return (), AttemptResult(outcome=Outcome.WAITING, not_before=self.journal.now(), reason=reason)
        return (), self._waits(claimed)

    def _waits(self, claimed: ClaimedDelivery) -> AttemptResult:
        """Return the result of a batch of whom some may still wait, by their own answers."""
        wait = self.backoff(claimed.backoff)
        at_last = self.journal.now() + wait
        return AttemptResult(outcome=Outcome.WAITING, not_before=at_last, backoff=wait, of_people=True)

    def _send_chunk(self, chunk: Chunk, channels: list[Channel], most: int) -> int:
        """Send to the people of a chunk in up to so many calls at once, each with a channel object of its own.

        Objects that are missing are opened, and those that cannot be used are removed.

        Returns:
            How many calls the next chunk may make.
        """
        calls = min(most, -(-len(chunk.left) // self.channel.capabilities.people_per_call))
        try:
            while len(channels) < calls:
                self.helpers.append(self.config.open(self.clock, self.journal.channels.state_store(self.config.name)))
                channels.append(self.helpers[-1])
        except Exception as error:  # noqa: BLE001 - those that are open go on: no one is in doubt for this
            name = self.config.name
            _log.warning(
                "Channel %s: no further connection: %s", name, type(error).__name__, extra=fields(channel=name)
            )
            most = len(channels)
        used = cast("list[SupportsPeople]", channels[:calls])  # `_mismatch_reason` has checked the channel
        started = self.clock.monotonic()
        with span(f"send {self.config.network}", "CLIENT", {"messaging.operation.type": "send"}):
            chunk.run(used)
            failure = chunk.failure
            failed = failure and (shown_code(failure.code) or type(failure).__name__)
            note({"messaging.batch.message_count": len(chunk.outcomes)}, failed=failed or "")
        took, operation = self.clock.monotonic() - started, chunk.claimed.operation.value
        measure(SEND_DURATION, took, self.config.name, self.config.network, operation)
        for channel in chunk.useless:
            channels.remove(channel)
            if channel is not self.channel:
                self.helpers.remove(channel)
                close(channel, self.config.name)
        return most - len(chunk.useless)

    def close(self) -> None:
        """Close all objects of the channel."""
        while self.helpers:
            close(self.helpers.pop(), self.config.name)
        close(self.channel, self.config.name)
