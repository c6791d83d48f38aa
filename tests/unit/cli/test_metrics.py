"""`metrics`: for Prometheus, OpenMetrics, node_exporter and scripts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.shell import Run

pytestmark = pytest.mark.usefixtures("desk")


def test_a_file_for_node_exporter_is_replaced_as_a_whole(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "exporter" / "policenotify.prom"
    file.parent.mkdir()
    file.write_text("old")
    before = file.stat().st_ino
    ran = run("metrics", "--textfile", file)
    assert (ran.code, ran.out) == (0, "")
    assert "policenotify_stopped 0.0" in file.read_text()
    assert file.stat().st_ino != before
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--textfile", "metrics.txt"), ".prom"),
        (("--textfile", "a.prom", "--openmetrics"), "text format only"),
    ],
)
def test_what_node_exporter_would_pass_over_is_refused(run: Run, arguments: tuple[str, ...], word: str) -> None:
    ran = run("metrics", *arguments)
    assert ran.code == 2
    assert word in ran.err + ran.out


def test_without_a_journal_there_is_nothing_to_measure(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "policenotify.prom"
    assert run("metrics", "--textfile", file).code == 0
    (tmp_path / "journal.db").unlink()
    assert run("metrics").code == 6
    assert file.exists()
    assert run("metrics", "--textfile", file).code == 6
    assert not file.exists()  # its values would seem to be those of now
