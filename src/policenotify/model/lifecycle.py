"""The stages of an incident, and which stage may follow which.

```
              ┌─ UPDATE, CORRECTION ─┐            ┌─ CORRECTION ─┐
              ▼                      │            ▼              │
  OPENING ─► open ───────────────────┴── END ─► ended ───────────┘
              │ ▲                                 │
              │ └──── CORRECTION that reopens ────┘
              └── CANCELLATION ─► cancelled (final)

                    ┌─ CORRECTION ─┐
                    ▼              │
  STANDALONE ─► standalone ────────┴── CANCELLATION ─► cancelled (final)
```

A standalone message belongs to no incident and has a status of its own.

An end that was wrong is corrected, and its correction reopens the incident. A danger that returns after the end is a
**new** incident: its opening has `follows=<old incident>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from policenotify.errors import InvalidTransition
from policenotify.translation import AnyText, Text, quoted
from policenotify.validation import wrong_at

IncidentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""An incident's id: the caller's own, such as a dispatch number, or a generated one. Readers never see it."""

PublicationId = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
"""A ULID (Crockford base 32, 26 characters)."""


KNOWN: Final = {"known": True}
"""The context of a validation of what was typed once and checked: slips of typing are not looked for again."""


class FrozenModel(BaseModel):
    """A frozen value without unknown fields, whose errors never quote its input."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    def changed(self, **fields: object) -> Self:
        """Return a copy with other values of some fields, validated like any other value.

        Use it for what is stored: `model_copy` would let a value pass that cannot be read again.

        Raises:
            pydantic.ValidationError: A value is wrong. The text names its field.
        """
        return type(self).model_validate({**dict(self), **fields}, context=KNOWN)


class Stage(StrEnum):
    """The stage of a message in its incident."""

    OPENING = "opening"
    UPDATE = "update"
    END = "end"
    CORRECTION = "correction"
    CANCELLATION = "cancellation"
    STANDALONE = "standalone"


class IncidentStatus(StrEnum):
    """The status of an incident, or of a standalone message."""

    UNKNOWN = "unknown"
    OPEN = "open"
    ENDED = "ended"
    CANCELLED = "cancelled"
    STANDALONE = "standalone"


_FOLLOWS: dict[IncidentStatus, dict[Stage, IncidentStatus]] = {
    IncidentStatus.UNKNOWN: {Stage.OPENING: IncidentStatus.OPEN, Stage.STANDALONE: IncidentStatus.STANDALONE},
    IncidentStatus.OPEN: {
        Stage.UPDATE: IncidentStatus.OPEN,
        Stage.CORRECTION: IncidentStatus.OPEN,
        Stage.END: IncidentStatus.ENDED,
        Stage.CANCELLATION: IncidentStatus.CANCELLED,
    },
    IncidentStatus.ENDED: {Stage.CORRECTION: IncidentStatus.ENDED},
    IncidentStatus.CANCELLED: {},
    IncidentStatus.STANDALONE: {
        Stage.CORRECTION: IncidentStatus.STANDALONE,
        Stage.CANCELLATION: IncidentStatus.CANCELLED,
    },
}


class Lifecycle(FrozenModel):
    """A message's link to its incident.

    Attributes:
        stage: The stage of the message.
        incident: The incident's id. Required for UPDATE and END, and for a CORRECTION or CANCELLATION in an incident.
            An OPENING without one gets a generated id when published.
        follows: For an OPENING, the earlier incident whose danger has returned.
        corrects: The publication that a CORRECTION corrects, or the STANDALONE message that a CANCELLATION cancels.
        reopens: The CORRECTION of an END takes that end back: the incident is open again, and its end is owed.
    """

    stage: Stage = Stage.STANDALONE
    incident: IncidentId | None = None
    follows: IncidentId | None = None
    corrects: PublicationId | None = None
    reopens: Literal[True] | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.stage is Stage.STANDALONE and self.incident is not None:
            raise wrong_at(
                "incident", Text("a standalone message belongs to no incident; use stage='opening' to open one")
            )
        if self.stage in {Stage.UPDATE, Stage.END} and self.incident is None:
            raise wrong_at("incident", Text("an {stage} must name the incident it belongs to", stage=self.stage))
        if self.stage is Stage.CANCELLATION and (self.incident is None) == (self.corrects is None):
            raise wrong_at(
                "incident", Text("a cancellation names its incident or, in corrects, one standalone publication")
            )
        if self.stage is Stage.CORRECTION and self.corrects is None:
            raise wrong_at("corrects", Text("a correction must name the publication that it corrects"))
        if self.follows is not None and self.stage is not Stage.OPENING:
            raise wrong_at("follows", Text("only an opening follows an earlier incident"))
        if self.corrects is not None and self.stage not in {Stage.CORRECTION, Stage.CANCELLATION}:
            raise wrong_at("corrects", Text("{a} corrects nothing", a=_a(self.stage)))
        if self.reopens and (self.stage is not Stage.CORRECTION or self.incident is None):
            raise wrong_at("reopens", Text("only the correction of an incident's end reopens the incident"))
        if self.follows is not None and self.follows == self.incident:
            raise wrong_at("follows", Text("an incident does not follow itself; give the new one its own id"))
        return self


def _a(stage: Stage) -> str:
    return f"{'an' if stage[0] in 'aeiou' else 'a'} {stage}"


STANDALONE = Lifecycle()
"""The lifecycle of a message that belongs to no incident."""


def allowed_stages(status: IncidentStatus) -> tuple[Stage, ...]:
    """Return the stages that may follow in this status."""
    return tuple(_FOLLOWS[status])


def status_after(lifecycles: Iterable[Lifecycle]) -> IncidentStatus:
    """Return the status after messages of these lifecycles, in order.

    Raises:
        InvalidTransition: A stage may not follow the one before.
    """
    status = IncidentStatus.UNKNOWN
    for lifecycle in lifecycles:
        status = next_status(status, lifecycle.stage, incident=None, reopens=bool(lifecycle.reopens))
    return status


def next_status(
    status: IncidentStatus, stage: Stage, *, incident: str | None, reopens: bool = False, details: AnyText = ""
) -> IncidentStatus:
    """Return the status after one more stage.

    The error text names the incident, if there is one, and repeats the *details* on it and on open ones.

    Raises:
        InvalidTransition: The stage may not follow. The text names the stages that may. Or it reopens what is open.
    """
    after = _FOLLOWS[status].get(stage)
    if after is not None and not reopens:
        return after
    if status is IncidentStatus.ENDED and reopens:
        return IncidentStatus.OPEN
    allowed = tuple(each for each in allowed_stages(status) if incident is None or each is not Stage.STANDALONE)
    subject = Text("The incident") if incident is None else Text("Incident {incident}", incident=quoted(incident))
    reason = {
        IncidentStatus.UNKNOWN: Text(
            "{subject} was never opened, and {a} needs one that was.", subject=subject, a=_a(stage)
        ),
        IncidentStatus.OPEN: Text("{subject} is already open.", subject=subject),
        IncidentStatus.ENDED: Text("{subject} has ended.", subject=subject),
        IncidentStatus.CANCELLED: Text(
            "{subject} was cancelled, which is final.", subject=Text("The message") if incident is None else subject
        ),
        IncidentStatus.STANDALONE: Text("The message stands alone and belongs to no incident."),
    }[status]
    may = (
        Text("What may follow: {allowed}.", allowed=Text.join(", ", map(Text.word, allowed)))
        if allowed
        else Text("Nothing may follow.")
    )
    returned = (
        Text(
            "If the danger has returned, open a new incident that follows {incident!r} (--follows).", incident=incident
        )
        if incident is not None and status in {IncidentStatus.ENDED, IncidentStatus.CANCELLED}
        else ""
    )
    text = Text.join(" ", (reason, details, may, returned))
    raise InvalidTransition(text, incident=incident, allowed_stages=allowed)
