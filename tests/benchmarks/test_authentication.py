"""The cost of keyed codes, beside the same acts without them: `pytest -m benchmark -s`."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify.channel import PostRef, Request
from policenotify.journal import publications, queue, results
from policenotify.journal.keys import Keys
from policenotify.journal.records import AttemptResult
from policenotify.model.history import Outcome
from tests.benchmarks.test_journal import NOW, Desk
from tests.support.five_networks import Five, open_five

pytestmark = pytest.mark.benchmark

_LEASE = timedelta(hours=1)
_PUBLISHED, _DELIVERED = 1.1, 1.25  # times the cost without; the network's own time is not part of a delivery here
_TIMES = 150


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Five]:
    with open_five(tmp_path) as opened:
        yield opened


def _none(*_given: object, **_named: object) -> str:
    return ""


def _without(patch: pytest.MonkeyPatch) -> None:
    """Replace all that authenticates."""
    for module, name in ((publications, "delivery_mac"), (queue, "request_mac"), (results, "ref_mac")):
        patch.setattr(module, name, _none)
    patch.setattr(queue, "is_authentic", lambda *_given: True)
    patch.setattr(Keys, "is_mac", lambda *_given: True)


def _side_by_side(name: str, act: Callable[[], object]) -> float:
    """Return how many times the cost of an act without codes it has with them, as the median of pairs."""
    ratios, took = [], []
    for number in range(_TIMES):
        pair = []
        for keyed in (True, False) if number % 2 else (False, True):  # the second finds warmer caches
            with pytest.MonkeyPatch.context() as patch:
                if not keyed:
                    _without(patch)
                start = time.thread_time()
                act()
                pair.append((keyed, time.thread_time() - start))
        both = dict(pair)
        ratios.append(both[True] / both[False])
        took.append(both[False])
    ratio = statistics.median(ratios[10:])
    print(f"\n{name}: {statistics.median(took) * 1000:.2f} ms without codes, with them {ratio:.2f} times that")
    return ratio


def test_publishing_with_codes_beside_without(five: Five) -> None:
    desk = Desk(five.publisher())
    assert _side_by_side("publish(wait=0)", lambda: desk.publish(NOW)) < _PUBLISHED


def test_delivering_with_codes_beside_without(five: Five) -> None:
    """A claim, an attempt and its result."""
    desk, numbers = Desk(five.publisher()), itertools.count()
    journal = desk.publisher.journal
    for _ in range(2 * _TIMES):
        desk.publish(NOW)

    def deliver() -> None:
        claimed = journal.deliveries.claim("x", "benchmark/-/-", lease=_LEASE)
        assert claimed is not None
        assert claimed.standalone is not None
        request = Request(account=claimed.account, key=claimed.key, body={"text": claimed.standalone.text})
        begun = journal.deliveries.begin(claimed, request, "standalone", lease=_LEASE)
        ref = PostRef(account=claimed.account, id=str(next(numbers)), url="https://x.com/i/1")
        journal.deliveries.record_result(begun, AttemptResult(outcome=Outcome.POSTED, ref=ref))

    assert _side_by_side("claim, attempt and result", deliver) < _DELIVERED
