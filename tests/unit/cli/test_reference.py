"""The page of the command line: its commands run, and its lists are complete."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from policenotify.cli.app import COMMANDS, program
from policenotify.cli.exit_codes import MEANINGS
from policenotify.cli.options import OPTIONS
from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run

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
    context = click.Context(program)
    known = {"--help", "-h"}
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        within = command.commands.values() if isinstance(command, click.Group) else ()
        known |= {
            option for each in (command, *within) for one in each.params for option in (*one.opts, *one.secondary_opts)
        }
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", PAGE)) <= known


WITHOUT_VALUE = {
    "resume": {"channel", "still_stopped"},
}
"""Keys of the page that are absent here, because they have no value."""


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
        ("publish", ("publish", *ACCIDENT)),
        ("campaign check", ("campaign", "check", "campaigns")),
        ("campaign submit", ("campaign", "submit", "campaigns")),
        ("status WHICH", ("status", "one")),
        ("resolve", ("resolve",)),
        ("stop", ("stop",)),
        ("resume", ("resume",)),
        ("init", ("init", "elsewhere")),
        ("migrate", ("migrate",)),
        ("networks", ("networks",)),
        ("networks --new", ("networks", "radio", "--new")),
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
    [row] = [row for row in rows("JSON output") if row[0] == "`networks`"]
    inner = re.search(r"\(each: (.*?)\)", row[1])
    assert inner
    assert set(run("networks", "--json").document["networks"][0]) == set(re.findall(r"`(\w+)`", inner[1]))
    refused = run("update", "2026-1", "x", "--json").document
    assert set(refused) == {"error"}
    assert set(refused["error"]) == {"kind", "text", "published", "name", "nearest"}
    assert len(desk.bluesky.posts) == 1
