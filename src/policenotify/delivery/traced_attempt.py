"""An attempt whose steps are recorded as spans: what an installation with telemetry makes instead of a plain one."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime

from policenotify.channel import Request, SupportsLookup
from policenotify.delivery.attempt import DeliveryAttempt, Following
from policenotify.delivery.bulk_attempt import BulkAttempt
from policenotify.delivery.bulk_send import BulkSend, Lease
from policenotify.errors import ChannelError
from policenotify.journal.records import AttemptResult, ClaimedDelivery
from policenotify.log import shown_code
from policenotify.model.history import Outcome
from policenotify.telemetry import NO_STEP, Attribute, SpanKind, Step, Tracer

_FAILED = frozenset({Outcome.REFUSED, Outcome.HELD, Outcome.UNCONFIRMED})
_OF_PEOPLE = (Outcome.HELD, Outcome.POSTED, Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SUPPRESSED)
_delivering: ContextVar[Step] = ContextVar("policenotify_delivering", default=NO_STEP)
"""The step of the delivery that this thread is at."""


@dataclass(frozen=True, kw_only=True)
class TracedAttempt(DeliveryAttempt):
    """Makes attempts and records a span for each delivery, with one below it for each step.

    The span of a delivery links to that of its publication, which may have ended hours ago in another process.

    Attributes:
        tracer: Makes the spans.
    """

    tracer: Tracer

    def run(self, claimed: ClaimedDelivery) -> Following:
        """Make one attempt; see `DeliveryAttempt.run`."""
        attributes: dict[str, Attribute] = {
            "messaging.system": "policenotify",
            "messaging.operation.type": "process",
            "messaging.destination.name": self.config.name,
            "policenotify.network": self.config.network,
            "policenotify.publication": claimed.publication,
            "policenotify.delivery": claimed.id,
            "policenotify.attempt": claimed.attempts + 1,
            "policenotify.operation": claimed.operation.value,
        }
        step = self.tracer.step(f"deliver {self.config.name}", "CONSUMER", attributes, link=claimed.trace)
        before = _delivering.set(step)
        try:
            with step:
                return super().run(claimed)
        finally:
            _delivering.reset(before)

    def _fill(self, claimed: ClaimedDelivery) -> ClaimedDelivery | None:
        with self._step("expand"):
            return super()._fill(claimed)

    def _prepare(self, claimed: ClaimedDelivery) -> Request:
        with self._step("prepare", "CLIENT"):
            return super()._prepare(claimed)

    def _find(
        self, channel: SupportsLookup, request: Request | None, since: datetime, claimed: ClaimedDelivery
    ) -> AttemptResult | None:
        with self._step("find", "CLIENT") as step:
            found = super()._find(channel, request, since, claimed)
            if found is not None:
                _note(step, found)
            return found

    def _send(self, lease: Lease, request: Request) -> AttemptResult:
        with self._step(f"send {self.config.network}", "CLIENT", "send") as step:
            result = super()._send(lease, request)
            _note(step, result)
            return result

    def _store(self, claimed: ClaimedDelivery, result: AttemptResult) -> Following:
        with self._step("settle", "CLIENT", "settle"):
            following = super()._store(claimed, result)
        _note(_delivering.get(), result)
        return following

    def _bulk(self) -> BulkAttempt:
        plain = super()._bulk()
        fields = {name: getattr(plain, name) for name in BulkAttempt.__slots__}
        return TracedBulkAttempt(**fields, tracer=self.tracer)

    def _step(self, name: str, kind: SpanKind = "INTERNAL", operation: str = "") -> Step:
        return self.tracer.step(name, kind, {"messaging.operation.type": operation} if operation else None)


@dataclass(frozen=True, kw_only=True)
class TracedBulkAttempt(BulkAttempt):
    """Sends to the people of a page, and records a span for each chunk of them and none for a person.

    Attributes:
        tracer: Makes the spans.
    """

    tracer: Tracer

    def _run(self, bulk: BulkSend, request: Request) -> ChannelError | None:
        with self.tracer.step(f"send {self.config.network}", "CLIENT", {"messaging.operation.type": "send"}) as step:
            failure = super()._run(bulk, request)
            step.note(messaging__batch__message_count=len(bulk.outcomes))
            if failure is not None:
                step.fail(shown_code(failure.code) or type(failure).__name__)
            return failure

    def _record(self, claimed: ClaimedDelivery, result: AttemptResult) -> Mapping[Outcome, int]:
        with self.tracer.step("settle", "CLIENT", {"messaging.operation.type": "settle"}):
            counts = super()._record(claimed, result)
        # A result is of a page. Once the delivery is settled, the counts of all its people are known.
        overall = next((outcome for outcome in _OF_PEOPLE if counts.get(outcome)), result.outcome)
        _note(_delivering.get(), replace(result, outcome=overall))
        return counts


def _note(step: Step, result: AttemptResult) -> None:
    code = shown_code(result.code)
    step.note(policenotify__outcome=result.outcome.value, **({"policenotify__code": code} if code else {}))
    if result.outcome in _FAILED:
        step.fail(code or result.outcome.value)
