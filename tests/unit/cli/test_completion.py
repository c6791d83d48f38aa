"""Shell completion: commands, options, and values from the settings and the journal."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from policenotify.cli.app import COMMANDS, COMPLETE_VARIABLE, run
from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Run

_BASH = "/bin/bash"


def offered(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str) -> dict[str, str]:
    """Return the suggestions after a line, each with its help. The last word is being completed."""
    words = f"policenotify {line}"
    monkeypatch.setenv(COMPLETE_VARIABLE, "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        run([])
    assert left.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    monkeypatch.delenv(COMPLETE_VARIABLE)
    lines = said.out.splitlines()
    found = zip(lines[::3], lines[1::3], lines[2::3], strict=False)
    return {value.replace("\\:", ":"): "" if more == "_" else more for kind, value, more in found if kind}


class Offered:
    def __init__(self, desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._how = capsys, monkeypatch
        monkeypatch.chdir(desk.folder)

    def __call__(self, line: str) -> dict[str, str]:
        return offered(*self._how, line)


@pytest.fixture
def complete(desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Offered:
    return Offered(desk, capsys, monkeypatch)


def test_commands_and_options(complete: Offered) -> None:
    assert complete("") == {name: does for name, (_, does) in COMMANDS.items()}
    assert list(complete("re")) == ["resume", "return", "reject", "resolve"]
    assert set(complete("--j")) == {"--json"}
    assert complete("publish --st") == {
        "--standalone": "Open no incident, whatever the category.",
        "--starts": "Since or from when; for an end, when it was over.",
        "--street": "Without a house number.",
    }


def test_values_of_the_settings(complete: Offered, desk: Desk) -> None:
    desk.add_settings('\n[categories.fire_drill]\nlabels = { fr = "Exercice" }\n')
    assert complete("publish --category fir") == {"fire": "Incendie", "fire_drill": "Exercice"}
    assert complete("publish --to ") == {"bluesky": "bluesky", "presse": "email"}
    assert complete("preview --category fact") == {"fact_check": complete("publish --category fact")["fact_check"]}
    assert list(complete("resume pr")) == ["presse"]
    elsewhere = desk.folder / "elsewhere" / "other.toml"
    elsewhere.parent.mkdir()
    text = (desk.folder / "policenotify.toml").read_text(encoding="utf-8")
    elsewhere.write_text(text.replace("channels.presse", "channels.press"), encoding="utf-8")
    assert list(complete("--settings elsewhere/other.toml resume pr")) == ["press"]


@pytest.mark.slow
def test_open_incidents_and_held_deliveries_of_the_journal(
    complete: Offered, desk: Desk, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.database.unlink()
    assert complete("end ") == {}
    assert not desk.database.exists()
    desk.make_journal()
    run("publish", *ACCIDENT)
    told = "traffic_accident, Montpellier, avenue de Toulouse, Accident de la circulation"
    for command in ("end", "update", "correct", "cancel", "status"):
        assert complete(f"{command} 2026") == {"2026-4711": told}
    assert complete("end 2027") == {}
    run("end", "2026-4711", "Fin", "--description", "Rouvert.")
    assert complete("update ") == {}
    assert complete("resolve ") == {}
    held = (SimpleNamespace(delivery=42, channel="presse", headline="Accident"),)
    monkeypatch.setattr("policenotify.publishing.operations.held_deliveries", lambda _journal: held)
    assert complete("resolve 4") == {"42": "presse, Accident"}


def test_any_error_gives_no_suggestion_and_no_output(complete: Offered, desk: Desk) -> None:
    desk.database.write_bytes(b"no journal " * 1000)
    assert complete("end ") == {}
    (desk.folder / "policenotify.toml").write_text("no settings", encoding="utf-8")
    assert complete("end ") == complete("resume ") == complete("publish --to ") == {}
    assert complete("stop --reason ") == {}


@pytest.mark.slow
@pytest.mark.skipif(not Path(_BASH).exists(), reason="there is no bash here")
def test_bash_itself_completes(desk: Desk, tmp_path: Path) -> None:
    desk.publisher().publish(accident(), key="one", actor="desk", wait=timedelta(0))
    program = tmp_path / "bin" / "policenotify"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom policenotify.cli import main\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    asked = """
    eval "$(_POLICENOTIFY_COMPLETE=bash_source policenotify)"
    COMP_WORDS=(policenotify end 20) COMP_CWORD=2
    _policenotify_completion policenotify
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run([_BASH, "--norc", "-c", asked], env=path, cwd=tmp_path, capture_output=True, text=True)  # noqa: S603, PLW1510 - our own script, whose answer is looked at
    # Without a terminal there is no `compopt`, of which bash complains.
    assert done.stdout == "2026-4711\n"
