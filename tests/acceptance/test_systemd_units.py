"""The shipped units of systemd: they load without a complaint, and are as closed as they claim."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "docs" / "operations" / "share" / "policenotify" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
EXPOSURE = 30  # tenths: 3.0 of 10
PROGRAM = "opt/policenotify/bin/policenotify"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a machine on which the units and the program are installed, and nothing else."""
    shutil.copytree(UNITS, tmp_path / "etc" / "systemd" / "system")
    (tmp_path / PROGRAM).parent.mkdir(parents=True)
    (tmp_path / PROGRAM).touch(mode=0o755)
    return tmp_path


def _analyze(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd-analyze about the units of *machine*. No systemd needs to run."""
    command = ["systemd-analyze", *arguments[:1], f"--root={machine}", *arguments[1:]]
    environment = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)  # noqa: S603 - our own files


@pytest.mark.systemd
@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.iterdir() if path.is_file()))
def test_each_unit_loads_without_a_complaint(machine: Path, unit: str) -> None:
    # The targets of a whole system are not there, and not asked about.
    done = _analyze(machine, "verify", "--man=no", "--recursive-errors=no", unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_each_service_is_hardened(machine: Path, unit: str) -> None:
    done = _analyze(machine, "security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.systemd
def test_a_service_without_the_drop_in_is_not(machine: Path) -> None:
    shutil.rmtree(machine / "etc" / "systemd" / "system" / "policenotify-.service.d")
    assert _analyze(machine, "security", "--offline=true", f"--threshold={EXPOSURE}", SERVICES[0]).returncode != 0


def test_the_pages_show_the_files_themselves() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "howto").glob("*.md")]
    included = re.compile(r"^<!-- include: (docs/operations/\S+) -->$", re.MULTILINE)
    shown = {ROOT / name for page in pages for name in included.findall(page)}
    dashboards = {path for path in UNITS.parent.rglob("*.json") if any(path.name in page for page in pages)}
    assert shown | dashboards == {path for path in UNITS.parent.rglob("*") if path.is_file()}
    assert [page for page in pages if "ExecStart=" in page] == []
