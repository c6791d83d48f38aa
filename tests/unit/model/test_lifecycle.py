import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError

from policenotify.errors import InvalidTransition
from policenotify.model.lifecycle import (
    IncidentStatus,
    Lifecycle,
    Stage,
    allowed_stages,
    next_status,
    status_after,
)

ULID = "01K1BB00000000000000000000"


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"incident": "i"}, "incident: a standalone message belongs to no incident; use stage='opening' to open one"),
        ({"stage": "update"}, "incident: an update must name the incident it belongs to"),
        ({"stage": "cancellation"}, "incident: a cancellation names its incident or, in corrects, one standalone"),
        ({"stage": "correction", "incident": "i"}, "corrects: a correction must name the publication"),
        ({"stage": "update", "incident": "i", "follows": "h"}, "follows: only an opening follows an earlier incident"),
        ({"stage": "opening", "corrects": ULID}, "corrects: an opening corrects nothing"),
        ({"stage": "opening", "incident": "i", "follows": "i"}, "follows: an incident does not follow itself"),
        ({"stage": "end", "incident": "i", "reopens": True}, "reopens: only the correction of an incident's end"),
        ({"stage": "opened"}, "stage"),
        ({"stage": "opening", "incident": "-i"}, "incident"),
        ({"stage": "correction", "corrects": "01K1BB0000000000000000000U"}, "corrects"),  # U is not in Crockford's
    ],
)
def test_an_unsound_lifecycle_is_refused_and_its_field_named(given_: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Lifecycle.model_validate(given_)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("course", "stages"),
    [
        (IncidentStatus.UNKNOWN, (Stage.OPENING, Stage.STANDALONE)),
        (IncidentStatus.OPEN, (Stage.UPDATE, Stage.CORRECTION, Stage.END, Stage.CANCELLATION)),
        (IncidentStatus.ENDED, (Stage.CORRECTION,)),
        (IncidentStatus.CANCELLED, ()),
        (IncidentStatus.STANDALONE, (Stage.CORRECTION, Stage.CANCELLATION)),
    ],
)
def test_allowed_stages_by_status(course: IncidentStatus, stages: tuple[Stage, ...]) -> None:
    assert allowed_stages(course) == stages


@pytest.mark.parametrize(
    ("course", "stage", "incident", "says"),
    [
        (
            IncidentStatus.UNKNOWN,
            Stage.UPDATE,
            "142",
            (
                "Nothing was sent. Incident '142' was never opened, and an update needs one that was. "
                "Open now: 141. What may follow: opening."
            ),
        ),
        (
            IncidentStatus.ENDED,
            Stage.UPDATE,
            "142",
            (
                "Nothing was sent. Incident '142' has ended. Open now: 141. What may follow: correction. "
                "If the danger has returned, open a new incident that follows '142' (--follows)."
            ),
        ),
        (
            IncidentStatus.STANDALONE,
            Stage.END,
            None,
            (
                "Nothing was sent. The message stands alone and belongs to no incident. "
                "Open now: 141. What may follow: correction, cancellation."
            ),
        ),
    ],
)
def test_an_invalid_transition_names_open_incidents_and_allowed_stages(
    course: IncidentStatus, stage: Stage, incident: str | None, says: str
) -> None:
    with pytest.raises(InvalidTransition) as refused:
        next_status(course, stage, incident=incident, details="Open now: 141.")
    assert str(refused.value) == says
    assert refused.value.incident == incident
    assert all(stage in says for stage in refused.value.allowed_stages)


def _lifecycle(stage: Stage, *, reopens: bool = False) -> Lifecycle:
    """Return a lifecycle of the stage, whatever its other fields would have to be."""
    return Lifecycle.model_construct(stage=stage, reopens=reopens or None)


class Incident(RuleBasedStateMachine):
    """Compare the table with four facts that follow from what was published so far."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Lifecycle] = []

    @property
    def ended(self) -> bool:
        """An end counts until a correction takes it back."""
        last = [each for each in self.published if each.stage is Stage.END or each.reopens][-1:]
        return bool(last) and not last[0].reopens

    def _may(self, stage: Stage, *, reopens: bool) -> bool:
        stages = [each.stage for each in self.published]
        first, over = stages[:1], self.ended or Stage.CANCELLATION in stages
        if reopens:
            return self.ended
        if stage in {Stage.OPENING, Stage.STANDALONE}:
            return not first
        if not first or Stage.CANCELLATION in stages:
            return False
        if stage is Stage.CORRECTION:
            return True
        if stage is Stage.CANCELLATION:
            return not over
        return first == [Stage.OPENING] and not over

    @rule(lifecycle=st.sampled_from([*map(_lifecycle, Stage), _lifecycle(Stage.CORRECTION, reopens=True)]))
    def publish(self, lifecycle: Lifecycle) -> None:
        stage, reopens = lifecycle.stage, bool(lifecycle.reopens)
        try:
            next_status(status_after(self.published), stage, incident=None, reopens=reopens)
        except InvalidTransition:
            assert not self._may(stage, reopens=reopens)
        else:
            assert self._may(stage, reopens=reopens)
            self.published.append(lifecycle)

    @invariant()
    def the_course_is_what_was_published(self) -> None:
        course = status_after(self.published)
        assert (course is IncidentStatus.UNKNOWN) == (not self.published)
        assert (course is IncidentStatus.CANCELLED) == (Stage.CANCELLATION in {each.stage for each in self.published})
        assert (course is IncidentStatus.ENDED) == self.ended


TestIncident = Incident.TestCase
