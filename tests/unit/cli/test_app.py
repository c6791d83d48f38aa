"""The command as a process: help, exit codes, encoding, extras."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from policenotify.cli.errors import error_report
from policenotify.cli.exit_codes import MEANINGS, Exit
from policenotify.errors import JournalError
from tests.support.installation import Desk
from tests.support.patience import PATIENCE
from tests.support.shell import ACCIDENT, Run
from tests.unit.cli.test_help import every_command

MOST_COMMANDS, MOST_OPTIONS = 52, 84


def _process(*args: str, code: str = "", **more: str) -> subprocess.CompletedProcess[bytes]:
    start = code or "from policenotify.cli import main; main()"
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", start, *args],
        capture_output=True,
        check=False,
        env={**os.environ, **more},
        timeout=PATIENCE,
    )


def test_the_help_lists_every_exit_code(run: Run) -> None:
    said = run("--help").out
    for code, meaning in MEANINGS.items():
        assert f"{int(code):>3}  {meaning}" in said
    assert set(MEANINGS) == set(Exit) - {Exit.TAKEN_AWAY, Exit.TRY_AGAIN}
    assert max(map(len, said.splitlines())) <= 80


def test_the_command_line_can_be_held_in_ones_head() -> None:
    commands = [each for _, each in every_command() if not isinstance(each, click.Group) or each.invoke_without_command]
    given = [name for each in commands for option in each.params for name in (*option.opts, *option.secondary_opts)]
    options = {name for name in given if name.startswith("--")}
    assert len(commands) <= MOST_COMMANDS
    assert len(options) <= MOST_OPTIONS


def test_a_command_that_lacks_an_extra_reports_it_and_hides_no_other() -> None:
    start = "import sys; sys.modules['icalendar'] = None; from policenotify.cli import main; main()"
    assert _process("--help", code=start).returncode == 0
    done = _process("campaign", "check", ".", "--json", code=start)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "MissingExtra"
    assert error["extra"] == "all"
    assert "pip install 'policenotify[all]'" in error["text"]


def test_a_command_whose_library_does_not_load_names_the_library(tmp_path: Path) -> None:
    (tmp_path / "icalendar.py").write_text("raise ImportError('libfoo.so: cannot open', name='icalendar.inner')")
    done = _process("campaign", "check", ".", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert b"icalendar.inner is not installed" in done.stderr
    assert b"pip install 'policenotify[all]'" in done.stderr


@pytest.mark.parametrize("lacking", ["click", "rich"])
def test_without_the_extra_it_reports_how_to_install_it(lacking: str) -> None:
    start = f"import sys; sys.modules[{lacking!r}] = None; from policenotify.cli import main; main()"
    done = _process("status", code=start)
    assert done.returncode == 2
    assert done.stderr.decode() == "policenotify's command line needs an extra: pip install 'policenotify[cli]'\n"


@pytest.mark.slow
def test_exit_codes_and_french_of_the_process_in_a_c_locale(desk: Desk) -> None:
    settings = str(desk.write_settings())
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "80"}
    done = _process("--settings", settings, "preview", *ACCIDENT, **plain)
    assert done.returncode == 0, done.stderr
    assert "Évitez le secteur." in done.stdout.decode()
    refused = _process("--settings", settings, "status", "Hérault", **plain)
    assert refused.returncode == 1
    assert "There is no incident, publication or key 'Hérault'." in refused.stderr.decode()


@pytest.mark.slow
def test_a_reader_that_goes_away_changes_no_exit_code(desk: Desk) -> None:
    gone, end = os.pipe()
    os.close(gone)
    start = "from policenotify.cli import main; main()"
    command = [sys.executable, "-c", start, "--settings", str(desk.write_settings()), "status"]
    done = subprocess.run(command, stdout=end, stderr=subprocess.PIPE, check=False, timeout=PATIENCE)  # noqa: S603 - our own
    os.close(end)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize(("closed", "args", "code", "shown"), [
    ("2", ("publish", *ACCIDENT, "--to", "presse", "--wait", "0"), 3, b"Publication: "),
    ("0 1 2", ("publish", "-"), 1, b""),

])  # fmt: skip
def test_a_closed_standard_stream_ends_no_command(
    desk: Desk, closed: str, args: tuple[str, ...], code: int, shown: bytes
) -> None:
    start = "import os, sys; os.execv(sys.executable, [sys.executable, '-c', sys.argv[1], *sys.argv[2:]])"
    main = "from policenotify.cli import main; main()"
    close = "".join(f"os.close({number}); " for number in closed.split())
    opening = start.replace("sys; ", f"sys; {close}")
    command = [sys.executable, "-c", opening, main, "--settings", str(desk.write_settings()), *args]
    done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE)  # noqa: S603 - our own
    assert (done.returncode, shown in done.stdout, b"Unexpected" in done.stderr) == (code, True, False), done


def test_an_error_after_which_it_may_have_been_published_says_so() -> None:
    late = JournalError("The journal could not be written: x.", published="unknown")
    told = error_report(late, may_have_published=True)
    assert (told.published, told.exit) == ("unknown", Exit.NO_JOURNAL)
    assert "Nothing was sent" not in str(told.page("publish"))
    early = JournalError("It cannot be opened. Nothing was sent.")
    assert error_report(early, may_have_published=True).published == "no"


@pytest.mark.parametrize(
    "command",
    [
        ("publish", "--category", "fire", "--headline", "Feu", "--wait", "nan"),
        ("drain", "--budget", "inf"),
        ("worker", "--grace", "1e308"),
        ("campaign", "run", "tips.toml", "--wait", "nan"),
    ],
)
def test_invalid_seconds_are_not_understood(run: Run, command: tuple[str, ...]) -> None:
    ran = run(*command)
    assert (ran.code, ran.out) == (2, "")
    assert "seconds" in ran.err or "in the range" in ran.err


def test_a_result_that_cannot_be_printed_is_not_taken_for_unpublished(desk: Desk) -> None:
    """Standard output is a full disk: standard error has the result, and the exit code is true."""
    args = ("publish", *ACCIDENT, "--to", "presse", "--json")
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", "from policenotify.cli import main; main()", *args],
            stdout=full, stderr=subprocess.PIPE, cwd=desk.folder, check=False, timeout=PATIENCE,
        )  # fmt: skip
        silent = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", "from policenotify.cli import main; main()", *args],
            stdout=full, stderr=full, cwd=desk.folder, check=False, timeout=PATIENCE,
        )  # fmt: skip
    assert ran.returncode == 3
    assert b"It may have been published" in ran.stderr
    assert b"Traceback" not in ran.stderr
    assert silent.returncode == 3  # standard error is on that disk, too


def test_a_command_changes_nothing_in_the_process_that_runs_it(run: Run, desk: Desk) -> None:
    def state() -> tuple[object, ...]:
        handlers = tuple(map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)))
        loggers = (*logging.getLogger().handlers, logging.getLogger("policenotify").level)
        return gc.get_threshold(), dict(os.environ), handlers, loggers, sys.stdout, sys.stdin, Path.cwd()

    before = state()
    assert run("publish", *ACCIDENT, "--log-level", "debug", "--log", "json").code == 0
    assert run("status", "nothing").code == 1
    assert state() == before
    assert len(desk.bluesky.posts) == 1
