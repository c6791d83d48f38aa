"""The example campaigns through the year 2027, by a clock that is moved: the exact list of posts."""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from policenotify.campaigns import load_campaigns
from policenotify.campaigns.runner import upcoming
from policenotify.testing.samples import PARIS
from tests.support.campaigns import utc
from tests.support.clocks import SetClock
from tests.support.installation import Desk, open_desk

_ROOT = Path(__file__).parents[3]
_CAMPAIGNS = _ROOT / "examples" / "campaigns"
_GOLDEN = _ROOT / "tests" / "golden" / "campaigns_2027.txt"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


def test_the_script_runs_and_a_second_run_publishes_nothing(desk: Desk) -> None:
    for _ in range(2):
        runpy.run_path(os.fspath(_CAMPAIGNS / "run_due.py"), run_name="__main__")
    assert len(desk.bluesky.posts) <= 1


@pytest.mark.slow
def test_a_whole_year_is_published_as_in_the_golden_list(desk: Desk) -> None:
    clock = desk.clock = SetClock(utc("2026-12-31T23:00"))
    publish_due = runpy.run_path(os.fspath(_CAMPAIGNS / "run_due.py"))["publish_due"]
    publisher, campaigns = desk.publisher([desk.on_bluesky()]), load_campaigns([_CAMPAIGNS])
    plan = upcoming(publisher, campaigns, date(2027, 1, 1), date(2027, 12, 31))
    moments = sorted({at for one in plan for at in (one.occurrence.due, one.at) if at})
    said = []
    for moment in moments:  # nothing is due in between, as test_scheduler proves
        clock.set(moment)
        said += publish_due(publisher, timedelta(0))
    assert publish_due(publisher, timedelta(0)) == ()
    told = [f"{one.at.astimezone(PARIS):%Y-%m-%d %H:%M}  {one.key[9:]}  {one.message.headline}" for one in said]
    if os.environ.get("GOLDEN"):
        _GOLDEN.write_text("\n".join(told) + "\n", encoding="utf-8")
    assert told == _GOLDEN.read_text(encoding="utf-8").splitlines()
    while publisher.drain(timedelta(seconds=30)):
        pass
    posted = [one.message.headline for one in said]
    texts = [post.text.replace("\N{NO-BREAK SPACE}", " ") for post in desk.bluesky.posts]
    assert [next(line for line in posted if line in text) for text in texts] == posted
