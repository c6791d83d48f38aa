"""One attempt of a claimed delivery: reconcile, prepare, send, and store the result."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from policenotify.channel import (
    Operation,
    PostRef,
    Recipient,
    Request,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
    SupportsPeople,
    SupportsSend,
)
from policenotify.delivery.batch import ListSender
from policenotify.delivery.log_lines import log_blocked, log_delayed, log_outcome, noted
from policenotify.delivery.sender import limited, waiting
from policenotify.delivery.telemetry import SEND_DURATION, TIME_TO_POST, Attributes, measure, note, span
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
from policenotify.journal.records import AttemptResult, ClaimedDelivery, TakenBack
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.rate import RateReached
from policenotify.translation import AnyText, Text, text_of

_log = logging.getLogger("policenotify")
_Kind = TypeVar("_Kind")

_SETTLED = (Outcome.HELD, Outcome.POSTED, Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SUPPRESSED)  # the first counts
_MOST_REQUESTS = 3  # after the first; a network that refuses these too refuses the content
_PUBLISH_AGAIN = Text("If it is still true, publish it again with another key.")
_CALLED_WITHIN = 1 / 2  # of a lease; the other half is for the call and its answer
_LOOKUP_MARGIN = timedelta(days=1)  # before the first attempt, for a clock that was set since. Known posts do not count
_LOOKUP_INTERVAL = timedelta(seconds=5)  # so that two servers of a network that disagree do not answer both look-ups


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt(ListSender):
    """Makes attempts of the deliveries of one channel, in one thread."""

    def run(self, claimed: ClaimedDelivery) -> None:
        """Make one attempt.

        Raises:
            LostLease: Another process has taken the delivery over. Its result counts.
            JournalError: The journal cannot be written. When the lease ends, the delivery is in doubt.
        """
        about: Attributes = {
            "messaging.system": "policenotify",
            "messaging.operation.type": "process",
            "messaging.destination.name": self.config.name,
            "policenotify.network": self.config.network,
            "policenotify.publication": claimed.publication,
            "policenotify.delivery": claimed.id,
            "policenotify.attempt": claimed.attempts + 1,
            "policenotify.operation": claimed.operation.value,
        }
        with span(f"deliver {self.config.name}", "CONSUMER", about):
            ready = self._ready(claimed)
            if isinstance(ready, AttemptResult):
                self._store(claimed, ready)
            else:  # of a list: a batch
                note({"policenotify.delivery": ready.id, "policenotify.attempt": ready.attempts + 1})
                self._try(ready)

    def _ready(self, claimed: ClaimedDelivery) -> ClaimedDelivery | AttemptResult:
        """Return what is tried now, or the result of the delivery if nothing is."""
        if reason := self._mismatch_reason(claimed):
            if claimed.in_doubt:
                return self._hold(claimed, Text("An earlier attempt may be out. {reason}", reason=reason))
            return AttemptResult(outcome=Outcome.REFUSED, reason=reason, remedy=_PUBLISH_AGAIN)
        if claimed.has_recipients:
            return self.make_batch(claimed) if claimed.parent is None else claimed
        # Editing or deleting twice changes nothing.
        return self._reconcile(claimed) if claimed.in_doubt and claimed.operation is Operation.POST else claimed

    def _try(self, claimed: ClaimedDelivery) -> None:
        request = claimed.request
        if claimed.operation is Operation.DELETE and claimed.target is None:
            found = self._find_target(claimed)
            if found is not None and found.ref is None:  # the network could not be asked
                self._store(claimed, found)
                return
            claimed = replace(claimed, target=found.ref if found else None)
        if request is None:
            claimed = self._choose_wording(claimed)
            try:
                claimed, request = self._prepare_wording(claimed)
            except Exception as error:  # noqa: BLE001 - whatever escapes a channel counts as unconfirmed
                failure = Text("The network of {name!r} failed before anything was sent.", name=self.config.name)
                self._store(claimed, self._failed(_without_side_effects(error, failure), claimed))
                return
        self._begin(claimed, request)

    def _store(self, claimed: ClaimedDelivery, result: AttemptResult) -> None:
        with span("settle", "CLIENT", {"messaging.operation.type": "settle"}), self.journal.write():
            result = self._confirmed(claimed, result)
            counts = self.journal.deliveries.record_result(claimed, result)
            self.on_result()
        # Of a batch the result is its own. Once the delivery is settled, the counts of all its people are known.
        overall = next((outcome for outcome in _SETTLED if counts.get(outcome)), result.outcome)
        log_outcome(claimed, noted(replace(result, outcome=overall)).code, counts)
        if counts.get(Outcome.POSTED):
            seconds = (self.journal.now() - claimed.published_at).total_seconds()
            measure(TIME_TO_POST, seconds, claimed.channel, self.config.network, str(claimed.severe).lower())

    # --- whether this channel can send it

    def _mismatch_reason(self, claimed: ClaimedDelivery) -> AnyText:
        """Return why the channel as configured now cannot send the delivery, if so."""
        if claimed.account != self.config.account:
            return Text(
                "It was worded for {account!r}; {name!r} is now {account_2!r}.",
                account=claimed.account,
                name=self.config.name,
                account_2=self.config.account,
            )
        posts = SupportsPeople if claimed.has_recipients else SupportsSend
        needed = {Operation.POST: posts, Operation.EDIT: SupportsEdit, Operation.DELETE: SupportsDelete}
        if not isinstance(self.channel, needed[claimed.operation]):
            return Text("The network of {name!r} cannot send it.", name=self.config.name)
        return ""

    # --- in doubt

    def _reconcile(self, claimed: ClaimedDelivery) -> AttemptResult | ClaimedDelivery:
        """Return the result of a delivery in doubt, or the delivery if it may be sent again."""
        now, first = self.journal.now(), claimed.first_tried_at
        expired = claimed.over or (claimed.not_after is not None and claimed.not_after <= now)
        window = self.channel.capabilities.idempotency_window
        key_is_known = first is not None and timedelta(0) <= now - first < window  # else the clock was set back
        if key_is_known and not expired:
            return claimed  # the network publishes the same request once
        delay = self.channel.capabilities.lookup_delay
        if isinstance(self.channel, SupportsLookup) and delay is not None:
            return self._look_up(self.channel, claimed, delay=delay, expired=expired)
        if self._holds_doubt(claimed) or expired:
            return self._hold(claimed, Text("It may or may not be out, and the network cannot be asked."))
        return claimed

    def _look_up(
        self, channel: SupportsLookup, claimed: ClaimedDelivery, *, delay: timedelta, expired: bool
    ) -> AttemptResult | ClaimedDelivery:
        """Ask the network for the post of a delivery in doubt.

        The delivery is returned, without its doubt, if the post certainly is not there. That takes two look-ups with
        the network's own delay between them, by a clock that cannot be set, whichever process looks.
        """
        why = Text("It had expired before it could be sent.")
        if claimed.over:
            why = Text("It was withdrawn, or it was over, before it could be sent.")
        never = AttemptResult(outcome=Outcome.SUPERSEDED, reason=text_of(why))
        certain = never if expired else replace(claimed, in_doubt=False)
        if claimed.first_tried_at is None:
            return certain  # no request was ever sent
        seen, since = self.journal.uptime(), min(claimed.first_tried_at, self.journal.now()) - _LOOKUP_MARGIN
        if (found := self._find(channel, claimed.request, since, claimed)) is not None:
            return found
        waited, needed = seen.since(claimed.unseen_at), max(delay, _LOOKUP_INTERVAL)
        if waited is None or waited < needed:
            return AttemptResult(
                outcome=Outcome.UNCONFIRMED,
                not_before=self.journal.now() + needed - (waited or timedelta(0)),
                unseen_at=seen if waited is None else claimed.unseen_at,
                backoff=claimed.backoff,
                reason=Text("It does not show on the network yet; that may take a while."),
            )
        return certain

    @span("find", "CLIENT")
    def _find(
        self, channel: SupportsLookup, request: Request | None, since: datetime, claimed: ClaimedDelivery
    ) -> AttemptResult | None:
        """Return what the network's answer means, if it shows the post or fails."""
        try:
            # In a journal restored from a copy there may be none of what was sent after the copy was made.
            request = request or self._prepare(self._choose_wording(claimed))
            ref = channel.find(request, since=since, known=self.journal.deliveries.known_posts(claimed))
            return None if ref is None else noted(AttemptResult(outcome=Outcome.POSTED, ref=_checked(PostRef, ref)))
        except Exception as error:  # noqa: BLE001 - whatever escapes a channel counts as unconfirmed
            failure = Text("It may or may not be out, and {name!r} could not be asked.", name=self.config.name)
            known = _without_side_effects(error, failure)
            if isinstance(known, Refused):  # to answer; that tells nothing about the post
                known = Unavailable(known.reason, remedy=known.remedy, code=known.code)
            return noted(self._failed(known, claimed))

    def _find_target(self, deletion: ClaimedDelivery) -> AttemptResult | None:
        """Look for the post that is to be deleted, of which a person alone has seen that it is out."""
        sent = self.journal.deliveries.target_of(deletion)
        if sent is None or not isinstance(self.channel, SupportsLookup):
            return None
        request, first = sent
        return self._find(self.channel, request, first - _LOOKUP_MARGIN, deletion)

    def _confirmed(self, claimed: ClaimedDelivery, result: AttemptResult) -> AttemptResult:
        """Return a result, unless it names the post of another message. A network may return what was there before."""
        can, ref = self.channel.capabilities, result.ref
        adopts = can.idempotency_window or can.lookup_delay is not None or isinstance(self.channel, SupportsLookup)
        if ref is None or not adopts or claimed.has_recipients or claimed.operation is not Operation.POST:
            return result
        if not self.journal.deliveries.known_posts(claimed, post=ref.id):
            return result
        named = Text(
            "{name!r} answers with the post of another message: {url}.", name=self.config.name, url=ref.url or ref.id
        )
        return self._hold(claimed, Text("It may or may not be out. {named}", named=named))

    def _hold(self, claimed: ClaimedDelivery, reason: AnyText) -> AttemptResult:
        remedy = Text(
            "Look for it on {name!r}, then: policenotify resolve {public_id}",
            name=self.config.name,
            public_id=claimed.public_id,
        )
        return AttemptResult(outcome=Outcome.HELD, reason=reason, remedy=remedy)

    # --- sending

    def _reply_to(self, claimed: ClaimedDelivery) -> tuple[PostRef, ...]:
        """Return the posts to answer, unless the network refused the post as a reply."""
        same_account = all(ref.account == self.config.account for ref in claimed.reply_to)
        replies = self.channel.capabilities.replies and same_account and claimed.wording != "standalone"
        return claimed.reply_to if replies else ()

    def _choose_wording(self, claimed: ClaimedDelivery) -> ClaimedDelivery:
        if claimed.operation is Operation.DELETE:
            return claimed
        # An edited post stays where its readers have found it, so its text need not name what it refers to.
        if self._reply_to(claimed) or claimed.operation is Operation.EDIT:
            return replace(claimed, wording="reply")
        # Where no post ever answers another, standing alone is not worth a remark.
        return replace(claimed, wording="standalone" if self.channel.capabilities.replies else "")

    def _prepare_wording(self, claimed: ClaimedDelivery) -> tuple[ClaimedDelivery, Request]:
        """Return the request, and the delivery with its wording. A list gets no other one later."""
        try:
            return claimed, self._prepare(claimed)
        except Refused as error:
            if not (claimed.has_recipients and claimed.wording == "reply" and error.fallback == "standalone"):
                raise
        alone = replace(claimed, wording="standalone")
        return alone, self._prepare(alone)

    @span("prepare", "CLIENT")
    def _prepare(self, claimed: ClaimedDelivery) -> Request:
        """Return the request for the chosen wording. Raises whatever the channel raises."""
        if claimed.operation is Operation.DELETE:
            if claimed.target is None:
                raise Refused(Text("The post to be taken back is not known."), remedy=Text("Take it back by hand."))
            return Request(account=self.config.account, key=claimed.key, body={"delete": claimed.target.id})
        # Readers who never got what it refers to are not referred to it.
        names_nothing = claimed.wording == "reply" or not claimed.reached
        post = (claimed.reply if names_nothing else None) or claimed.standalone
        if post is None:
            raise Refused(Text("This delivery has no wording."), remedy=_PUBLISH_AGAIN)
        pictures = tuple(self.journal.publications.picture(picture.digest, picture.alt) for picture in post.pictures)
        post = post.model_copy(update={"variant": claimed.request_version, "pictures": pictures})
        if claimed.request_version and post.distinct and self.channel.capabilities.refuses_repeats:
            post = post.model_copy(update={"text": post.distinct, "spans": post.distinct_spans})
        reply_to = self._reply_to(claimed)
        try:
            return _checked(Request, self.channel.prepare(post, reply_to))
        except Refused as error:
            if claimed.operation is not Operation.EDIT or error.fallback != "standalone" or not reply_to:
                raise
        # An edited post stays where it is, even below posts that have been deleted since.
        return _checked(Request, self.channel.prepare(post, ()))

    def _begin(self, claimed: ClaimedDelivery, request: Request) -> None:
        """Commit the request with the attempt, then send it."""
        recipients: tuple[Recipient, ...] = ()
        at = self.clock.monotonic()
        try:
            with self.journal.write():
                begun = self.journal.deliveries.begin(
                    claimed, request, claimed.wording, lease=self.lease, rate=self.config.rate
                )
                if begun.has_recipients:
                    recipients = self._mark(begun)
        except (RateReached, TakenBack, PublishingStopped) as reason:
            self._store(claimed, self._not_begun(reason, claimed))
            return
        # In doubt is what was sent before this attempt.
        begun = replace(begun, in_doubt=claimed.in_doubt, last_tried_at=claimed.last_tried_at)
        if begun.has_recipients:
            begun, ended = self._send_to_people(begun, begun.request or request, recipients, at)
            self._store(begun, self._failed(ended, begun) if isinstance(ended, ChannelError) else ended)
            return
        started = self.clock.monotonic()
        with span(f"send {self.config.network}", "CLIENT", {"messaging.operation.type": "send"}):
            result = noted(self._send(begun, request, at))
        took = self.clock.monotonic() - started
        measure(SEND_DURATION, took, self.config.name, self.config.network, begun.operation.value)
        self._store(begun, result)

    def _not_begun(self, why: Exception, claimed: ClaimedDelivery) -> AttemptResult:
        """Return the result of an attempt that the journal did not let begin."""
        now = self.journal.now()
        match why:
            case RateReached():
                return limited(self.config.name, why, claimed)
            case PublishingStopped():
                return waiting(claimed, reason=text_of(why))
            case TakenBack() if not claimed.in_doubt:
                return AttemptResult(outcome=Outcome.SUPERSEDED, reason=text_of(why))
            case TakenBack() if claimed.operation is not Operation.POST:  # an edit cannot be looked for
                return self._hold(claimed, Text("It may or may not be out. {why}", why=why))
            case _:  # it is looked for
                return waiting(claimed, not_before=now, backoff=claimed.backoff)

    def _send(self, claimed: ClaimedDelivery, request: Request, held_since: float) -> AttemptResult:
        channel = cast("Any", self.channel)  # `_mismatch_reason` has checked the channel
        if self.is_late(held_since, _CALLED_WITHIN):  # if another process has it now, storing this raises `LostLease`
            reason = Text("The sending process was halted for too long; this attempt sent nothing.")
            return waiting(claimed, not_before=self.journal.now(), backoff=claimed.backoff, reason=reason)
        try:
            if claimed.operation is Operation.DELETE:
                channel.delete(claimed.target)
                return AttemptResult(outcome=Outcome.DELETED, ref=claimed.target)
            edits = claimed.operation is Operation.EDIT
            ref = _checked(PostRef, channel.edit(claimed.target, request) if edits else channel.send(request))
            return AttemptResult(outcome=Outcome.POSTED, ref=ref)
        except Exception as error:  # noqa: BLE001 - whatever escapes a channel counts as unconfirmed
            return self._failed(error, claimed)

    # --- failures

    def _failed(self, error: Exception, claimed: ClaimedDelivery) -> AttemptResult:
        """Return what a failure means for the delivery, and log that it is delayed."""
        result = self._result_of(error, claimed)
        if result.delayed:
            log_delayed(claimed, result)
        return result

    def _result_of(self, error: Exception, claimed: ClaimedDelivery) -> AttemptResult:
        if not isinstance(error, ChannelError):
            about = fields(channel=claimed.channel, delivery=claimed.public_id, publication=claimed.publication)
            _log.warning(
                "Delivery %s on %s: %s escaped.", claimed.public_id, claimed.channel, type(error).__name__, extra=about
            )
            reason = Text("The network of {name!r} failed unexpectedly.", name=self.config.name)
            error = Unconfirmed(reason, code=type(error).__name__)
        if isinstance(error, Refused):
            return self._refused(error, claimed)
        now, wait = self.journal.now(), self.backoff(claimed.backoff)
        result = waiting(
            claimed, not_before=now + wait, backoff=wait, reason=error.reason, remedy=error.remedy, code=error.code
        )
        if isinstance(error, Unavailable | Unconfirmed) and error.retry_at:
            # The network's own time, from which our backoff does not grow.
            at = error.retry_at if error.retry_at.tzinfo else error.retry_at.replace(tzinfo=UTC)
            # A time that has passed already would have us ask without a pause.
            result = replace(result, not_before=max(at, now + self.backoff(timedelta(0))), backoff=claimed.backoff)
        match error:
            case Blocked():
                if self.journal.channels.block(self.config.name, error):
                    log_blocked(self.config.name, error.code)
                return replace(result, not_before=now, backoff=timedelta(0))
            case Unavailable():
                result = replace(result, remedy=error.remedy or Text("It will be tried again."), delayed=True)
                if error.whole_channel:
                    self.journal.channels.pause(self.config.name, result.not_before or now)
                return result
            case _:
                remedy = error.remedy or self._unconfirmed_remedy(claimed)
                return replace(result, outcome=Outcome.UNCONFIRMED, remedy=remedy, delayed=True)

    def _unconfirmed_remedy(self, claimed: ClaimedDelivery) -> AnyText:
        can = self.channel.capabilities
        asks = can.idempotency_window > timedelta(0) or can.lookup_delay is not None
        if asks or claimed.operation is not Operation.POST:
            return Text("Nothing: it is looked for, and sent again only if it is not there.")
        if self._holds_doubt(claimed):
            return Text("It will be held until a person has looked for it.")
        return Text("It will be sent again.")

    def _refused(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        if claimed.operation is Operation.POST and claimed.in_doubt:
            return self._refused_in_doubt(error, claimed)
        if claimed.operation is Operation.POST and error.fallback == "distinct":
            return self._refused_as_repeated(error, claimed)
        return self._refused_for_certain(error, claimed)

    def _refused_in_doubt(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        """Return what a refusal means for a post of which an earlier attempt may be out."""
        delay = self.channel.capabilities.lookup_delay
        if delay is None or not isinstance(self.channel, SupportsLookup):
            return self._hold(
                claimed,
                Text("An earlier attempt may be out; now the network refuses it: {reason}", reason=error.reason),
            )
        found = self._look_up(self.channel, claimed, delay=delay, expired=False)
        return self._refused_for_certain(error, found) if isinstance(found, ClaimedDelivery) else found

    def _refused_as_repeated(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        """Return the result where the network already has a post with the same text."""
        doubted = replace(claimed, in_doubt=True)
        if claimed.last_tried_at is not None:  # whatever that attempt was taken for
            return self._refused_in_doubt(error, doubted)
        found = None
        # A proxy may send a request twice.
        if isinstance(self.channel, SupportsLookup) and claimed.request and claimed.first_tried_at:
            found = self._find(self.channel, claimed.request, claimed.first_tried_at, doubted)
        return self._refused_for_certain(error, claimed) if found is None else found

    def _refused_for_certain(self, error: Refused, claimed: ClaimedDelivery) -> AttemptResult:
        """Return in which other form the post is tried, or that it is refused. All of a list get one request."""
        fallback = None if claimed.has_recipients else error.fallback
        result = waiting(
            claimed,
            not_before=self.journal.now(),
            backoff=claimed.backoff,
            reason=error.reason,
            remedy=error.remedy,
            code=error.code,
        )
        most = {"prepare": _MOST_REQUESTS, "distinct": 1}.get(fallback or "", 0)
        if claimed.request_version < most:
            return replace(result, new_request=True)
        if claimed.operation is Operation.EDIT:  # the readers must learn of the correction, if need be by a reply
            return replace(result, outcome=Outcome.WAITING, resend_as_post=True)
        # Also where another request did not help: the cause may be the post that it answers.
        if fallback is not None and claimed.wording == "reply":
            return replace(result, standalone=True)
        return replace(result, outcome=Outcome.REFUSED, not_before=None)


def _without_side_effects(error: Exception, reason: AnyText) -> ChannelError:
    """Return the error of a call that publishes nothing as one of a post not sent."""
    match error:
        case Refused() | Blocked() | Unavailable():
            return error
        case ChannelError():
            return Unavailable(error.reason, remedy=error.remedy, code=error.code)
        case SettingsError():
            return Blocked(error.text, remedy=Text("Then: policenotify doctor"))
        case InvalidImage():
            return Refused(error.text, remedy=_PUBLISH_AGAIN)
        case JournalError():
            return Unavailable(error.text)
        case _:
            _log.warning("%s (%s)", reason, type(error).__name__)
            return Unavailable(reason, code=type(error).__name__)


def _checked(kind: type[_Kind], value: object) -> _Kind:
    """Return the value if it has the type that the contract requires."""
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value
