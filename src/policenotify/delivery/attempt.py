"""One claimed delivery: settle a doubt, prepare, send, and write down what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from policenotify.channel import (
    Channel,
    ChannelConfig,
    Clock,
    Operation,
    PostRef,
    Recipient,
    Request,
    SupportsBulkSend,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
    SupportsSend,
)
from policenotify.delivery.bulk_send import Handout, Lease
from policenotify.errors import (
    Blocked,
    ChannelError,
    InvalidImage,
    JournalError,
    PublishingStopped,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.journal.records import AttemptResult, ClaimedDelivery, moment
from policenotify.model.history import Outcome
from policenotify.model.rate import RateReached
from policenotify.transport import publishing_under

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")
_Kind = TypeVar("_Kind")

CHUNK = 25
"""How many people are marked for an attempt at once. After a power cut at most so many are in doubt."""

_MOST_VARIANTS = 3  # a network that refuses the first request and three others refuses the content
_ANEW = "If it is still true, publish it again with another key."
_SOONEST, _LATEST = timedelta(seconds=2), timedelta(minutes=10)
_CUT = "It was interrupted between two people. The others get it when the delivery goes on."
_LOOKS_APART = timedelta(seconds=5)  # a timeline that one server has and another not yet does not tell twice the same


def patience(before: timedelta) -> timedelta:
    """Return how long to wait after a failure: half as long again as after the one before it.

    The first wait is 2 seconds and the longest 10 minutes. How old a post is does not matter: one that has waited for
    hours behind others has not failed yet.
    """
    return min(max(before * 1.5, _SOONEST), _LATEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """Brings claimed deliveries of one channel out, each as often as is safe and no oftener.

    Attributes:
        journal: Where they are claimed, and where all is written down.
        channel: The channel object of this thread.
        how: How the installation uses the channel.
        clock: Measures how long the lease has lasted.
        lease: How long a delivery stays ours after an attempt has begun, and after each person of a list.
        patience: Returns how long to wait after a failure, from how long the wait after the one before it was.
        may_go_on: Returns whether a list may go on to its next person.
    """

    journal: Journal
    channel: Channel
    how: ChannelConfig
    clock: Clock
    lease: timedelta
    patience: Callable[[timedelta], timedelta] = patience
    may_go_on: Callable[[], bool] = lambda: True

    def make(self, claimed: ClaimedDelivery) -> None:
        """Make one attempt.

        Raises:
            LostLease: Another runner has taken the delivery over; its result counts.
            JournalError: The journal could not be written. The lease will run out, and the doubt be settled then.
        """
        if why := self._unfit(claimed):
            self._store(claimed, self._cannot(claimed, why))
            return
        if claimed.in_doubt and claimed.operation is Operation.POST:  # the others may be said again: they add nothing
            found = self._settle_doubt(claimed)
            if isinstance(found, AttemptResult):
                self._store(claimed, found)
                return
            claimed = found
        request = claimed.request
        if request is None:
            claimed = self._worded(claimed)
            try:
                request = self._prepared(claimed)
            except Exception as error:  # noqa: BLE001 - nothing is visible yet, whatever went wrong
                failed = f"The network of {self.how.name!r} failed before anything was sent."
                self._store(claimed, self._after(_certainly_not(error, failed), claimed))
                return
        self._say(claimed, request)

    def _store(self, claimed: ClaimedDelivery, became: AttemptResult) -> None:
        """Store what became of the attempt, then log it if the delivery is over."""
        _log_outcome(claimed, became.code, self.journal.deliveries.record_result(claimed, became))

    # --- whether this channel may say it at all

    def _unfit(self, claimed: ClaimedDelivery) -> str:
        """Why the channel as it is set now cannot say what was worded for it; empty: it can."""
        if claimed.account != self.how.account:
            return f"It was worded for {claimed.account!r}; {self.how.name!r} is now {self.how.account!r}."
        posts = SupportsBulkSend if claimed.has_recipients else SupportsSend
        needed = {Operation.POST: posts, Operation.EDIT: SupportsEdit, Operation.DELETE: SupportsDelete}[
            claimed.operation
        ]
        if not isinstance(self.channel, needed):
            return f"The network of {self.how.name!r} cannot send it."
        return ""

    def _cannot(self, claimed: ClaimedDelivery, why: str) -> AttemptResult:
        if claimed.in_doubt:
            return self._held(claimed, f"An earlier attempt may be out. {why}")
        return AttemptResult(outcome=Outcome.REFUSED, reason=why, remedy=_ANEW)

    # --- doubt

    def _settle_doubt(self, claimed: ClaimedDelivery) -> AttemptResult | ClaimedDelivery:
        """What becomes of a post that may be out; else the delivery, to be said again."""
        claimed, now = self.journal.deliveries.at_current_clock(claimed)
        stale = claimed.not_after is not None and claimed.not_after <= now
        if self._same_key_counts(claimed, now) and not stale:
            return claimed
        settles = self.channel.capabilities.lookup_delay
        if isinstance(self.channel, SupportsLookup) and settles is not None:
            return self._look(self.channel, claimed, settles=settles, stale=stale)
        if self._holds(claimed) or stale:
            return self._held(claimed, "It may or may not be out, and the network cannot be asked.")
        return claimed

    def _same_key_counts(self, claimed: ClaimedDelivery, now: datetime) -> bool:
        """Whether the network still knows the key, so that the same request again publishes nothing twice."""
        first = claimed.first_tried_at
        return first is not None and now - first < self.channel.capabilities.idempotency_window

    def _look(
        self, channel: SupportsLookup, claimed: ClaimedDelivery, *, settles: timedelta, stale: bool
    ) -> AttemptResult | ClaimedDelivery:
        """Ask the network; the delivery without its doubt, if it is certainly not out.

        That is believed of two answers some seconds apart, the second one after the network's own delay.
        """
        if claimed.request is None or claimed.first_tried_at is None or claimed.last_tried_at is None:
            return replace(claimed, in_doubt=False)  # nothing was ever said
        if (told := self._asked(channel, claimed.request, claimed.first_tried_at, claimed)) is not None:
            return told
        asked, (claimed, now) = claimed, self.journal.deliveries.at_current_clock(claimed)
        # Was the clock set meanwhile, the network was asked for another time than we meant.
        first = None if claimed.clock_steps != asked.clock_steps else claimed.unseen_at
        believed_at = max((claimed.last_tried_at or now) + settles, (first or now) + _LOOKS_APART)
        if first is None or now < believed_at:
            return AttemptResult(
                outcome=Outcome.UNCONFIRMED,
                not_before=believed_at,
                unseen_at=first or now,
                backoff=claimed.backoff,
                reason="It does not show on the network yet; that may take a while.",
            )
        if stale:
            return AttemptResult(outcome=Outcome.SUPERSEDED, reason="It had expired before it could be sent.")
        return replace(claimed, in_doubt=False)

    def _asked(
        self, channel: SupportsLookup, request: Request, since: datetime, claimed: ClaimedDelivery
    ) -> AttemptResult | None:
        """What the network's answer means; `None`: it does not show the post."""
        try:
            ref = channel.find(request, since=since, known=self.journal.deliveries.known_posts(claimed))
            return None if ref is None else self._landed(claimed, _a(PostRef, ref))
        except Exception as error:  # noqa: BLE001 - the doubt stays, whatever went wrong
            unanswered = f"It may or may not be out, and {self.how.name!r} could not be asked."
            return self._after(_of_a_question(error, unanswered), claimed)

    def _landed(self, claimed: ClaimedDelivery, ref: PostRef) -> AttemptResult:
        """The network says that the post is there; what is known as another delivery's post it never is."""
        if not self.journal.deliveries.known_posts(claimed, post=ref.id):
            return AttemptResult(outcome=Outcome.POSTED, ref=ref)
        named = f"{self.how.name!r} names another message's post for it: {ref.url or ref.id}."
        return self._held(claimed, f"It may or may not be out. {named}")

    def _refused_in_doubt(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        """What a refusal means for a post of which an earlier attempt may be out."""
        settles = self.channel.capabilities.lookup_delay
        if settles is None or not isinstance(self.channel, SupportsLookup):
            return self._held(claimed, f"An earlier attempt may be out; now the network refuses it: {error.reason}")
        claimed, now = self.journal.deliveries.at_current_clock(claimed)
        found = self._look(self.channel, claimed, settles=settles, stale=False)
        if isinstance(found, ClaimedDelivery):
            return self._refused(error, found)
        # If it is refused again then, as much time will have passed since the attempt before as "not there" needs.
        return replace(found, not_before=max(found.not_before or now, now + settles))

    def _said_before(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        """What it means that the network has the very same words: an earlier attempt of ours, else another's post."""
        doubted = replace(claimed, in_doubt=True)
        if claimed.last_tried_at is not None:  # whatever was thought of that attempt since
            return self._refused_in_doubt(error, doubted)
        told = None
        if (
            isinstance(self.channel, SupportsLookup) and claimed.request and claimed.first_tried_at
        ):  # a proxy may say it twice
            told = self._asked(self.channel, claimed.request, claimed.first_tried_at, doubted)
        return self._refused(error, claimed) if told is None else told

    def _holds(self, claimed: ClaimedDelivery) -> bool:
        return self.how.unknown_policy(severe=claimed.severe) == "hold"

    def _held(self, claimed: ClaimedDelivery, reason: str) -> AttemptResult:
        remedy = f"Look for it on {self.how.name!r}, then: policenotify resolve {claimed.id}"
        return AttemptResult(outcome=Outcome.HELD, reason=reason, remedy=remedy)

    # --- saying it

    def _answers(self, claimed: ClaimedDelivery) -> tuple[PostRef, ...]:
        """What it hangs under: our own posts or nothing, and nothing once the network refused it as an answer."""
        ours = all(ref.account == self.how.account for ref in claimed.reply_to)
        hangs = self.channel.capabilities.replies and ours and claimed.wording != "standalone"
        return claimed.reply_to if hangs else ()

    def _worded(self, claimed: ClaimedDelivery) -> ClaimedDelivery:
        if claimed.operation is Operation.DELETE:
            return claimed
        # What is edited stays where its readers have found it, and needs no word about what it refers to.
        if self._answers(claimed) or claimed.operation is Operation.EDIT:
            return replace(claimed, wording="reply")
        # Where nothing is ever answered, standing alone is nothing to remark on.
        return replace(claimed, wording="standalone" if self.channel.capabilities.replies else "")

    def _prepared(self, claimed: ClaimedDelivery) -> Request:
        """What will be said to the network, made from the wording chosen. Raises whatever the channel raises."""
        if claimed.operation is Operation.DELETE:
            if claimed.target is None:
                raise Refused("The post to be taken back is not known.", remedy="Take it back by hand.")
            return Request(account=self.how.account, key=claimed.key, body={"delete": claimed.target.id})
        post = (claimed.reply if claimed.wording == "reply" else None) or claimed.standalone
        if post is None:
            raise Refused("This delivery has no wording.", remedy=_ANEW)
        pictures = tuple(self.journal.publications.picture(picture.digest, picture.alt) for picture in post.pictures)
        post = post.model_copy(update={"variant": claimed.request_version, "pictures": pictures})
        if claimed.request_version and post.distinct and self.channel.capabilities.refuses_repeats:
            post = post.model_copy(update={"text": post.distinct, "spans": post.distinct_spans})
        answers = self._answers(claimed)
        try:
            return _a(Request, self.channel.prepare(post, answers))
        except Refused as error:
            if claimed.operation is not Operation.EDIT or error.fallback != "standalone" or not answers:
                raise
        # What is edited stays where its readers have found it, also below posts that have been deleted since.
        return _a(Request, self.channel.prepare(post, ()))

    def _say(self, claimed: ClaimedDelivery, request: Request) -> None:
        people: tuple[Recipient, ...] = ()
        at = self.clock.monotonic()
        try:
            with self.journal.transaction():
                begun = self.journal.deliveries.begin(
                    claimed, request, claimed.wording, lease=self.lease, rate=self.how.rate
                )
                if begun.has_recipients:
                    people = self._next_people(begun)
        except RateReached as reached:
            self._store(claimed, self._later(reached, claimed))
            return
        except PublishingStopped as stop:
            waits = Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING
            self._store(claimed, AttemptResult(outcome=waits, reason=str(stop)))
            return
        # What is in doubt is what was said before this attempt.
        before = claimed.at_steps(begun.clock_steps)
        begun = replace(begun, in_doubt=claimed.in_doubt, last_tried_at=before.last_tried_at)
        lease = Lease(journal=self.journal, claimed=begun, clock=self.clock, length=self.lease, renewed_at=at)
        if begun.has_recipients:
            self._mail(lease, request, people)
        else:
            self._store(begun, self._send(lease, request))

    def _later(self, reached: RateReached, claimed: ClaimedDelivery) -> AttemptResult:
        waits = Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING
        reason = f"{self.how.name!r} has reached its rate; it goes on by itself."
        return AttemptResult(outcome=waits, not_before=moment(reached.at), backoff=claimed.backoff, reason=reason)

    def _send(self, lease: Lease, request: Request) -> AttemptResult:
        channel, claimed = cast("Any", self.channel), lease.claimed  # `_unfit` has checked the channel
        try:
            with publishing_under(lease.allow):
                lease.check_time()  # a network that does not check by itself is checked here
                if claimed.operation is Operation.DELETE:
                    channel.delete(claimed.target)
                    return AttemptResult(outcome=Outcome.DELETED, ref=claimed.target)
                edits = claimed.operation is Operation.EDIT
                ref = _a(PostRef, channel.edit(claimed.target, request) if edits else channel.send(request))
            can = self.channel.capabilities
            adopts = not edits and (can.idempotency_window or can.lookup_delay is not None)  # what was there before
            return self._landed(claimed, ref) if adopts else AttemptResult(outcome=Outcome.POSTED, ref=ref)
        except Exception as error:  # noqa: BLE001 - whatever escapes a channel counts as unconfirmed
            if lease.unwritten:  # whatever the channel has made of it
                return self._unsent(claimed)
            return self._after(error, claimed)

    def _unsent(self, claimed: ClaimedDelivery) -> AttemptResult:
        """Return what becomes of a delivery of which nothing was sent because its lease was too old.

        If another process has it, storing this raises `LostLease`.
        """
        waits = Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING
        reason = "The sending process was halted for too long; this attempt sent nothing."
        return AttemptResult(outcome=waits, not_before=self.journal.now(), backoff=claimed.backoff, reason=reason)

    def _after(self, error: Exception, claimed: ClaimedDelivery) -> AttemptResult:
        """What a failure means for the delivery."""
        if not isinstance(error, ChannelError):
            _log.warning("Delivery %s on %s: %s escaped.", claimed.id, self.how.name, type(error).__name__)
            error = Unconfirmed(f"The network of {self.how.name!r} failed unexpectedly.", code=type(error).__name__)
        if isinstance(error, Refused):
            return self._after_refusal(error, claimed)
        now, backoff = self.journal.now(), self.patience(claimed.backoff)
        waiting = AttemptResult(
            outcome=Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING,
            not_before=now + backoff,
            backoff=backoff,
            reason=error.reason,
            remedy=error.remedy,
            code=error.code,
        )
        match error:
            case Blocked():
                if self.journal.channels.block(self.how.name, error):
                    _log.error("Channel %s is blocked: %s %s", self.how.name, error.reason, error.remedy)
                became = replace(waiting, not_before=now, backoff=timedelta(0))
            case Unavailable():
                waiting = replace(waiting, remedy=error.remedy or "It will be tried again.")
                if error.retry_at:  # the network's own time is no guess of ours, from which the next would grow
                    # A time that has passed already would have us ask without a pause.
                    at = max(_aware(error.retry_at), now + self.patience(timedelta(0)))
                    waiting = replace(waiting, not_before=at, backoff=claimed.backoff)
                if error.whole_channel:
                    self.journal.channels.pause(self.how.name, waiting.not_before or now)
                became = waiting
            case _:
                became = replace(waiting, outcome=Outcome.UNCONFIRMED, remedy=error.remedy or self._then(claimed))
        return became

    def _after_refusal(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        if claimed.operation is Operation.POST and claimed.in_doubt:
            return self._refused_in_doubt(error, claimed)
        if claimed.operation is Operation.POST and error.fallback == "distinct":
            return self._said_before(error, claimed)
        return self._refused(error, claimed)

    def _refused(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        """What a refusal means for a post that certainly is not out."""
        waits = AttemptResult(
            outcome=Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING,
            not_before=self.journal.now(),
            backoff=claimed.backoff,
            reason=error.reason,
            remedy=error.remedy,
            code=error.code,
        )
        return _otherwise(error, claimed, waits)

    def _then(self, claimed: ClaimedDelivery) -> str:
        """What will become of a post that may be out, for who asks what to do."""
        remembers = self.channel.capabilities.idempotency_window > timedelta(0)
        if remembers or self.channel.capabilities.lookup_delay is not None or claimed.operation is not Operation.POST:
            return "Nothing: it will be found out, and said again only if it is not there."
        return "It will be held, to be looked for." if self._holds(claimed) else "It will be said again."

    # --- many people

    def _next_people(self, claimed: ClaimedDelivery) -> tuple[Recipient, ...]:
        hold = self._holds(claimed)
        return self.journal.deliveries.next_recipients(claimed, CHUNK, hold_doubt=hold, rate=self.how.rate)

    def _mail(self, lease: Lease, request: Request, people: tuple[Recipient, ...]) -> None:
        """Send to these people and then to the others, until all have an outcome or the list must not go on."""
        claimed, hold = lease.claimed, self._holds(lease.claimed)
        while True:
            handout = Handout(
                journal=self.journal,
                lease=lease,
                rate=self.how.rate,
                hold_doubt=hold,
                may_go_on=self.may_go_on,
                left=list(people),
            )
            failure = handout.run(cast("SupportsBulkSend", self.channel), request)  # `_unfit` has checked the channel
            at = self.clock.monotonic()
            if any(person.outcome == "posted" for person in handout.outcomes.values()):
                claimed = replace(claimed, backoff=timedelta(0))  # it is not failing: the next wait is a short one
            with self.journal.transaction():
                outcomes = tuple(handout.unstored.values())
                self.journal.deliveries.record_recipients(claimed, outcomes, hold_doubt=hold, lease=self.lease)
                if failure or handout.cut or not self.may_go_on():
                    break
                people, counts = self._next_or_settled(claimed, request)
            lease.renewed_at = at
            if not people:
                _log_outcome(claimed, "", counts)
                return
        if failure:
            became = self._after(failure, claimed)
        elif handout.reached:
            became = self._later(handout.reached, claimed)
        else:
            became = AttemptResult(outcome=Outcome.WAITING, not_before=self.journal.now(), reason=_CUT)
        self._store(claimed, replace(became, ref=_out(request)))

    def _next_or_settled(
        self, claimed: ClaimedDelivery, request: Request
    ) -> tuple[tuple[Recipient, ...], Mapping[Outcome, int]]:
        """Return the next people; if there are none, settle the delivery and return how many have which outcome."""
        became = self._rest(claimed)
        try:
            if people := self._next_people(claimed):
                return people, {}
        except RateReached as reached:
            became = self._later(reached, claimed)
        return (), self.journal.deliveries.record_result(claimed, replace(became, ref=_out(request)))

    def _rest(self, claimed: ClaimedDelivery) -> AttemptResult:
        """For those who still wait when everybody was written to: by an answer of their own."""
        backoff = self.patience(claimed.backoff)
        return AttemptResult(outcome=Outcome.WAITING, not_before=self.journal.now() + backoff, backoff=backoff)


def _out(request: Request) -> PostRef:
    """Where a mass delivery landed: with its people."""
    return PostRef(account=request.account, id=request.key)


def _log_outcome(claimed: ClaimedDelivery, code: str, counts: Mapping[Outcome, int]) -> None:
    """Log what a delivery has come to, without its words and its people; nothing while something of it waits."""
    if any(counts.get(outcome) for outcome in (Outcome.WAITING, Outcome.UNCONFIRMED, Outcome.SENDING)):
        return
    shown = ", ".join(
        f"{count} {outcome}" if claimed.has_recipients else outcome for outcome, count in counts.items() if count
    )
    alarming = counts.get(Outcome.REFUSED) or counts.get(Outcome.HELD)
    level = logging.WARNING if alarming else logging.INFO
    _log.log(
        level,
        "Channel %s: publication %s, delivery %s: %s%s",
        claimed.channel,
        claimed.publication,
        claimed.id,
        shown,
        f" [{code}]" if code else "",
    )


def _otherwise(error: Refused, claimed: ClaimedDelivery, waiting: AttemptResult) -> AttemptResult:
    """How a post that was refused may still come out; else it is refused for good."""
    most = {"prepare": _MOST_VARIANTS, "distinct": 1}.get(error.fallback or "", 0)
    if claimed.request_version < most:
        return replace(waiting, new_request=True)
    if claimed.operation is Operation.EDIT:  # people must learn what was wrong, if not there then below it
        return replace(waiting, outcome=Outcome.WAITING, resend_as_post=True)
    # Also where preparing it anew did not help: what is in the way may be what it answers.
    if error.fallback is not None and claimed.wording == "reply":
        return replace(waiting, standalone=True)
    return replace(waiting, outcome=Outcome.REFUSED, not_before=None)


def _certainly_not(error: Exception, otherwise: str) -> ChannelError:
    """What went wrong in a call that publishes nothing: whatever it is, it put nothing out."""
    match error:
        case Refused() | Blocked() | Unavailable():
            return error
        case ChannelError():
            return Unavailable(error.reason, remedy=error.remedy, code=error.code)
        case SettingsError():
            return Blocked(str(error), remedy="Then: policenotify doctor")
        case InvalidImage():
            return Refused(str(error), remedy=_ANEW)
        case JournalError():
            return Unavailable(str(error))
        case _:
            _log.warning("%s (%s)", otherwise, type(error).__name__)
            return Unavailable(otherwise, code=type(error).__name__)


def _of_a_question(error: Exception, otherwise: str) -> ChannelError:
    """The same for a question: that the network refuses to answer it says nothing of the post."""
    said = _certainly_not(error, otherwise)
    return Unavailable(said.reason, remedy=said.remedy, code=said.code) if isinstance(said, Refused) else said


def _a(kind: type[_Kind], value: object) -> _Kind:
    """The value, if it is what the contract says: a stranger's channel may return anything."""
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
