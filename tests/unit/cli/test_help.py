"""The help: its examples run, its exit codes are listed, and it loads little."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from policenotify.cli.app import COMMANDS, program
from policenotify.cli.context import SETTINGS_VARIABLE
from policenotify.cli.exit_codes import MEANINGS
from policenotify.settings.loader import FILE_VARIABLE
from tests.support.alerts import VIGILANCE
from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Run

_HEAVY = (
    "sqlalchemy",
    "atproto",
    "apprise",
    "tweepy",
    "mastodon",
    "httpx",
    "PIL",
    "pydantic",
    "rich",
    "cryptography",
    "policenotify.catalogue",
)
CAMPAIGNS = Path(__file__).parents[3] / "examples" / "campaigns"
TIP = ("--headline", "Faux conseiller bancaire", "--instruction", "Raccrochez.", "--key", "campaign-2026-12-01")
OPENING = ("publish", *ACCIDENT)
CAMPAIGN = ("publish", "--category", "scam_cyber", *TIP)

BEFORE: dict[str, tuple[tuple[str, ...], ...]] = {
    "preview": (OPENING,),
    "update": (OPENING,),
    "end": (OPENING,),
    "correct": (OPENING, CAMPAIGN),
    "cancel": (OPENING, CAMPAIGN),
    "status": (OPENING,),
}
"""What has been done before the examples of a command are followed."""

CODES = {
    "init /etc/policenotify": None,
    "resolve 42 --posted": 2,
    "resolve 42 --not-posted": 2,
    "import-cap https://alertes.example/cap/4711.xml --category fire": None,
}
"""Examples that cannot be followed here: `None`, or how they exit instead."""

NO_DRAFT = "01KJPKTHJ05RY0M0Y11SW8SXYJ"
"""A draft of the examples. There is none here, and the command exits with 1."""


def examples(command: click.Command) -> list[str]:
    """The lines of the examples: those that go on are joined, remarks in brackets left out."""
    _, _, given = (command.help or "").partition("Examples:\n")
    lines = (re.sub(r"\s{2,}\(.*\)$", "", line) for line in given.replace("\\\n", " ").splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


def _every() -> list[tuple[str, str]]:
    context = click.Context(program)
    found = [("", line) for line in examples(program)]
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        found += [(name, line) for line in examples(command)]
    return found


def arguments(line: str) -> tuple[list[str], str]:
    """Return the arguments of the command, and the file that it reads."""
    within = re.search(r"\$\((policenotify .*)\)", line)
    words = shlex.split(within[1] if within else line[line.index("policenotify ") :])
    for mark in ("|", ">"):
        words = words[: words.index(mark)] if mark in words else words
    source = words[words.index("<") + 1] if "<" in words else ""
    return words[1 : words.index("<") if "<" in words else None], source


def test_every_command_has_an_example() -> None:
    assert {name for name, _ in _every()} == {"", *COMMANDS}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"), [pair for pair in _every() if pair[0] not in {"demo", "worker"}], ids=lambda value: value[:60]
)
def test_every_example_works_as_documented(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    settings = desk.folder / "policenotify.toml"
    tagged = settings.read_text(encoding="utf-8").replace("[channels.presse]", '[channels.presse]\ntags = ["press"]')
    settings.write_text(tagged, encoding="utf-8")
    Path("message.json").write_text(accident().model_dump_json(), encoding="utf-8")
    Path("update.json").write_text(json.dumps({"headline": "Une voie rouverte"}), encoding="utf-8")
    shutil.copy(VIGILANCE, "vigilance.xml")
    shutil.copytree(CAMPAIGNS, desk.folder / "campaigns")
    args, source = arguments(line)
    before = BEFORE.get(name, ()) or ((OPENING,) if args[0] == "end" else ())
    if args[0] == "publish" or "message.json" in line:
        before = ()
    for command in before:
        assert run(*command).code == 0
    expected = CODES.get(" ".join(args), 1 if NO_DRAFT in args else 0)
    if expected is None:
        return
    if source:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(source).read_bytes())))
    if args[0] == "init":
        settings.unlink()
    ran = run(*args)
    assert ran.code == expected, ran.err or ran.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_documents_its_exit_codes(run: Run, name: str) -> None:
    said = run(name, "--help").words
    assert "Exit codes: 0 success; " in said
    told = re.search(r"Exit codes: (.*) All of them: policenotify --help", said)
    assert told
    codes = {int(code) for code in re.findall(r"(?:^|; )(\d+) ", told[1])}
    assert {0, 2} <= codes <= {*map(int, MEANINGS), *({os.EX_TEMPFAIL} if name == "bounce" else ())}


@pytest.mark.parametrize(
    "args", [("--help",), ("publish", "--help"), ("cancel", "-h"), ("--version",), ("schema", "-h")]
)
def test_help_loads_no_model_no_client_library_and_no_sql_toolkit(args: tuple[str, ...]) -> None:
    code = (
        f"import sys\nfrom policenotify.cli.app import run\nrun({list(args)!r})\n"
        f"print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_variable_of_the_settings_is_that_of_the_settings() -> None:
    assert SETTINGS_VARIABLE == FILE_VARIABLE
