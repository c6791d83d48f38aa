"""The example campaigns: their script, and the exact list of their posts in the year 2027."""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from policenotify.campaigns import load_campaigns
from policenotify.campaigns.runner import upcoming
from policenotify.cli.commands.demo import StoryClock
from policenotify.testing.samples import PARIS
from tests.support import golden
from tests.support.campaigns import utc
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


def test_a_whole_year_is_announced_as_in_the_golden_list(desk: Desk) -> None:
    desk.clock = clock = StoryClock()
    clock.put_to(utc("2026-12-31T23:00"))
    campaigns = load_campaigns([_CAMPAIGNS])
    headlines = {(each.name, one.name): one.message.headline for each in campaigns for one in each.messages}
    lines = [
        f"{entry.occurrence.due.astimezone(PARIS):%Y-%m-%d %H:%M}  {entry.occurrence.key[9:]} {entry.variant}  "
        f"{headlines[entry.occurrence.campaign, entry.variant]}"
        for entry in upcoming(desk.publisher([desk.on_bluesky()]), campaigns, date(2027, 1, 1), date(2027, 12, 31))
    ]
    golden.check(_GOLDEN, "\n".join(lines) + "\n")
