"""The page for the officer on duty: its commands run in their order and answer what it shows, its words are ours."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from policenotify.cli.app import COMMANDS
from policenotify.cli.exit_codes import MEANINGS, Exit
from policenotify.model.history import Outcome
from policenotify.translation import in_language
from tests.support.installation import Desk
from tests.support.shell import Run

_PAGE = (Path(__file__).parents[3] / "docs" / "fr" / "permanence.md").read_text(encoding="utf-8")
_STEP = re.compile(r"^```(sh|text)\n(.*?)^```\n(?:<!-- sortie : (\d+)\b.*? -->)?", re.MULTILINE | re.DOTALL)


def _column(title: str, number: int) -> list[str]:
    _, _, table = _PAGE.partition(f"| {title} |")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    return [row.split(" | ")[number].strip(" |") for row in rows]


@pytest.mark.slow
def test_the_commands_of_the_page_run_in_their_order(run: Run, desk: Desk) -> None:
    desk.change_settings("zone =", 'language = "fr"\nzone =')
    shown = ""
    for kind, block, code in (found.groups() for found in _STEP.finditer(_PAGE)):
        lines = block.replace("\\\n", " ").splitlines()
        if kind == "text":
            assert [line for line in lines if line not in shown] == [], shown
            continue
        answers = []
        for line in lines:
            program, *args = shlex.split(line)
            assert program == "policenotify"
            answers.append(run(*args))
        assert [ran.code for ran in answers] == [0] * (len(lines) - 1) + [int(code or 0)], answers
        shown = " ".join(f"{ran.out} {ran.err}" for ran in answers)
        shown = " ".join(shown.replace("\N{NO-BREAK SPACE}", " ").split())


def test_its_commands_exit_codes_and_outcomes_are_those_of_the_program() -> None:
    named = {word for cell in _column("Ce qui se passe", 1) for word in re.findall(r"`([a-z]\w*)", cell)}
    assert named <= set(COMMANDS)
    assert {int(code) for cell in _column("Code", 0) for code in cell.split(", ")} == set(MEANINGS) - {Exit.INTERRUPTED}
    assert set(_column("Mot", 0)) == {in_language(outcome, "fr") for outcome in Outcome}


def test_it_fits_two_sheets() -> None:
    assert len(_PAGE.splitlines()) <= 150
