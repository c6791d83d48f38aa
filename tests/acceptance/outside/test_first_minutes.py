"""The first minutes of a newcomer: our wheel in an empty folder, without settings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import ROOT, Environment

pytestmark = pytest.mark.outside

_BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
_EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
_ACCIDENT = (
    "--category", "traffic_accident", "--incident", "2026-4711", "--commune", "Montpellier",
    "--headline", "Accident de la circulation", "--instruction", "Évitez le secteur.",
)  # fmt: skip


@pytest.fixture(scope="module")
def bare(environment: Callable[..., Environment]) -> Environment:
    """Our wheel without any extra."""
    return environment("")


@pytest.fixture(scope="module")
def fresh(environment: Callable[..., Environment]) -> Environment:
    """Our wheel with the command line and campaigns."""
    return environment("campaigns,cli")


def test_the_blocks_of_the_readme_run(bare: Environment, tmp_path: Path) -> None:
    assert _BLOCKS
    assert "Accident" in bare.run("python", "-W", "error", "-c", "\n".join(_BLOCKS), at=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.name)
def test_each_example_prints_its_posts(bare: Environment, tmp_path: Path, example: Path) -> None:
    printed = bare.run("python", "-W", "error", os.fspath(example), at=tmp_path)
    assert "┌─ x · " in printed
    assert list(tmp_path.iterdir()) == []


def test_a_new_installation_publishes_and_ends_an_incident(fresh: Environment, tmp_path: Path) -> None:
    def run(*args: str) -> str:
        return fresh.run("policenotify", *args, at=tmp_path, LC_ALL="fr_FR.UTF-8")

    run("init")
    assert "# le nom sous" in (tmp_path / "policenotify.toml").read_text("utf-8")
    assert "console (fr)" in run("publish", *_ACCIDENT)
    assert "console (fr)" in run("end", "2026-4711", "Fin d'intervention", "--description", "Circulation rétablie.")
    assert "2026-4711" in run("status")
    run("doctor")


def test_the_example_campaigns_show_their_plan(fresh: Environment, tmp_path: Path) -> None:
    program = os.fspath(ROOT / "examples" / "campaigns" / "run_due.py")
    assert "cambriolages" in fresh.run("python", program, at=tmp_path)
