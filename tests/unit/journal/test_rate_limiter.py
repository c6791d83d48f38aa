"""One rate limiter for all processes of a channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from policenotify.journal.records import LEASE, microseconds
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate, RateReached

if TYPE_CHECKING:
    from policenotify.journal.records import ClaimedDelivery
    from tests.support.journal import Desk

RATE = Rate(4, timedelta(seconds=90), 2)  # two together, then one every 30 seconds


def _take(desk: Desk) -> ClaimedDelivery:
    claimed = desk.claim(rate=RATE)
    assert claimed is not None
    return claimed


@pytest.mark.databases
def test_a_delivery_that_may_not_leave_yet_is_not_claimed_and_due_has_its_time(desk: Desk) -> None:
    for number in range(4):
        desk.publish(incident=f"I{number}", severity=Severity.MINOR)
    for _ in range(2):
        desk.settle(desk.begin(_take(desk), rate=RATE))
    severe = desk.publish(incident="I9", severity=Severity.SEVERE)
    later = desk.clock.now() + timedelta(seconds=30)
    assert desk.claim(rate=RATE) is None
    assert desk.claim(rate=RATE, severe_only=True) is None
    assert desk.journal.deliveries.due({"sky": RATE}) == {"sky": later}
    desk.clock.pass_by(30)
    assert desk.journal.deliveries.due({"sky": RATE}) == {"sky": desk.clock.now()}
    claimed = desk.begin(_take(desk), rate=RATE)
    assert claimed.publication == severe  # what is urgent is first of those that wait
    desk.settle(claimed)
    assert desk.claim(rate=RATE) is None


def test_a_claim_without_an_attempt_costs_nothing(desk: Desk) -> None:
    for number in range(3):
        desk.publish(incident=f"I{number}")
    for _ in range(5):
        desk.settle(_take(desk), Outcome.WAITING, reason="The picture could not be loaded up.")
    held = [_take(desk) for _ in range(3)]
    for claimed in held[:2]:
        desk.begin(claimed, rate=RATE)
    with pytest.raises(RateReached) as reached:  # the others were faster since it was claimed
        desk.begin(held[2], rate=RATE)
    assert reached.value.at == microseconds(desk.clock.now()) + 30_000_000
    assert len(desk.dump("pn_attempt")["pn_attempt"]) == 2
    assert desk.claim(rate=RATE) is None


def test_where_people_are_written_to_every_one_counts(desk: Desk) -> None:
    people = [f"a{number}@x.example" for number in range(5)]
    desk.publish(channels=("mail",), people={"mail": people})
    rate = Rate(4, timedelta(seconds=6), 3)  # three together, then one every 3 seconds
    claimed = desk.claim("mail", rate=rate)
    assert claimed is not None
    begun = desk.begin(claimed, rate=rate)
    marked = desk.journal.deliveries.take(begun, 2, hold_doubt=True, lease=LEASE, rate=rate)
    assert len(marked) == 2
    marked = desk.journal.deliveries.take(begun, 25, hold_doubt=True, lease=LEASE, rate=rate)
    assert len(marked) == 1
    with pytest.raises(RateReached) as reached:
        desk.journal.deliveries.take(begun, 25, hold_doubt=True, lease=LEASE, rate=rate)
    assert reached.value.at == microseconds(desk.clock.now()) + 3_000_000
    desk.clock.pass_by(3)
    assert len(desk.journal.deliveries.take(begun, 25, hold_doubt=True, lease=LEASE, rate=rate)) == 1


@pytest.mark.databases
def test_two_processes_together_are_not_faster(together: Callable[..., list[str]], desk: Desk) -> None:
    for number in range(24):
        desk.publish(incident=f"I{number}")
    told = together(
        "from policenotify.model.rate import Rate, RateReached\n"
        "from datetime import timedelta\n"
        "rate, desk, left = Rate(8, timedelta(hours=1), 8), opened(), 0\n"
        "mine = [desk.claim('sky', 'elsewhere/b/1/' + sys.argv[2], rate=rate) for _ in range(12)]\n"
        "at_once()\n"
        "for claimed in mine:\n"
        "    try:\n        desk.begin(claimed, rate=rate)\n        left += 1\n"
        "    except RateReached:\n        pass\n"
        "print(left)\n"
    )
    assert sum(int(one) for one in told) == 8
    assert len(desk.dump("pn_attempt")["pn_attempt"]) == 8
