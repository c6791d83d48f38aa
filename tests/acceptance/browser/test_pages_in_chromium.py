"""The report page in headless Chromium: axe-core, measured boxes, keyboard and print."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from policenotify.cli.commands.demo import open_desk, publish_story
from policenotify.cli.report.builder import draw
from policenotify.cli.report.file import html
from tests.acceptance.browser.pages import hostile, previewed, stories

HERE = Path(__file__).parent
WIDTHS = [320, 768, 1280, 1600]
WITH_AXE = [320, 1280]
PAGES = ("demo", "french", "stories", "preview", "hostile")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def _needed() -> tuple[str, str]:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None:
        pytest.skip("needs a browser: apt-get install -y chromium npm")
    if not (HERE / "node_modules" / "axe-core").is_dir() or not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip("needs packages: npm install --no-package-lock --ignore-scripts --prefix tests/acceptance/browser")
    return chromium, node


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the browser's findings on each page, at each width, in both schemes."""
    chromium, node = _needed()
    folder = tmp_path_factory.mktemp("pages")
    with open_desk() as on:
        demo = draw("demo", list(publish_story(on)), on.publisher)
        drawn = {"demo": demo, "french": demo}
    for make in (stories, previewed, hostile):
        drawn[{"previewed": "preview"}.get(make.__name__, make.__name__)] = make(tmp_path_factory.mktemp(make.__name__))
    paths = {}
    for name, page in drawn.items():
        paths[name] = str(folder / f"{name}.html")
        Path(paths[name]).write_text(html(page, "fr" if name == "french" else "en"), encoding="utf-8")
    asked = {"chromium": chromium, "pages": paths, "widths": WIDTHS, "axe": WITH_AXE}
    done = subprocess.run(  # noqa: S603 - our own script
        [node, str(HERE / "measure.mjs")],
        input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(told) == len(PAGES) * (len(WIDTHS) + len(WITH_AXE))
    return told


@pytest.fixture(params=PAGES)
def each(request: pytest.FixtureRequest, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the findings on one page."""
    return [one for one in found if one["page"] == request.param]


def test_axe_finds_nothing_light_and_dark_wide_and_narrow(each: list[dict[str, Any]]) -> None:
    with_axe = [one for one in each if "violations" in one]
    assert len(with_axe) == 4
    assert {(one["width"], one["scheme"]): one["violations"] for one in with_axe if one["violations"]} == {}


def test_nothing_sticks_out(each: list[dict[str, Any]]) -> None:
    assert all(one["cards"] > 0 for one in each)
    assert {one["width"]: one["sticksOut"] for one in each if one["sticksOut"]} == {}


def test_nothing_lies_over_another(each: list[dict[str, Any]]) -> None:
    assert {one["width"]: one["overlaps"] for one in each if one["overlaps"]} == {}


def test_headings_are_in_order(each: list[dict[str, Any]]) -> None:
    levels = each[0]["headings"]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_no_network_is_reached_and_nothing_runs(each: list[dict[str, Any]]) -> None:
    assert {request for one in each for request in one["requests"]} == set()
    assert all(one["title"].startswith(("What readers see", "Ce que voient les lecteurs")) for one in each)
    assert not any(frame["scripts"] or frame["title"] == "owned" for one in each for frame in one["frames"])


def test_a_mail_is_shown_whole_and_with_little_space_to_spare(each: list[dict[str, Any]]) -> None:
    frames = [frame for one in each for frame in one["frames"] if one["page"] != "hostile"]
    if each[0]["page"] != "hostile":
        assert frames
    assert [frame for frame in frames if frame["needs"] > frame["has"] or frame["wide"] > 0] == []
    assert [frame for frame in frames if frame["needs"] < 0.55 * frame["has"]] == []


def test_the_scheme_is_the_readers(each: list[dict[str, Any]]) -> None:
    papers = {one["scheme"]: one["background"] for one in each}
    assert papers["light"] != papers["dark"]


def test_every_stop_of_the_keyboard_is_seen_and_in_order(each: list[dict[str, Any]]) -> None:
    [walk] = [one["walk"] for one in each if "walk" in one]
    assert walk["stops"][0]["top"] >= 0  # the skip link has come into sight
    assert [stop["place"] for stop in walk["stops"]] == walk["wanted"]
    assert [stop for stop in walk["stops"] if not stop["shown"]] == []


def test_paper_and_preferences(each: list[dict[str, Any]]) -> None:
    [one] = [one for one in each if "print" in one]
    printed = one["print"]
    assert (printed["ink"], printed["paper"]) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")
    assert printed["contents"] is False
    assert all(height > 10 for height in printed["closed"])
    if one["page"] == "stories":
        assert printed["closed"]
    assert one["motion"] == "auto"
    assert "rgba(0, 0, 0, 0)" not in one["forced"]
    assert one["forced"]
