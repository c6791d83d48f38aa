"""How far a publication is: the counts, the rate and the time left, computed from samples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.model.history import Outcome
from policenotify.model.progress import Pace, Progress, pace
from policenotify.model.receipt import ReasonCount, Receipt, merged

AT = datetime(2026, 11, 26, 18, 0, tzinfo=UTC)


def delivery(number: int = 1, *, outcome: Outcome = Outcome.SENDING, **fields: object) -> Receipt:
    given: dict[str, object] = {"channel": "mail", "language": "fr", "recipients": {}}
    return Receipt.model_validate({"delivery": number, "outcome": outcome, **given, **fields})


def sample(seconds: float, *deliveries: Receipt) -> Progress:
    return Progress(publication="P", at=AT + timedelta(seconds=seconds), deliveries=deliveries)


def after(seconds: float, posted: int, waiting: int, *, expanded: bool = True, **people: int) -> Progress:
    found = {Outcome.POSTED: posted, Outcome.WAITING: waiting} | {
        Outcome(name): count for name, count in people.items()
    }
    return sample(seconds, delivery(recipients=found, expanded=expanded))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (after(0, 0, 100), after(10, 50, 50), Pace(rate=5, left=timedelta(seconds=10))),
        (after(0, 0, 100), after(10, 50, 40, unconfirmed=10), Pace(rate=5, left=timedelta(seconds=10))),
        (after(0, 0, 100, expanded=False), after(10, 50, 50, expanded=False), Pace(rate=5)),  # who else is unknown
        (after(0, 50, 50), after(10, 50, 50), Pace()),  # it stands still
        (after(0, 50, 50), after(-10, 60, 40), Pace()),  # the clock was set back
        (after(0, 50, 0), after(0, 100, 0), Pace(left=timedelta(0))),
    ],
)
def test_pace(first: Progress, last: Progress, expected: Pace) -> None:
    assert pace([first, after(5, 1, 1), last], 1) == expected


def test_one_sample_and_another_delivery_have_no_pace() -> None:
    assert pace([after(0, 10, 90)], 1) == pace([after(0, 10, 90), after(10, 20, 80)], 2) == pace([], 1) == Pace()


@given(st.integers(0, 10_000), st.integers(1, 10_000), st.integers(0, 10_000), st.integers(1, 1_000))
def test_at_its_rate_all_are_answered_in_the_time_left(before: int, answered: int, left: int, seconds: int) -> None:
    found = pace([after(0, before, answered + left), after(seconds, before + answered, left)], 1)
    assert found.left is not None
    assert found.rate * found.left.total_seconds() == pytest.approx(left, abs=found.rate)


def test_a_publication_is_settled_by_its_deliveries() -> None:
    sent, waits = delivery(1, outcome=Outcome.POSTED), delivery(2, outcome=Outcome.WAITING)
    held = delivery(3, outcome=Outcome.HELD)
    assert sample(0, sent, held).is_settled
    assert not sample(0, sent, waits).is_settled


def test_reasons_of_the_same_code_are_one() -> None:
    full, gone = ({"outcome": Outcome.REFUSED, "code": code} for code in ("552", "550"))
    reasons = [
        ReasonCount(**full, reason="Full.", count=2),
        ReasonCount(**gone, reason="Unknown.", count=2),
        ReasonCount(**gone, reason="No such user.", count=3),
        ReasonCount(outcome=Outcome.REFUSED, reason="Wrong number.", count=1),
        ReasonCount(outcome=Outcome.REFUSED, reason="Wrong prefix.", count=1),
        ReasonCount(outcome=Outcome.HELD, count=4),
    ]
    found = merged(reasons)
    assert [(one.code, str(one.reason), one.count) for one in found] == [
        ("550", "Unknown.", 5),
        ("", "", 4),
        ("552", "Full.", 2),
        ("", "Wrong number.", 1),
        ("", "Wrong prefix.", 1),
    ]
    assert [(one.outcome, str(one.reason), one.count) for one in merged(reasons, at_most=3)[3:]] == [("refused", "", 2)]
