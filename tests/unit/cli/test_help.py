"""The help: its examples run, its exit codes are listed, and it loads little."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from policenotify.cli.app import COMMANDS, program
from policenotify.cli.exit_codes import MEANINGS
from policenotify.testing import FakeSmsServer
from tests.support.alerts import VIGILANCE
from tests.support.bounces import MAILBOX, failure
from tests.support.installation import INCIDENT, Desk, accident
from tests.support.network_options import sms_options
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
AT_ONCE = ("--wait", "0")
"""Nothing of it is sent yet, so that there is something to pause and to abort."""

BEFORE: dict[str, tuple[tuple[str, ...], ...]] = {
    "preview": (OPENING,),
    "update": (OPENING,),
    "end": (OPENING,),
    "correct": (OPENING, CAMPAIGN),
    "cancel": (OPENING, CAMPAIGN),
    "status": (OPENING,),
    "sending": (OPENING,),
    "sending progress": (OPENING,),
    "sending pause": ((*OPENING, *AT_ONCE),),
    "sending abort": ((*OPENING, *AT_ONCE), (*CAMPAIGN, *AT_ONCE)),
    "sending resume": ((*OPENING, *AT_ONCE), ("sending", "pause", INCIDENT, "--channel", "sms")),
    "resolve": (OPENING,),
    "bounce": (OPENING,),
}
"""What has been done before the examples of a command are followed."""

CODES = {
    "init /etc/policenotify": None,
    "resolve": 3,
    "migrate --grant-to policenotify_app": 6,
    "resolve 42": 3,
    "resolve 42 --show-addresses": 2,
    "metrics --textfile /var/lib/node-exporter/police.prom": None,
    "import-cap https://alertes.example/cap/4711.xml --category fire": None,
}
"""Examples that cannot be followed here: `None`. Of others, how they exit: a person is held, and there is neither a
terminal nor a server."""

EFFECTS = {
    "sending pause": "Paused on ",
    "sending abort": "Aborted on ",
    "sending resume 2026-4711 --channel sms": "Resumed on sms.",
    "bounce": "gone 5.1.1: remembered",
}
"""What commands say that have changed something: with nothing to do they succeed too."""

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
        if name == "sending":
            inner = getattr(command, "commands", {})
            found += [(f"{name} {part}", line) for part, each in inner.items() for line in examples(each)]
    return found


def arguments(line: str) -> tuple[list[str], str]:
    """Return the arguments of the command, and the file that it reads."""
    within = re.search(r"\$\((policenotify .*)\)", line)
    words = shlex.split(within[1] if within else line[line.index("policenotify ") :])
    for mark in ("|", ">", ">>"):
        words = words[: words.index(mark)] if mark in words else words
    source = words[words.index("<") + 1] if "<" in words else ""
    return words[1 : words.index("<") if "<" in words else None], source


@pytest.fixture
def equipped(desk: Desk) -> Iterator[Desk]:
    """The installation that the examples speak of: its channels, and the files beside it."""
    with FakeSmsServer() as server:
        settings = desk.write_settings()
        text = settings.read_text(encoding="utf-8").replace("[channels.presse]", '[channels.presse]\ntags = ["press"]')
        mail = 'bounces = "bounce@police.example"\non_unknown = "hold"'
        sms = f'[channels.sms]\nnetwork = "sms"\nrecipients = ["+33639980001"]\nurl = "{sms_options(server)["url"]}"'
        settings.write_text(f"{text}{mail}\n\n{sms}\n", encoding="utf-8")
        Path("message.json").write_text(accident().model_dump_json(), encoding="utf-8")
        Path("update.json").write_text(json.dumps({"headline": "Une voie rouverte"}), encoding="utf-8")
        shutil.copy(VIGILANCE, "vigilance.xml")
        shutil.copytree(CAMPAIGNS, desk.folder / "campaigns")
        yield desk


def _in_doubt(run: Run) -> dict[str, str]:
    """Return the delivery and the person of the examples, each with the one that is held here."""
    deliveries = run("sending", "progress", "--json").document["deliveries"]
    [number] = [each["delivery"] for each in deliveries if each["channel"] == "presse"]
    [person] = run("resolve", number, "--json").document["people"]
    return {"42": str(number), "3f9a1c0b77de": person["key"][:12]}


def _came_back(desk: Desk) -> dict[str, str]:
    """Write the mail of the examples, which has come back. Return the address of the examples with its own."""
    mailbox = desk.mail.mails[0].sender
    Path("mail").write_bytes(failure("5.1.1").replace(MAILBOX.encode(), mailbox.encode()))
    return {"bounce+ahamib5l@police.example": mailbox}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"),
    [pair for pair in _every() if pair[0] not in {"demo", "dev", "worker"}],
    ids=lambda value: value[:60],
)
def test_every_example_works_as_documented(
    run: Run, equipped: Desk, monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    args, source = arguments(line)
    before = BEFORE.get(name, ()) or ((OPENING,) if args[0] == "end" else ())
    if args[0] == "publish" or "message.json" in line:
        before = ()
    if "--reopen" in args:
        before = (*before, ("end", INCIDENT, "Fin d'intervention", "--description", "Circulation rétablie."))
    holds = name == "resolve"
    if holds:
        equipped.mail.hang_up("DATA", delivered=True, times=1)
    for command in before:
        assert run(*command).code == (3 if holds or "--wait" in command else 0)
    expected = CODES.get(" ".join(args), 1 if NO_DRAFT in args else 0)
    if expected is None:
        return
    here = _in_doubt(run) if holds else _came_back(equipped) if name == "bounce" else {}
    if source:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(source).read_bytes())))
    if args[0] == "init":
        (equipped.folder / "policenotify.toml").unlink()
    ran = run(*(here.get(word, word) for word in args))
    assert ran.code == expected, ran.err or ran.out
    assert EFFECTS.get(name, EFFECTS.get(" ".join(args), "")) in ran.out


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
