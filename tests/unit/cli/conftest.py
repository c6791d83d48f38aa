"""An installation with a settings file, and its command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policenotify.cli import main
from policenotify.networks.registry import networks
from tests.support.installation import Desk, open_desk
from tests.support.outside_package import install
from tests.support.shell import Ran, Run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command line in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LOGNAME", "brigadier")

    def ran(*args: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(arg) for arg in args])
        said = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, said.out, said.err)

    return ran


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Both networks on the loopback, and the settings file of the working directory."""
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


@pytest.fixture
def pigeon_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the networks of a third-party package."""
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    networks.cache_clear()
    yield
    networks.cache_clear()
