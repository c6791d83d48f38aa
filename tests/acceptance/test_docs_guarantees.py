"""The page of guarantees has the states of the code, and its commands resolve a doubt."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify import open_publisher
from policenotify.cli import main
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from tests.support.front_page import PROMISE
from tests.support.installation import ADDRESSES, accident, open_desk

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "delivery-guarantees.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


def test_the_promise_is_this_one() -> None:
    assert PROMISE in TEXT
    assert "exactly once" not in TEXT.lower()


def test_the_table_has_the_states_of_the_code() -> None:
    arrows = re.findall(r"^\| (?:`(\w+)`)? ?\| `(\w+)` \|", TEXT, re.MULTILINE)
    states = {state for arrow in arrows for state in arrow} - {""}
    assert states == set(Outcome) - {Outcome.SUPPRESSED}
    assert f"`{Outcome.SUPPRESSED}`" in TEXT
    # What is left by itself is not settled; of what is settled only a person, or what takes it back, makes another.
    unsettled = {Outcome(start) for start, _ in arrows if start} - {Outcome.HELD, Outcome.POSTED}
    assert unsettled == {one for one in Outcome if not one.is_final}


@pytest.mark.slow
def test_its_commands_resolve_a_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_desk(tmp_path) as desk:
        desk.write_settings()
        (tmp_path / "presse.txt").write_text(ADDRESSES[0], encoding="utf-8")
        desk.mail.hang_up("DATA", delivered=True)
        desk.mail.hang_up("DATA")
        with open_publisher("policenotify.toml") as publisher:
            for number, delivery in ((1, 2), (2, 5)):  # the batch of the first is 3
                life = Lifecycle(stage=Stage.OPENING, incident=f"I{number}")
                told = publisher.publish(
                    accident(headline=f"Accident {number}", lifecycle=life, severity=Severity.MINOR),
                    key=f"open {number}",
                    actor="desk",
                )
                assert told.on("presse").outcome is Outcome.HELD
                assert told.on("presse").delivery == delivery
        said = {line: _run(line, capsys) for line in COMMANDS}
        assert said["policenotify status"][0] == 3
        assert all(f"resolve {number}" in said["policenotify status"][1] for number in (2, 5))
        del said["policenotify status"]
        assert {code for code, _ in said.values()} == {0}, said
        with open_publisher("policenotify.toml") as publisher:
            publisher.drain(timedelta(seconds=10))
            assert all(
                told is not None and told.ok for told in map(publisher.operations.publication, ("open 1", "open 2"))
            )
        assert len(desk.mail.mailbox(ADDRESSES[0])) == 2, "one was out, the other was said again"


def _run(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    program, *args = shlex.split(line)
    assert program == "policenotify"
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert isinstance(ended.value.code, int)
    return ended.value.code, " ".join(capsys.readouterr().out.split())
