"""Costs of the library, each beside a peer or a limit of the same run: `pytest -m benchmark -s`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.installation import accident, open_desk

pytestmark = pytest.mark.benchmark

_PEER = "import pydantic\nclass Peer(pydantic.BaseModel):\n    name: str"
_ALL = "import policenotify\nfor name in policenotify.__all__: getattr(policenotify, name)"


def _seconds(act: Callable[[], object], times: int) -> float:
    """The median of some runs, after one to warm up."""
    act()
    took = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def _imports(*codes: str) -> list[float]:
    """The shortest run of each, all taking turns: what else the machine does only adds to them."""
    took: list[list[float]] = [[] for _ in codes]
    for _ in range(15):
        for each, code in zip(took, codes, strict=True):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
            each.append(time.perf_counter() - start)
    return [min(each) for each in took]


def test_importing_stays_near_pydantic() -> None:
    bare, peer, package, names = _imports("pass", _PEER, "import policenotify", _ALL)
    print(f"\npython {bare:.3f} s, and one pydantic model {peer:.3f} s")
    print(f"policenotify {package:.3f} s, and all its names {names:.3f} s")
    assert package - bare < 0.25 * (peer - bare)
    assert names - bare < 3 * (peer - bare)


def test_the_demo_takes_less_than_fifteen_seconds(tmp_path: Path) -> None:
    code = "from policenotify.cli.commands.demo import demo; demo(standalone_mode=False)"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)  # noqa: S603 - our own code
    took = time.perf_counter() - start
    print(f"\ndemo {took:.1f} s")
    assert took < 15


def test_publishing_costs_little_beside_the_networks(tmp_path: Path) -> None:
    """Nine prevention messages: journalled only, and to both networks through the SDKs."""
    with open_desk(tmp_path) as desk, desk.publisher() as publisher:
        numbers = iter(range(1_000))

        def publish(wait: float) -> None:
            number = next(numbers)
            tip = accident(category="scam_cyber", headline=f"Conseil numéro {number}", lifecycle={})
            publication = publisher.publish(tip, key=str(number), actor="desk", wait=timedelta(seconds=wait))
            assert publication.ok is (wait > 0)

        journalled = _seconds(lambda: publish(0), 9)
        publisher.drain(timedelta(seconds=30))
        delivered = _seconds(lambda: publish(10), 9)
    print(f"\npublish(wait=0) {journalled * 1000:.1f} ms, to the last reader {delivered * 1000:.0f} ms")
    assert journalled < 0.1
    assert delivered < 1
