"""The span of a publication, and the steps below it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from policenotify.telemetry import NO_STEP, Attribute, Step, Tracer

if TYPE_CHECKING:
    from policenotify.model.message import Message
    from policenotify.model.receipt import Publication

_Publish = TypeVar("_Publish", bound=Callable[..., "Publication"])


class _Traced(Protocol):
    tracer: Tracer | None


def step_of(tracer: Tracer | None, name: str, **attributes: Attribute) -> Step:
    """Return a step of a publication, which is recorded if there is a tracer."""
    if tracer is None:
        return NO_STEP
    return tracer.step(name, attributes={f"policenotify.{key}": value for key, value in attributes.items()})


def traced(publish: _Publish) -> _Publish:
    """Record each call of a method that publishes a message as a span."""

    @wraps(publish)
    def recorded(owner: _Traced, message: Message, **how: Any) -> Publication:  # noqa: ANN401 - of the method
        if owner.tracer is None:
            return publish(owner, message, **how)
        about = {"category": message.category, "stage": message.stage.value, "exercise": message.exercise}
        with step_of(owner.tracer, "publish", **about) as step:
            found = publish(owner, message, **how)
            step.note(policenotify__publication=found.id, policenotify__repeated=found.repeated)
            if found.message.severity is not None:
                step.note(policenotify__severity=found.message.severity.value)
            return found

    return cast("_Publish", recorded)
