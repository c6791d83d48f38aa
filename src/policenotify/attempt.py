"""One claimed delivery: settle a doubt, prepare, send, and write down what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from policenotify.channel import (
    Channel,
    Configured,
    Deletes,
    Edits,
    Finds,
    Mails,
    Operation,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    Sends,
)
from policenotify.errors import (
    Blocked,
    ChannelError,
    InvalidPicture,
    JournalError,
    Refused,
    SettingsError,
    Stopped,
    Unavailable,
    Unconfirmed,
)
from policenotify.journal.values import Claimed, Settlement, moment
from policenotify.rate import RateReached
from policenotify.receipt import Outcome

if TYPE_CHECKING:
    from policenotify.journal.store import Journal

_log = logging.getLogger("policenotify")
_Kind = TypeVar("_Kind")

CHUNK = 25
"""How many people are marked as being written to at once: after a crash so many at the most are in doubt."""

_MOST_VARIANTS = 3  # a network that refuses the first request and three others refuses the content
_ANEW = "If it is still true, publish it again with another key."
_SOONEST, _LATEST = timedelta(seconds=2), timedelta(minutes=10)
_WEIGHTS = ("unavailable", "refused", "unconfirmed", "posted")  # of two outcomes for one person the later here counts


def patience(before: timedelta) -> timedelta:
    """Return how long to wait after a failure: half as long again as after the one before it.

    The first wait is 2 seconds and the longest 10 minutes. How old a post is does not matter: one that has waited for
    hours behind others has not failed yet.
    """
    return min(max(before * 1.5, _SOONEST), _LATEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Brings claimed deliveries of one channel out, each as often as is safe and no oftener.

    Attributes:
        journal: Where they are claimed, and where all is written down.
        channel: The channel object of this thread.
        how: How the installation uses the channel.
        lease: For how long a mass delivery stays ours after each chunk.
        patience: Returns how long to wait after a failure, from how long the wait after the one before it was.
        word: Called after each chunk of a mass delivery: it takes long, but goes on.
    """

    journal: Journal
    channel: Channel
    how: Configured
    lease: timedelta
    patience: Callable[[timedelta], timedelta] = patience
    word: Callable[[], None] = lambda: None

    def make(self, claimed: Claimed) -> None:
        """Make one attempt.

        Raises:
            LostLease: Another runner has taken the delivery over; its result counts.
            JournalError: The journal could not be written. The lease will run out, and the doubt be settled then.
        """
        if why := self._unfit(claimed):
            self.journal.settle(claimed, self._cannot(claimed, why))
            return
        if claimed.doubt and claimed.operation is Operation.POST:  # the others may be said again: they add nothing
            found = self._settle_doubt(claimed)
            if isinstance(found, Settlement):
                self.journal.settle(claimed, found)
                return
            claimed = found
        request = claimed.request
        if request is None:
            claimed = self._worded(claimed)
            try:
                request = self._prepared(claimed)
            except Exception as error:  # noqa: BLE001 - nothing is visible yet, whatever went wrong
                failed = f"The network of {self.how.name!r} failed before anything was sent."
                self.journal.settle(claimed, self._after(_certainly_not(error, failed), claimed))
                return
        self._say(claimed, request)

    # --- whether this channel may say it at all

    def _unfit(self, claimed: Claimed) -> str:
        """Why the channel as it is set now cannot say what was worded for it; empty: it can."""
        if claimed.account != self.how.account:
            return f"It was worded for {claimed.account!r}; {self.how.name!r} is now {self.how.account!r}."
        posts = Mails if claimed.mass else Sends
        needed = {Operation.POST: posts, Operation.EDIT: Edits, Operation.DELETE: Deletes}[claimed.operation]
        if not isinstance(self.channel, needed):
            return f"The network of {self.how.name!r} cannot send it."
        return ""

    def _cannot(self, claimed: Claimed, why: str) -> Settlement:
        if claimed.doubt:
            return self._held(claimed, f"An earlier attempt may be out. {why}")
        return Settlement(outcome=Outcome.REFUSED, reason=why, remedy=_ANEW)

    # --- doubt

    def _settle_doubt(self, claimed: Claimed) -> Settlement | Claimed:
        """What becomes of a post that may be out; else the delivery, to be said again."""
        now = self.journal.now()
        stale = claimed.not_after is not None and claimed.not_after <= now
        if self._same_key_counts(claimed, now) and not stale:
            return claimed
        settles = self.channel.abilities.lookup_settles
        if isinstance(self.channel, Finds) and settles is not None:
            return self._look(self.channel, claimed, now=now, settles=settles, stale=stale)
        if self._holds(claimed) or stale:
            return self._held(claimed, "It may or may not be out, and the network cannot be asked.")
        return claimed

    def _same_key_counts(self, claimed: Claimed, now: datetime) -> bool:
        """Whether the network still knows the key, so that the same request again publishes nothing twice."""
        first = claimed.first_tried_at
        return first is not None and now - first < self.channel.abilities.remembers_keys

    def _look(
        self, channel: Finds, claimed: Claimed, *, now: datetime, settles: timedelta, stale: bool
    ) -> Settlement | Claimed:
        """Ask the network; the delivery without its doubt, if it is certainly not out."""
        if claimed.request is None or claimed.first_tried_at is None or claimed.last_tried_at is None:
            return replace(claimed, doubt=False)  # nothing was ever said
        try:
            ref = channel.find(claimed.request, since=claimed.first_tried_at)
            if ref is not None:
                return Settlement(outcome=Outcome.POSTED, ref=_a(PostRef, ref))
        except Exception as error:  # noqa: BLE001 - the doubt stays, whatever went wrong
            unanswered = f"It may or may not be out, and {self.how.name!r} could not be asked."
            return self._after(_of_a_question(error, unanswered), claimed)
        believed_at = claimed.last_tried_at + settles
        if now < believed_at:
            return Settlement(
                outcome=Outcome.UNCONFIRMED,
                not_before=believed_at,
                backoff=claimed.backoff,
                reason="It does not show on the network yet; that may take a while.",
            )
        if stale:
            return Settlement(outcome=Outcome.SUPERSEDED, reason="It had expired before it could be sent.")
        return replace(claimed, doubt=False)

    def _refused_in_doubt(self, error: Refused, claimed: Claimed) -> Settlement:
        """What a refusal means for a post of which an earlier attempt may be out."""
        settles = self.channel.abilities.lookup_settles
        if settles is None or not isinstance(self.channel, Finds):
            return self._held(claimed, f"An earlier attempt may be out; now the network refuses it: {error.reason}")
        now = self.journal.now()
        found = self._look(self.channel, claimed, now=now, settles=settles, stale=False)
        if isinstance(found, Claimed):
            return self._after(error, found)
        # If it is refused again then, as much time will have passed since the attempt before as "not there" needs.
        return replace(found, not_before=max(found.not_before or now, now + settles))

    def _holds(self, claimed: Claimed) -> bool:
        policy = self.how.on_unknown if claimed.severe else self.how.on_unknown_minor
        return policy == "hold"

    def _held(self, claimed: Claimed, reason: str) -> Settlement:
        remedy = f"Look for it on {self.how.name!r}, then: policenotify resolve {claimed.id}"
        return Settlement(outcome=Outcome.HELD, reason=reason, remedy=remedy)

    # --- saying it

    def _answers(self, claimed: Claimed) -> tuple[PostRef, ...]:
        """What it hangs under: our own posts or nothing, and nothing once the network refused it as an answer."""
        ours = all(ref.account == self.how.account for ref in claimed.answers)
        hangs = self.channel.abilities.replies and ours and claimed.wording != "standalone"
        return claimed.answers if hangs else ()

    def _worded(self, claimed: Claimed) -> Claimed:
        if claimed.operation is Operation.DELETE:
            return claimed
        # What is edited stays where its readers have found it, and needs no word about what it refers to.
        reply = self._answers(claimed) or claimed.operation is Operation.EDIT
        return replace(claimed, wording="reply" if reply else "standalone")

    def _prepared(self, claimed: Claimed) -> Request:
        """What will be said to the network, made from the wording chosen. Raises whatever the channel raises."""
        if claimed.operation is Operation.DELETE:
            if claimed.target is None:
                raise Refused("The post to be taken back is not known.", remedy="Take it back by hand.")
            return Request(account=self.how.account, key=claimed.key, body={"delete": claimed.target.id})
        post = (claimed.reply if claimed.wording == "reply" else None) or claimed.standalone
        if post is None:
            raise Refused("This delivery has no wording.", remedy=_ANEW)
        pictures = tuple(self.journal.picture(picture.digest, picture.alt) for picture in post.pictures)
        post = post.model_copy(update={"variant": claimed.variant, "pictures": pictures})
        answers = self._answers(claimed)
        try:
            return _a(Request, self.channel.prepare(post, answers))
        except Refused as error:
            if claimed.operation is not Operation.EDIT or error.fallback != "standalone" or not answers:
                raise
        # What is edited stays where its readers have found it, also below posts that have been deleted since.
        return _a(Request, self.channel.prepare(post, ()))

    def _say(self, claimed: Claimed, request: Request) -> None:
        people: tuple[Recipient, ...] = ()
        try:
            with self.journal.as_one():
                begun = self.journal.begin(claimed, request, claimed.wording, rate=self.how.rate)
                if begun.mass:
                    people = self._next_people(begun)
        except RateReached as reached:
            self.journal.settle(claimed, self._later(reached, claimed))
            return
        except Stopped as stop:
            waits = Outcome.UNCONFIRMED if claimed.doubt else Outcome.WAITING
            self.journal.settle(claimed, Settlement(outcome=waits, reason=str(stop)))
            return
        # What is in doubt is what was said before this attempt.
        begun = replace(begun, doubt=claimed.doubt, last_tried_at=claimed.last_tried_at)
        if begun.mass:
            self._mail(begun, request, people)
        else:
            self.journal.settle(begun, self._send(begun, request))

    def _later(self, reached: RateReached, claimed: Claimed) -> Settlement:
        waits = Outcome.UNCONFIRMED if claimed.doubt else Outcome.WAITING
        reason = f"{self.how.name!r} has reached its rate; it goes on by itself."
        return Settlement(outcome=waits, not_before=moment(reached.at), backoff=claimed.backoff, reason=reason)

    def _send(self, claimed: Claimed, request: Request) -> Settlement:
        channel = cast("Any", self.channel)  # `_unfit` has seen to it
        try:
            if claimed.operation is Operation.DELETE:
                channel.delete(claimed.target)
                return Settlement(outcome=Outcome.WITHDRAWN, ref=claimed.target)
            edits = claimed.operation is Operation.EDIT
            ref = channel.edit(claimed.target, request) if edits else channel.send(request)
            return Settlement(outcome=Outcome.POSTED, ref=_a(PostRef, ref))
        except Exception as error:  # noqa: BLE001 - whatever escapes a channel counts as unconfirmed
            return self._after(error, claimed)

    def _after(self, error: Exception, claimed: Claimed) -> Settlement:
        """What a failure means for the delivery."""
        if not isinstance(error, ChannelError):
            _log.warning("Delivery %s on %s: %s escaped.", claimed.id, self.how.name, type(error).__name__)
            error = Unconfirmed(f"The network of {self.how.name!r} failed unexpectedly.", code=type(error).__name__)
        if isinstance(error, Refused) and claimed.doubt and claimed.operation is Operation.POST:
            return self._refused_in_doubt(error, claimed)
        now, backoff = self.journal.now(), self.patience(claimed.backoff)
        waiting = Settlement(
            outcome=Outcome.UNCONFIRMED if claimed.doubt else Outcome.WAITING,
            not_before=now + backoff,
            backoff=backoff,
            reason=error.reason,
            remedy=error.remedy,
            code=error.code,
        )
        match error:
            case Refused():
                became = _otherwise(error, claimed, replace(waiting, not_before=now, backoff=claimed.backoff))
            case Blocked():
                if self.journal.block(self.how.name, error):
                    _log.error("Channel %s is blocked: %s %s", self.how.name, error.reason, error.remedy)
                became = replace(waiting, not_before=now, backoff=timedelta(0))
            case Unavailable():
                waiting = replace(waiting, remedy=error.remedy or "It will be tried again.")
                if error.retry_at:  # the network's own time is no guess of ours, from which the next would grow
                    # A time that has passed already would have us ask without a pause.
                    at = max(_aware(error.retry_at), now + self.patience(timedelta(0)))
                    waiting = replace(waiting, not_before=at, backoff=claimed.backoff)
                if error.whole_channel:
                    self.journal.pause(self.how.name, waiting.not_before or now)
                became = waiting
            case _:
                became = replace(waiting, outcome=Outcome.UNCONFIRMED, remedy=error.remedy or self._then(claimed))
        return became

    def _then(self, claimed: Claimed) -> str:
        """What will become of a post that may be out, for who asks what to do."""
        remembers = self.channel.abilities.remembers_keys > timedelta(0)
        if remembers or self.channel.abilities.lookup_settles is not None or claimed.operation is not Operation.POST:
            return "Nothing: it will be found out, and said again only if it is not there."
        return "It will be held, to be looked for." if self._holds(claimed) else "It will be said again."

    # --- many people

    def _next_people(self, claimed: Claimed) -> tuple[Recipient, ...]:
        hold = self._holds(claimed)
        return self.journal.next_people(claimed, CHUNK, hold_doubt=hold, rate=self.how.rate)

    def _mail(self, claimed: Claimed, request: Request, people: tuple[Recipient, ...]) -> None:
        """Write to these people, and then to all the others; what became of some is written down with who is next."""
        channel = cast("Mails", self.channel)  # `_unfit` has seen to it
        failure: ChannelError | None = None
        while people:
            outcomes, failure = _tell_each(channel, self.how.name, request, people)
            if any(one.outcome == "posted" for one in outcomes):  # it is not failing: the next wait is a short one
                claimed = replace(claimed, backoff=timedelta(0))
            with self.journal.as_one():
                hold = self._holds(claimed)
                self.journal.settle_people(claimed, outcomes, hold_doubt=hold, lease=self.lease)
                people = () if failure else self._next_or_settled(claimed, request)
            self.word()
            if not failure and not people:
                return
        became = self._after(failure, claimed) if failure else self._rest(claimed)
        self.journal.settle(claimed, replace(became, ref=_out(request)))

    def _next_or_settled(self, claimed: Claimed, request: Request) -> tuple[Recipient, ...]:
        became = self._rest(claimed)
        try:
            if people := self._next_people(claimed):
                return people
        except RateReached as reached:
            became = self._later(reached, claimed)
        self.journal.settle(claimed, replace(became, ref=_out(request)))
        return ()

    def _rest(self, claimed: Claimed) -> Settlement:
        """For those who still wait when everybody was written to: by an answer of their own."""
        backoff = self.patience(claimed.backoff)
        return Settlement(outcome=Outcome.WAITING, not_before=self.journal.now() + backoff, backoff=backoff)


