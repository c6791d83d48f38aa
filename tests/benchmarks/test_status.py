"""The cost of one look at a journal with a backlog: `pytest -m benchmark -s`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.benchmarks.soak import Options, soaking
from tests.support.five_networks import ADDRESSES, NUMBERS

pytestmark = pytest.mark.benchmark

_LIMIT = 0.7  # seconds
_LINES, _BYTES = 60, 60_000
_MAIN = "from policenotify.cli import main; main()"
_TIMED = """
import contextlib, io, json, sys, time
import policenotify.cli.app, policenotify.cli.commands.status
from policenotify import open_publisher
from policenotify.cli import main
from policenotify.journal import open_journal
import policenotify.journal.journal, sqlalchemy.dialects.sqlite   # what a command imports on its way
out, begun, used = io.StringIO(), time.perf_counter(), time.process_time()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main()
took = time.perf_counter() - begun, time.process_time() - used
print(json.dumps([*took, out.getvalue()]))
"""


def _write_settings(folder: Path, options: Options) -> Path:
    people = {"email": ADDRESSES, "sms": NUMBERS}
    lines = ['schema_version = 1\nsender = "Police nationale"\nzone = "Europe/Paris"']
    lines.append('journal = "journal.db"\nkeys = "keys"')
    for name, given in options.items():
        values: Mapping[str, object] = {"network": name, **given}
        lines.append(f"[channels.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        if name in people:
            (folder / f"{name}.txt").write_text("\n".join(people[name]), encoding="utf-8")
            lines.append(f'recipients = {{ file = "{name}.txt" }}')
    settings = folder / "policenotify.toml"
    settings.write_text("\n".join(lines), encoding="utf-8")
    return settings


def _status(settings: Path, *more: str) -> tuple[float, float, float, str]:
    """Return the seconds in the command, its processor time, the seconds of the whole process, and what was printed."""
    arguments = ["--settings", str(settings), "status", *more]
    begun = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", _MAIN, *arguments], check=False, capture_output=True
    )
    whole = time.perf_counter() - begun
    ran = subprocess.run(  # noqa: S603 - the same
        [sys.executable, "-c", _TIMED, *arguments], check=True, capture_output=True, text=True
    )
    seconds, used, out = json.loads(ran.stdout)
    return seconds, used, whole, out


def test_a_glance_is_quick_and_short_however_much_waits(tmp_path: Path) -> None:
    with soaking(tmp_path) as soak:
        settings, waiting = _write_settings(tmp_path, soak.options), soak.left()
        costs = {more: min(_status(settings, *more.split()) for _ in range(3)) for more in ("", "--json")}
        everything = _status(settings, "--all", "--json")
    print(f"\n{waiting:,} deliveries wait:")
    for more, (seconds, used, whole, out) in {**costs, "--all --json": everything}.items():
        print(
            f"status {more}: {seconds:.2f} s in the command ({used:.2f} s of the processor), "
            f"{whole:.2f} s in all, {out.count(chr(10)):,} lines, {len(out.encode()):,} bytes"
        )
    for _, used, _, out in costs.values():
        assert used <= _LIMIT
        assert len(out.encode()) <= _BYTES
    assert costs[""][3].count("\n") <= _LINES
