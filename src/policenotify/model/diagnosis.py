"""What a check of an installation has found."""

from __future__ import annotations

from typing import Literal

from pydantic import computed_field

from policenotify.model.lifecycle import FrozenModel
from policenotify.model.status import Alarm
from policenotify.translation import AnyText, text_of


class DiagnosisLine(FrozenModel):
    """One thing that was checked.

    Attributes:
        check: What: `settings`, `journal`, `channel bluesky`.
        state: `note`: to be known. `WRONG`: a person must act.
        detail: More about it, and what to do.
        alarm: The kind of help that is needed, if it is wrong.
    """

    check: AnyText
    state: Literal["ok", "note", "WRONG"]
    detail: AnyText
    alarm: Alarm | None = None


class Diagnosis(FrozenModel):
    """Everything that was checked: settings, keys, journal, and the credentials of every channel."""

    lines: tuple[DiagnosisLine, ...]

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.alarms

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The kinds of help that are needed, the most urgent first."""
        found = {line.alarm for line in self.lines}
        return tuple(alarm for alarm in Alarm if alarm in found)


def right(check: AnyText, detail: AnyText) -> DiagnosisLine:
    """Return the line of something that is as it should be."""
    return DiagnosisLine(check=check, state="ok", detail=detail)


def note(check: AnyText, detail: AnyText) -> DiagnosisLine:
    """Return the line of something to be known."""
    return DiagnosisLine(check=check, state="note", detail=detail)


def wrong(check: AnyText, problem: object, alarm: Alarm = Alarm.ATTENTION) -> DiagnosisLine:
    """Return the line of something that a person must act on."""
    return DiagnosisLine(check=check, state="WRONG", detail=text_of(problem), alarm=alarm)