def _out(request: Request) -> PostRef:
    """Where a mass delivery landed: with its people."""
    return PostRef(account=request.account, id=request.key)


def _tell_each(
    channel: Mails, name: str, request: Request, people: tuple[Recipient, ...]
) -> tuple[list[RecipientOutcome], ChannelError | None]:
    """Send to these people; every one of them has an outcome, whatever the channel does."""
    told: dict[str, RecipientOutcome] = {}
    failure: ChannelError | None = None
    untold = partial(RecipientOutcome, outcome="unconfirmed", reason="It may or may not have been taken.")
    try:
        for one in channel.send_each(request, people):
            said = one if one.outcome in _WEIGHTS else untold(key=one.key)  # a word that nobody knows says nothing
            told[one.key] = max(told.get(one.key, said), said, key=lambda other: _WEIGHTS.index(other.outcome))
    except (Refused, Blocked, Unavailable) as error:
        failure = error
        untold = partial(RecipientOutcome, outcome="unavailable", reason=error.reason, code=error.code)
    except Exception as error:  # noqa: BLE001 - whatever escapes leaves the untold in doubt
        _log.warning("Channel %s: %s escaped in the middle of a mass delivery.", name, type(error).__name__)
        failure = Unavailable("The network failed unexpectedly in the middle.", code=type(error).__name__)
    return [told.get(person.key) or untold(key=person.key) for person in people], failure


def _otherwise(error: Refused, claimed: Claimed, waiting: Settlement) -> Settlement:
    """How a post that was refused may still come out; else it is refused for good."""
    if error.fallback == "prepare" and claimed.variant < _MOST_VARIANTS:
        return replace(waiting, variant=True)
    if claimed.operation is Operation.EDIT:  # people must learn what was wrong, if not there then below it
        return replace(waiting, outcome=Outcome.WAITING, instead=True)
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
        case InvalidPicture():
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
