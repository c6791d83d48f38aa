"""What a visitor meets first: the README, the list of pages, the promise, the lines that install, and the workflow."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

import policenotify
from policenotify.cli.app import program
from tests.support.front_page import PROMISE

_ROOT = Path(__file__).parents[2]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_DOCS = _ROOT / "docs"
_PAGES = [page for page in sorted(_DOCS.rglob("*.md")) if not {"changes", "decisions"} & set(page.parts)]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _texts() -> Iterator[tuple[str, str]]:
    """Yield the texts that promise something, with white space as one space."""
    source = Path(policenotify.__file__).parent
    files = [*_PAGES, *source.rglob("*.py"), *source.rglob("*.toml")]
    for path in (*files, *(_ROOT / name for name in ("README.md", "pyproject.toml", "mkdocs.yml"))):
        yield path.name, " ".join(path.read_text(encoding="utf-8").split())


def test_the_promise_is_the_same_everywhere() -> None:
    places = {
        "README": _README,
        "summary": _PROJECT["description"],
        "site": (_ROOT / "mkdocs.yml").read_text(encoding="utf-8"),
        "home": (_DOCS / "index.md").read_text(encoding="utf-8"),
        "--help": " ".join((program.help or "").split()),
    }
    assert [name for name, text in places.items() if PROMISE not in text] == []


def test_no_text_promises_more() -> None:
    more = re.compile(r"(?:never|nothing is) (?:published )?(?:doubled|twice)|jamais doublé", re.IGNORECASE)
    known = re.compile(re.escape(PROMISE.partition("; otherwise")[0]), re.IGNORECASE)
    assert [(place, hit[0]) for place, text in _texts() for hit in more.finditer(known.sub("", text))] == []


def test_the_readme_is_short_and_begins_with_the_page_of_the_officer() -> None:
    assert len(_README.splitlines()) <= 120
    assert re.findall(r"\]\(([^)]+)\)", _README)[0] == "docs/fr/permanence.md"
    titles = re.findall(r"^## (.+)$", _README, re.MULTILINE)
    assert titles == [
        "What it does that a notifier does not", "Beside others", "What it costs", "Not for", "Try it, test it",
        "Use it", "Install it", "Where next",
    ]  # fmt: skip


def test_the_home_page_and_the_navigation_list_every_page() -> None:
    pages = {page.relative_to(_DOCS).as_posix() for page in _PAGES} - {"index.md"}
    assert pages <= set(re.findall(r"\]\(([^)#]+)", (_DOCS / "index.md").read_text(encoding="utf-8")))
    assert pages <= set(re.findall(r"[\w/-]+\.md", (_ROOT / "mkdocs.yml").read_text(encoding="utf-8")))


def test_no_line_installs_ours_by_its_name() -> None:
    """policenotify is on no package index: the owner of a package of that name would get the keys of a desk."""
    installs = re.compile(r"\b(?:pip3? install|uv add|uvx|uv tool install|pipx (?:install|run))\b([^&\n]*)")
    ours = re.compile(r"(?<![\w./-])policenotify(?![\w./-])")
    pages = (_ROOT / "README.md", *_PAGES, *(_ROOT / "examples").rglob("*.md"), *(_ROOT / ".github").rglob("*.md"))
    lines = [(page.name, line) for page in pages for line in installs.findall(page.read_text(encoding="utf-8"))]
    assert any("[all]" in line for _, line in lines)
    assert [(name, line) for name, line in lines if ours.search(line)] == []


def test_no_page_needs_a_foreign_host_for_a_diagram() -> None:
    pages = [_ROOT / "README.md", *_PAGES]
    assert [page for page in pages if "```mermaid" in page.read_text(encoding="utf-8")] == []


def test_the_workflow_runs_the_oldest_and_the_newest_python() -> None:
    workflow = yaml.safe_load((_ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["quick"]
    supported = re.findall(r"Python :: (3\.\d+)", " ".join(_PROJECT["classifiers"]))
    assert job["strategy"]["matrix"]["python"] == [supported[0], supported[-1]]
    assert _PROJECT["requires-python"] == f">={supported[0]}"
    assert workflow["permissions"] == {"contents": "read"}
    assert "bash .ci/run quick" in [step.get("run") for step in job["steps"]]
    uses = [step["uses"] for each in workflow["jobs"].values() for step in each["steps"] if "uses" in step]
    assert all(re.search(r"@v\d+\.\d+\.\d+$", each) for each in uses)
    assert set(workflow) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads `on` as true
