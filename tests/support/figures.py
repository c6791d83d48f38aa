"""Figures of the tests that measure: printed, or written into `docs/explanation/performance.md`."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.support.golden import WRITES

README: Final = Path(__file__).parents[2] / "README.md"
PAGE: Final = README.parent / "docs" / "explanation" / "performance.md"
_MEASURED: Final = "Measured on "
_REPEATED: Final = "Repeated on "
"""How the lines begin that name the machine, of the figures and of the faults."""


def report(what: str, ratio: float, ours: str, theirs: str) -> None:
    """Print how many times as long we take as something else takes, or write it into the row of the page.

    Args:
        what: The first cell of the row. What stands behind the figures, where the time goes, is written by hand.
        ratio: Our time divided by that of the other.
        ours: Our figure, with its unit.
        theirs: The figure of the other, with its unit and its name.
    """
    _write(_MEASURED, what, f"{ratio:.2f}", ours, theirs)


def survived(fault: str, times: int, counted: Mapping[str, int], wrong: int = 0) -> None:
    """Print what was left of so many faults, or write it into the row of the page.

    Args:
        fault: The first cell of the row.
        times: How often it happened.
        counted: What was counted, by names that end in `held` for what is in doubt, in `again` for what came twice
            as the guarantees allow, and in `late` for what was sent after it had been taken back.
        wrong: How much was lost, doubled, out of order, or otherwise than its receipt.
    """
    print(", ".join(f"{name} {count}" for name, count in sorted(counted.items())))  # noqa: T201 - figures are printed
    sums = Counter[str]()
    for name, count in counted.items():
        sums[name.split()[-1]] += count
    _write(_REPEATED, fault, *(f"{count:,}" for count in (times, wrong, sums["held"], sums["again"], sums["late"])))


def _write(dated: str, name: str, *cells: str) -> None:
    print(f"\n{' | '.join((name, *cells))}")  # noqa: T201 - figures are printed
    assert PAGE.read_text(encoding="utf-8").count(f"\n| {name} |") == 1, f"{PAGE.name} needs one row of: {name}"
    if WRITES:
        for page in (PAGE, README):
            lines = page.read_text(encoding="utf-8").splitlines()
            written = [_row(line, cells) if line.startswith(f"| {name} |") else _dated(dated, line) for line in lines]
            page.write_text("\n".join(written) + "\n", encoding="utf-8")


def _row(line: str, cells: tuple[str, ...]) -> str:
    """Return a row with new figures. What stands behind them is written by hand."""
    _, name, *others, _ = (cell.strip() for cell in line.split("|"))
    return f"| {' | '.join((name, *cells, *others[len(cells) :]))} |"


def _dated(dated: str, line: str) -> str:
    if not line.startswith(dated):
        return line
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S607 - git, by the path
    day, load = f"{datetime.now(UTC):%Y-%m-%d}", os.getloadavg()[0]
    python = f"CPython {platform.python_version()}"
    return f"{dated}{day}, {os.cpu_count()} cores, load {load:.1f}, {python}, commit `{commit.stdout.strip()}`."
