"""The price of one command in processor time, beside that of the libraries without which none can run.

`pytest -m benchmark -s tests/benchmarks/test_commands.py`
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

import pytest

from policenotify.journal import open_journal
from tests.support.figures import report
from tests.support.five_networks import ADDRESSES, NETWORKS, NUMBERS, Five, open_five
from tests.support.shell import ACCIDENT

pytestmark = pytest.mark.benchmark

RUNS = 3  # of which the least counts: other processes only add to it
_MAIN = "from policenotify.cli import main; main()"
_PEER = "import gc, click, rich.console, pydantic.main, sqlalchemy.dialects.sqlite; gc.freeze()"
_SDKS = ("tweepy", "atproto", "apprise", "requests", "httpx", "mastodon")
_TRACED = f"""
import atexit, sys
atexit.register(lambda: print("loaded:", *sorted(set(sys.modules) & set({_SDKS!r})), file=sys.stderr))
{_MAIN}
"""


def _write_settings(five: Five) -> None:
    people: Mapping[str, tuple[str, ...]] = {"email": ADDRESSES, "sms": NUMBERS}
    lines = ['schema_version = 1\nsender = "Police nationale"\nzone = "Europe/Paris"\nlanguage = "fr"']
    lines.append('journal = "journal.db"\nkeys = "keys"')
    for name in NETWORKS:
        lines += [f"[channels.{name}]", f'network = "{name}"']
        lines += [f"{option} = {json.dumps(value)}" for option, value in five.options(name).items()]
        if name in people:
            (five.folder / f"{name}.txt").write_text("\n".join(people[name]), encoding="utf-8")
            lines.append(f'recipients = {{ file = "{name}.txt" }}')
    settings = five.folder / "policenotify.toml"
    settings.write_text("\n".join(lines), encoding="utf-8")
    settings.chmod(0o600)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Five]:
    """An installation in French with five channels, two of them with lists."""
    with open_five(tmp_path_factory.mktemp("desk")) as opened:
        opened.keys.save(opened.folder / "keys")
        open_journal(str(opened.folder / "journal.db"), keys=opened.keys, create=True).close()
        _write_settings(opened)
        yield opened


def _run(folder: Path, code: str, *arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Return the processor time of a process, and what it printed."""
    # Bytecode is kept, as in an installation.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def _least(folder: Path, command: Callable[[], Sequence[str]], runs: int = RUNS) -> tuple[float, float]:
    """Return the least processor time of a command, and that of its libraries, run in turn."""
    costs = []
    for _ in range(runs + 1):  # the first writes the bytecode
        cost, done = _run(folder, _MAIN, *command())
        assert done.returncode == 0, done.stderr
        costs.append((cost, _run(folder, _PEER)[0]))
    least, peer = map(min, zip(*costs[1:], strict=True))
    return least, peer


_numbers = count(100)


def _publish() -> tuple[str, ...]:
    """Return the command that publishes one more tip."""
    tip = (
        "--category",
        "scam_cyber",
        "--headline",
        f"Faux conseiller {next(_numbers)}",
        "--instruction",
        "Raccrochez.",
    )
    return ("publish", *tip)


@pytest.mark.parametrize(
    ("command", "limit"),
    [(("--help",), 0.6), (("incidents",), 4), (("status",), 5), (("preview", *ACCIDENT), 6)],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_look_costs_little_more_than_its_libraries(five: Five, command: tuple[str, ...], limit: float) -> None:
    cost, peer = _least(five.folder, lambda: command)
    report(f"policenotify {command[0]}", cost / peer, f"{cost:.2f} s", f"{peer:.2f} s, its libraries imported")
    assert cost <= limit * peer


def test_alone_it_loads_only_the_libraries_of_the_channels_meant(five: Five) -> None:
    shown = _run(five.folder, _TRACED, *_publish(), "--to", "bluesky")[1]
    assert shown.returncode == 0
    loaded = shown.stderr.split()
    assert "atproto" in loaded
    assert not {"tweepy", "apprise", "mastodon"} & {*loaded}
