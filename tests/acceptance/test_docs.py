"""Every code block of the README and of the pages, and every example, run as it stands, against the stands."""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from tests.support.installation import ADDRESSES, Desk, open_desk

_ROOT = Path(__file__).parents[2]
_PAGES = [_ROOT / "README.md", *sorted((_ROOT / "docs").rglob("*.md"))]
_EXAMPLES = sorted((_ROOT / "examples").glob("*.py"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """An installation in the working directory, whose networks are on the loopback."""
    monkeypatch.chdir(tmp_path)
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


_ELSEWHERE = {
    "django.md",  # in a project: tests/integration/runners/test_django.py
    "add-a-network.md",  # in a package: tests/acceptance/outside/test_add_a_network_page.py
}


@pytest.mark.parametrize(
    "page",
    [page for page in _PAGES if page.name not in _ELSEWHERE],
    ids=lambda page: str(page.relative_to(_ROOT)),
)
def test_every_block_runs(page: Path, desk: Desk) -> None:
    document = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], path=os.fspath(page.parent)).parse(page)
    for example in document.examples():
        example.evaluate()
    if page.name == "README.md":
        first, second = desk.bluesky.posts
        assert second.parent == first.uri
        assert [len(thread) for thread in desk.mail.threads(ADDRESSES[0])] == [2]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_no_block_passes_unseen(page: Path) -> None:
    """Only `python` fences are run by the parser above."""
    text = page.read_text(encoding="utf-8")
    assert "```pycon" not in text
    assert "```py\n" not in text


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    import re  # noqa: PLC0415 - only here

    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.name)
def test_every_example_runs(example: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [os.fspath(example)])
    runpy.run_path(os.fspath(example), run_name="__main__")
    assert desk.bluesky.posts


def test_a_bridge_that_is_fed_again_says_nothing_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = _ROOT / "examples" / "dispatch_bridge.py"
    monkeypatch.setattr("sys.argv", [os.fspath(bridge)])
    for _ in range(2):
        runpy.run_path(os.fspath(bridge), run_name="__main__")
        assert len(desk.bluesky.posts) == 3


def test_a_bridge_goes_on_after_an_event_that_it_does_not_understand(desk: Desk) -> None:
    bridge = runpy.run_path(os.fspath(_ROOT / "examples" / "dispatch_bridge.py"))
    wrong = ["{", "[1]", '{"event": 8}', '{"event": 9, "type": "created", "incident": "9", "nature": "AVP"}']
    assert len(bridge["bridge"]([*wrong, *bridge["SAMPLE"].splitlines()], desk.publisher())) == 3
