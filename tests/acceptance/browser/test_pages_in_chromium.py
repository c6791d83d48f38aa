"""The report page in headless Chromium: axe-core, measured boxes, keyboard and print."""

from __future__ import annotations

from itertools import pairwise

import pytest

from policenotify.cli.report.file import html
from tests.acceptance.browser.conftest import View, by_view, measured
from tests.acceptance.browser.pages import hostile, previewed, stories

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[View]:
    """Return the browser's findings on each page."""
    pages = {}
    for make in (stories, previewed, hostile):
        folder = tmp_path_factory.mktemp(make.__name__)
        page = folder / "page.html"
        page.write_text(html(make(folder), "fr" if make is stories else "en"), encoding="utf-8")
        pages[make.__name__] = page.as_uri()
    return measured(pages, walk=["stories"])


def test_axe_finds_nothing_and_nothing_sticks_out(found: list[View]) -> None:
    assert by_view(found, "violations") == {}
    assert by_view(found, "sticksOut") == {}


def test_nothing_lies_over_another(found: list[View]) -> None:
    assert all(view["texts"] for view in found)
    assert by_view(found, "overlaps") == {}


def test_headings_are_in_order(found: list[View]) -> None:
    for view in found:
        levels = view["headings"]
        assert (levels[0], levels.count(1)) == (1, 1)
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_no_network_is_reached_and_nothing_runs(found: list[View]) -> None:
    assert [each for view in found for each in view["requests"] if not each.startswith("file:")] == []
    assert all(view["title"].startswith(("What readers see", "Ce que voient les lecteurs")) for view in found)
    assert not any(frame["scripts"] or frame["title"] == "owned" for view in found for frame in view["frames"])


def test_a_mail_is_shown_and_only_a_long_one_scrolls(found: list[View]) -> None:
    frames = [(view["page"], frame) for view in found for frame in view["frames"]]
    assert [frame for _, frame in frames if frame["wide"] > 0] == []
    ordinary = [frame for page, frame in frames if page == "stories"]
    assert ordinary
    assert [frame for frame in ordinary if frame["needs"] > 1.1 * frame["has"]] == []


def test_the_scheme_is_the_readers(found: list[View]) -> None:
    papers = {
        scheme: {view["background"] for view in found if view["scheme"] == scheme} for scheme in ("light", "dark")
    }
    assert not papers["light"] & papers["dark"]


def test_every_stop_of_the_keyboard_is_seen_and_in_order(found: list[View]) -> None:
    [walk] = [view["walk"] for view in found if "walk" in view]
    assert walk["stops"][0]["top"] >= 0  # the skip link has come into sight
    assert [stop["place"] for stop in walk["stops"]] == walk["wanted"]
    assert [stop for stop in walk["stops"] if not stop["shown"]] == []


def test_paper_and_preferences(found: list[View]) -> None:
    [view] = [view for view in found if "print" in view]
    printed = view["print"]
    assert (printed["ink"], printed["paper"]) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")
    assert printed["contents"] is False
    assert printed["closed"]
    assert all(height > 10 for height in printed["closed"])
    assert view["motion"] == "auto"
    assert "rgba(0, 0, 0, 0)" not in view["forced"]
    assert view["forced"]
