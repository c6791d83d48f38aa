"""The stages of an incident, and which may follow which.

```
              ┌─ UPDATE, CORRECTION ─┐            ┌─ CORRECTION ─┐
              ▼                      │            ▼              │
  OPENING ─► open ───────────────────┴── END ─► ended ───────────┘
              └── CANCELLATION ─► cancelled (final)

                    ┌─ CORRECTION ─┐
                    ▼              │
  STANDALONE ─► standalone ────────┴── CANCELLATION ─► cancelled (final)
```

A standalone message belongs to no incident: its course is its own.

A danger that returns after the end is a **new** incident whose opening says `follows=<old incident>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from policenotify.errors import InvalidTransition

IncidentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""An incident's id: the caller's own (a dispatch number, say) or a generated one. It is never shown to readers."""

PublicationId = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
"""A ULID (Crockford base 32, 26 characters)."""


class Stage(StrEnum):
    """Where a message stands in its incident."""

    OPENING = "opening"
    UPDATE = "update"
    END = "end"
    CORRECTION = "correction"
    CANCELLATION = "cancellation"
    STANDALONE = "standalone"


class IncidentStatus(StrEnum):
    """Where an incident, or a message that belongs to none, stands."""

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
_AN = frozenset({Stage.OPENING, Stage.UPDATE, Stage.END})  # which take "an", not "a", in an error's text


class Lifecycle(BaseModel):
    """A message's link to its incident.

    Attributes:
        stage: Where the message stands.
        incident: The incident's id. Required for all stages but STANDALONE (and its correction or cancellation);
            an OPENING without one is given a generated id when published.
        follows: Only for an OPENING: the earlier incident whose danger has returned.
        corrects: The publication that a CORRECTION sets right, or the STANDALONE that a CANCELLATION takes back.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    stage: Stage = Stage.STANDALONE
    incident: IncidentId | None = None
    follows: IncidentId | None = None
    corrects: PublicationId | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.stage is Stage.STANDALONE and self.incident is not None:
            raise ValueError("incident: a standalone message belongs to no incident; use stage='opening' to open one")
        if self.stage in {Stage.UPDATE, Stage.END} and self.incident is None:
            raise ValueError(f"incident: an {self.stage} must name the incident it belongs to")
        if self.stage is Stage.CANCELLATION and (self.incident is None) == (self.corrects is None):
            raise ValueError("incident: a cancellation names its incident or, in corrects, one standalone publication")
        if self.stage is Stage.CORRECTION and self.corrects is None:
            raise ValueError("corrects: a correction must name the publication that it sets right")
        if self.follows is not None and self.stage is not Stage.OPENING:
            raise ValueError("follows: only an opening follows an earlier incident")
        if self.corrects is not None and self.stage not in {Stage.CORRECTION, Stage.CANCELLATION}:
            raise ValueError(f"corrects: {_a(self.stage)} corrects nothing")
        if self.follows is not None and self.follows == self.incident:
            raise ValueError("follows: an incident does not follow itself; give the new one its own id")
        return self


def _a(stage: Stage) -> str:
    return f"{'an' if stage in _AN else 'a'} {stage}"


STANDALONE = Lifecycle()
"""The lifecycle of a message that belongs to no incident."""


def allowed_stages(status: IncidentStatus) -> tuple[Stage, ...]:
    """Which stages may follow where an incident stands."""
    return tuple(_FOLLOWS[status])


def status_after(stages: Iterable[Stage]) -> IncidentStatus:
    """Where an incident stands after these stages.

    Args:
        stages: The stages published so far, in order.

    Raises:
        InvalidTransition: They do not follow one another.
    """
    status = IncidentStatus.UNKNOWN
    for stage in stages:
        status = next_status(status, stage, incident=None)
    return status


def next_status(status: IncidentStatus, stage: Stage, *, incident: str | None, details: str = "") -> IncidentStatus:
    """Where an incident will stand after one more stage.

    Args:
        status: Where it stands.
        stage: What is to follow.
        incident: The incident's id, for the error's text; `None` outside incidents.
        details: One sentence for the error's text: what the journal knows of this incident and of the open ones.

    Returns:
        Where it will stand.

    Raises:
        InvalidTransition: The stage may not follow; the text says what is open and what may follow.
    """
    after = _FOLLOWS[status].get(stage)
    if after is not None:
        return after
    following = tuple(one for one in allowed_stages(status) if incident is None or one is not Stage.STANDALONE)
    subject = "The incident" if incident is None else f"Incident {incident!r}"
    reason = {
        IncidentStatus.UNKNOWN: f"{subject} was never opened, and {_a(stage)} needs one that was.",
        IncidentStatus.OPEN: f"{subject} is already open.",
        IncidentStatus.ENDED: f"{subject} has ended.",
        IncidentStatus.CANCELLED: f"{'The message' if incident is None else subject} was cancelled, which is final.",
        IncidentStatus.STANDALONE: "The message stands alone and belongs to no incident.",
    }[status]
    may = f"What may follow: {', '.join(following)}." if following else "Nothing may follow."
    again = (
        f"If the danger has returned, open a new incident with follows={incident!r}."
        if incident is not None and status in {IncidentStatus.ENDED, IncidentStatus.CANCELLED}
        else ""
    )
    raise InvalidTransition(
        " ".join(filter(None, (reason, details, may, again))), incident=incident, allowed_stages=following
    )
