"""The help: each example is understood, exit codes are listed, and it loads little."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from policenotify.cli.app import COMMANDS, program
from policenotify.cli.context import CliContext
from policenotify.cli.exit_codes import MEANINGS
from tests.support.shell import Run

_HEAVY = ("sqlalchemy", "atproto", "apprise", "tweepy", "mastodon", "httpx", "PIL", "pydantic", "rich", "cryptography")


def every_command(command: click.Command = program, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command and group with the words that call it."""
    yield name, command
    if isinstance(command, click.Group):
        for word in command.commands or COMMANDS:  # those of the program itself are loaded by name
            inner = command.get_command(click.Context(command), word)
            assert inner is not None
            yield from every_command(inner, f"{name} {word}".strip())


def examples(command: click.Command) -> list[str]:
    """Return the lines of the examples: those that go on are joined, remarks in brackets left out."""
    _, _, given = (command.help or "").partition("Examples:\n")
    lines = (re.sub(r"\s{2,}\(.*\)$", "", line) for line in given.replace("\\\n", " ").splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


def arguments(line: str) -> list[str]:
    """Return the arguments of the command, which may stand in a pipe or in another command."""
    within = re.search(r"\$\((policenotify .*)\)", line)
    words = shlex.split(within[1] if within else line[line.index("policenotify ") :])
    ends = [words.index(mark) for mark in ("|", ">", ">>", "<") if mark in words]
    return words[1 : min(ends, default=None)]


EVERY = dict(every_command())


@pytest.mark.parametrize("name", EVERY)
def test_every_example_names_a_command_and_its_own_options(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("message.json", "vigilance.xml"):
        Path(file).touch()
    lines = examples(EVERY[name])
    assert lines or " " in name  # a command within a group may leave its examples to the group
    for line in lines:
        called, words = "", arguments(line)
        while words and f"{called} {words[0]}".strip() in EVERY:
            called = f"{called} {words.pop(0)}".strip()
        assert called, line
        whole = click.Context(program, obj=CliContext(), **program.context_settings)  # commands keep its `-h`
        EVERY[called].make_context(called, words, parent=whole).close()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_documents_examples_common_options_and_exit_codes(run: Run, name: str) -> None:
    ran = run(name, "--help")
    assert f"  policenotify {name}" in ran.out
    assert "--json" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    said = ran.words
    assert "Exit codes: 0 success; " in said
    told = re.search(r"Exit codes: (.*) All of them: policenotify --help", said)
    assert told
    codes = {int(code) for code in re.findall(r"(?:^|; )(\d+) ", told[1])}
    assert {0, 2} <= codes <= {*map(int, MEANINGS), *{"bounce": [75], "worker": [7]}.get(name, [])}


def test_help_loads_no_model_no_client_library_and_no_sql_toolkit() -> None:
    code = (
        "import sys\nfrom policenotify.cli.app import run\nrun(['--help'])\n"
        f"print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    assert done.stdout.splitlines()[-1] == "[]"
