"""Run every code block of the README and the pages, and every example, against the fake servers."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import policenotify
from policenotify.cli import main
from tests.support.installation import Desk, open_desk
from tests.support.patience import PATIENCE, until
from tests.support.ports import free_port

_ROOT = Path(__file__).parents[2]
_PAGES = [
    _ROOT / "README.md",  # also without settings: tests/acceptance/outside/test_first_minutes.py
    _ROOT / "examples" / "README.md",
    *sorted(page for page in (_ROOT / "docs").rglob("*.md") if page.parent.name != "changes"),
]
_EXAMPLES = sorted((_ROOT / "examples").glob("*.py"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """An installation in the working directory, whose networks are on the loopback.

    What they load is loaded before a delivery has a lease: on a slow machine that takes minutes.
    """
    pytest.importorskip("apprise")
    pytest.importorskip("atproto")
    monkeypatch.chdir(tmp_path)
    with open_desk(tmp_path) as opened:
        place = opened.write_settings()
        place.write_text(f"wait = {PATIENCE}\n{place.read_text('utf-8')}", "utf-8")  # however slow the machine is
        yield opened


_ELSEWHERE = {
    "django.md",  # in a project, and step by step: tests/integration/runners/test_django.py, test_django_project.py
    "add-a-network.md",  # in a package: tests/acceptance/outside/test_add_a_network_page.py
    "tutorial.md",  # step by step: below
    "README.md",  # without an installation: below
}


@pytest.mark.parametrize(
    "page",
    [page for page in _PAGES if page.name not in _ELSEWHERE and "```python" in page.read_text(encoding="utf-8")],
    ids=lambda page: str(page.relative_to(_ROOT)),
)
@pytest.mark.usefixtures("desk")
def test_every_block_runs(page: Path) -> None:
    document = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()], path=os.fspath(page.parent)).parse(page)
    for example in document.examples():
        example.evaluate()


def test_the_readme_runs_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    [block] = re.findall(r"^```python\n(.*?)^```", _PAGES[0].read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(block, {})  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    assert printed.count("Évitez le secteur.") == printed.count("Circulation rétablie.") == 5, printed
    assert list(tmp_path.iterdir()) == []


_STEP = re.compile(
    r"^```(python|sh|text|toml)\n(.*?)^```$|^<!-- the mail server (runs|is stopped) -->$", re.MULTILINE | re.DOTALL
)


@pytest.mark.slow
def test_the_tutorial_leads_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run every step in order. Commands or the mail server print what the page shows."""
    monkeypatch.chdir(tmp_path)
    port = str(free_port())
    text = (_ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8").replace("8025", port)
    printed, expected = "", 0
    with ExitStack() as running, (tmp_path / "mails.txt").open("w+", encoding="utf-8") as mails:
        for language, block, server in (found.groups() for found in _STEP.finditer(text)):
            if server == "runs":
                running.callback(_catch_all(tmp_path, mails))
                expected = 0
            elif server:
                running.close()
                expected = 3
            elif language == "text":
                received = (tmp_path / "mails.txt").read_text(encoding="utf-8")
                for line in block.splitlines():
                    assert line in printed or line in received, printed
            elif language == "sh":
                printed = ""
                for line in block.replace("\\\n", " ").splitlines():
                    program, *args = shlex.split(line)
                    if program == "cd":
                        monkeypatch.chdir(args[0])
                        continue
                    with pytest.raises(SystemExit) as ended:
                        main(args)
                    printed += " ".join(capsys.readouterr().out.split())
                    assert ended.value.code == expected, printed
            else:
                name = block.partition("\n")[0].removeprefix("# ")
                place = tmp_path if name == "catchall.py" else Path()  # it has a terminal of its own
                (place / name).write_text(block, encoding="utf-8")
                if name == "incident.py":
                    runpy.run_path(name, run_name="__main__")
        received = (tmp_path / "mails.txt").read_text(encoding="utf-8")
    assert received.count("Subject: ") == 2 * 5, received
    assert "press: posted (2 posted)" in capsys.readouterr().out


def _catch_all(folder: Path, mails: IO[str]) -> Callable[[], object]:
    """Start the tutorial's mail server, and return a function that stops it."""
    before = Path(mails.name).read_text(encoding="utf-8").count("Waiting")
    process = subprocess.Popen([sys.executable, "catchall.py"], cwd=folder, stdout=mails)

    def stop() -> None:
        process.terminate()
        process.wait(PATIENCE)

    until(lambda: Path(mails.name).read_text(encoding="utf-8").count("Waiting") > before)
    return stop


def test_no_block_passes_unseen() -> None:
    """Only `python` fences are run by the parser above."""
    unseen = re.compile(r"```(?:pycon|py\n)")
    assert [page for page in _PAGES if unseen.search(page.read_text(encoding="utf-8"))] == []


def test_the_recipes_name_files_that_exist() -> None:
    pages = (_ROOT / "docs" / "contributing" / "how-to-change.md", _ROOT / ".github" / "CONTRIBUTING.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    named = re.findall(r"`((?:src|tests|docs|examples|\.ci)/[\w./-]+)`", text)
    places = {path: _ROOT / path for path in named if not re.search(r"NAME|NETWORK", path)}
    installed = Path(policenotify.__file__).parents[1]  # without the sources, as from a wheel
    places |= {path: installed / path.removeprefix("src/") for path in places if path.startswith("src/")}
    assert [path for path, place in places.items() if not place.exists()] == []


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.name)
def test_every_example_runs(example: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [os.fspath(example)])
    runpy.run_path(os.fspath(example), run_name="__main__")
    assert desk.bluesky.posts


def test_every_example_has_its_line() -> None:
    page = (_ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    listed = {target.split("/")[0] for target in re.findall(r"\]\((?!\.)([^)]+)\)", page)}
    assert listed == {path.name for path in (_ROOT / "examples").iterdir()} - {"README.md", "__pycache__"}


def test_a_bridge_that_is_fed_again_publishes_nothing_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = _ROOT / "examples" / "dispatch_bridge.py"
    monkeypatch.setattr("sys.argv", [os.fspath(bridge)])
    for _ in range(2):
        runpy.run_path(os.fspath(bridge), run_name="__main__")
        assert len(desk.bluesky.posts) == 3
