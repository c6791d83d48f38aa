"""The pages of the command line and of the officer on duty: their commands run, their lists are complete."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from policenotify.cli.app import COMMANDS
from policenotify.cli.exit_codes import MEANINGS, Exit
from policenotify.cli.options import OPTIONS
from policenotify.model.history import Outcome
from policenotify.translation import in_language
from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run
from tests.unit.cli.test_help import EVERY

CAMPAIGNS = Path(__file__).parents[3] / "examples" / "campaigns"
PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def rows(title: str) -> Iterator[list[str]]:
    """The rows of the tables under a title."""
    _, _, section = PAGE.partition(f"\n## {title}\n")
    for line in section.partition("\n## ")[0].splitlines():
        if line.startswith("| ") and not line.startswith("|--"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """With the campaigns of the examples."""
    shutil.copytree(CAMPAIGNS, desk.folder / "campaigns")
    return desk


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n", 1)[0][:50])
def test_the_commands_of_the_page_run(run: Run, desk: Desk, block: str) -> None:
    for line in block.replace("\\\n", " ").splitlines():
        command, _, into = line.partition(" > ")
        first, *args = shlex.split(command)
        if first == "echo":
            said = args[0]
        else:
            assert first == "policenotify"
            ran = run(*args)
            assert ran.code == 0, ran.err or ran.out
            said = ran.out
        if into:
            (desk.folder / into).write_text(said, encoding="utf-8")


def test_every_command_is_listed() -> None:
    listed = set()
    for title in ("Publishing", "Approval", "Campaigns", "Monitoring", "Journal", "Installation"):
        listed |= {found for cell, *_ in rows(title) for found in re.findall(r"`(\w[\w-]*)", cell)}
    assert listed - {"command"} == set(COMMANDS)


def test_the_exit_codes_are_those_of_the_program() -> None:
    told = {int(code): meaning for code, meaning in (row[:2] for row in rows("Every command")) if code.isdigit()}
    assert told == {int(code): meaning for code, meaning in MEANINGS.items()}


def test_the_options_of_a_message_are_those_of_the_program() -> None:
    listed = {found for cell, *_ in rows("Message options") for found in re.findall(r"`(--[\w-]+)`", cell)}
    assert listed == {*OPTIONS.values(), "--file"}


def test_every_option_that_the_page_names_is_one() -> None:
    known = {option for each in EVERY.values() for one in each.params for option in (*one.opts, *one.secondary_opts)}
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", PAGE)) <= {*known, "--help"}


WITHOUT_VALUE = {
    "campaign calendar": {"ics"},
    "campaign run": {"next_at"},
    "status": {"settings", "stopped", "last_heartbeat", "worker_lost_at"},
    "drain": {"next_due"},
    "resume": {"channel", "still_stopped"},
}
"""Keys of the page that are absent here, because they have no value."""

EACH_WITHOUT_VALUE = {
    "incidents": {"overdue_seconds", "reminded_at"},
    "doctor": {"alarm"},
}
"""The same, of one element of a list."""


def _keys() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for commands, keys in rows("JSON output"):
        top = re.sub(r"\(each\b.*?\)", "", keys.partition("; `")[0])
        for command in re.findall(r"`([^`]+)`", commands):
            found[command] = set(re.findall(r"`(\w+)`", top))
    return found


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("preview", ("preview", *ACCIDENT)),
        ("publish", ("publish", *ACCIDENT)),
        ("campaign check", ("campaign", "check", "campaigns")),
        ("campaign submit", ("campaign", "submit", "campaigns")),
        ("campaign calendar", ("campaign", "calendar", "campaigns")),
        ("campaign preview", ("campaign", "preview", "campaigns")),
        ("campaign run", ("campaign", "run", "campaigns")),
        ("status", ("status",)),
        ("status WHICH", ("status", "one")),
        ("resolve", ("resolve",)),
        ("incidents", ("incidents",)),
        ("doctor", ("doctor",)),
        ("drain", ("drain",)),
        ("stop", ("stop",)),
        ("resume", ("resume",)),
        ("init", ("init", "elsewhere")),
        ("migrate", ("migrate",)),
        ("networks", ("networks",)),
        ("networks new", ("networks", "new", "radio")),
        ("journal purge", ("journal", "purge", "--older-than", "3y")),
        ("journal seal", ("journal", "seal")),
        ("journal verify", ("journal", "verify")),
        ("journal restored", ("journal", "restored")),
        ("journal move", ("journal", "move", "moved.db")),
    ],
)
@pytest.mark.usefixtures("desk")
def test_the_keys_of_a_document_are_those_of_the_page(run: Run, command: str, args: tuple[str, ...]) -> None:
    if command == "status WHICH":
        run("publish", *ACCIDENT, "--key", "one")
    if command == "journal move":
        run("status")  # which makes one
    assert set(run(*args, "--json").document) == _keys()[command] - WITHOUT_VALUE.get(command, set())


def test_the_documents_of_the_page_have_these_fields(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT)
    for command in ("incidents", "networks", "doctor"):
        key = "lines" if command == "doctor" else command
        [row] = [row for row in rows("JSON output") if row[0] == f"`{command}`"]
        inner = re.search(r"\(each: (.*?)\)", row[1])
        assert inner
        here = set(run(command, "--json").document[key][0])
        assert here == set(re.findall(r"`(\w+)`", inner[1])) - EACH_WITHOUT_VALUE.get(command, set())
    refused = run("update", "2026-1", "x", "--json").document
    assert set(refused) == {"error"}
    assert set(refused["error"]) == {"kind", "text", "published", "name", "nearest"}
    assert len(desk.bluesky.posts) == 1


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
