"""The Containerfile builds, and the services of the compose file run in its image. No container engine is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from psycopg import connect
from psycopg.errors import InsufficientPrivilege

from tests.acceptance.outside import compose, image
from tests.acceptance.outside.compose import shell_blocks
from tests.acceptance.outside.environments import ROOT
from tests.acceptance.outside.environments import run as run_command
from tests.support.patience import PATIENCE
from tests.support.postgresql import Server, running
from tests.support.shell import ACCIDENT

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes namespaces"),
]
USER = 10_001
# Fewer packages than the file names, which are many: the steps are the same.
EXTRAS = "--extra cli --extra feed --extra metrics --extra postgres --extra web"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> image.Stage:
    """The image."""
    return image.build(compose.FOLDER / "Containerfile", ROOT, tmp_path_factory.mktemp("image"), {"EXTRAS": EXTRAS})


@pytest.fixture
def database() -> Iterator[Server]:
    """A server."""
    yield from running()


@pytest.fixture
def installation(tmp_path: Path, database: Server) -> Path:
    """A folder as the commands of the page make it, and on the server what the shipped SQL makes."""
    [prepare] = [block for block in shell_blocks() if "chown" in block]
    prepare = prepare.replace("/srv/policenotify", os.fspath(tmp_path / "service"))
    prepare = prepare.replace("@database/", f"@127.0.0.1:{database.port}/")
    program = Path(sys.executable).with_name("policenotify")
    engine = f'docker() {{ mkdir new && "{program}" init "$PWD/new"; }}\n'
    run_command(["bash", "-euc", f"umask 077\n{engine}{prepare}"], at=ROOT)
    folder = tmp_path / "service/container"
    for volume in ("feed", "durations"):
        (folder / volume).mkdir()
        os.chown(folder / volume, USER, USER)
    script = 'mkdir -p /run/secrets && mount --bind "$1" /run/secrets && exec "$2" "$3" -qv ON_ERROR_STOP=1 -f "$4"'
    words = [folder / "secrets", database.program("psql"), database.url("postgres"), folder / "database.sql"]
    run_command(["unshare", "--mount", "/bin/sh", "-c", script, "psql", *map(str, words)], at=folder)
    return folder


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(built: image.Stage, installation: Path) -> Run:
    """Run a service to its end, or a command in its place: the exit code, and all output."""

    def run_service(name: str, *command: str, **how: Any) -> tuple[int, str]:
        both = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = compose.start(name, *command, built=built, installation=installation, **both, **how)
        out, _ = process.communicate(timeout=120)
        return process.returncode, out

    return run_service


@contextmanager
def _running(name: str, built: image.Stage, installation: Path) -> Iterator[tuple[int, Callable[[], str]]]:
    """Run a service, and stop it as an engine does: by the signal to its process 1. It must end by itself, and well.

    Yields:
        The number of its process on this machine, and a function that returns its log.
    """
    log = installation / f"{name}.log"
    with log.open("w", encoding="utf-8") as out:
        process = compose.start(name, built=built, installation=installation, stdout=out, stderr=out)
        try:
            first = _first(process)
            yield first, lambda: log.read_text("utf-8")
            os.kill(first, signal.SIGTERM)
            assert process.wait(PATIENCE) == 0, log.read_text("utf-8")
        finally:
            process.kill()  # and with it all that runs there
            process.wait()


def _first(process: subprocess.Popen[str]) -> int:
    """Return the number on this machine of what is process 1 there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    _wait(children.read_text, lambda: "no process was started")
    return int(children.read_text())


def _wait(reached: Callable[[], object], log: Callable[[], str]) -> None:
    for _ in range(300):
        if reached():
            return
        time.sleep(0.1)
    raise AssertionError(log())


def _get(address: str) -> bytes:
    try:
        with urlopen(address, timeout=5) as answer:  # noqa: S310 - the loopback
            content: bytes = answer.read()
            return content
    except URLError:
        return b""


def test_the_image_holds_what_runs_and_no_tools_of_the_build(built: image.Stage) -> None:
    ours = built.files / "opt/policenotify"
    assert (ours / "bin/policenotify").exists()
    names = {path.name for path in built.files.rglob("*")}
    assert names & {"uv", "uvx", "pip", "ensurepip", "source"} == set()
    inside = ours / "share/policenotify/container"
    shipped = {path.relative_to(compose.FOLDER) for path in compose.FOLDER.rglob("*") if path.suffix != ".pyc"}
    assert {path.relative_to(inside) for path in inside.rglob("*")} == shipped
    assert f"policenotify:x:{USER}:{USER}:" in (built.files / "etc/passwd").read_text("utf-8")


def test_the_services_publish_deliver_and_stop(built: image.Stage, installation: Path, run: Run) -> None:
    assert run("worker", "--version") == (0, f"policenotify {version('policenotify')}\n")
    code, out = run("worker", "status")
    assert (code, "policenotify migrate" in out) == (6, True), out
    health = compose.health("worker")
    assert run("worker", *health, entrypoint=()) == (1, out)
    code, out = run("migrate")
    assert code == 0, out
    with _running("worker", built, installation) as (first, log):
        _wait(lambda: "Envoi sur site." in log(), log)
        status = dict(line.split(":\t") for line in Path(f"/proc/{first}/status").read_text().splitlines())
        assert status["NSpid"].split()[-1] == "1"
        assert status["Uid"].split() == [str(USER)] * 4
        assert {int(status[name], 16) for name in status if name.startswith("Cap")} == {0}
        assert status["NoNewPrivs"] == "1"
        code, out = run("worker", "publish", *ACCIDENT, "--actor", "desk", "--wait", "0")
        assert "No worker" not in out, (code, out)
        _wait(lambda: '"posted"' in log(), log)  # by the worker
        assert run("worker", *health, entrypoint=()) == (0, "")
        with (
            _running("feed", built, installation) as (_, pages),
            _running("monitor", built, installation) as (_, answers),
        ):
            _wait(lambda: "Évitez le secteur." in _get("http://127.0.0.1:8080/feed.json").decode(), pages)
            _wait(lambda: b"policenotify_worker_seen" in _get("http://127.0.0.1:9464/metrics"), answers)
            for name in ("feed", "monitor"):
                assert run(name, *compose.health(name), entrypoint=()) == (0, ""), name
        url = (installation / "secrets/journal-url").read_text().strip()
        with connect(url) as application, pytest.raises(InsufficientPrivilege):  # it is not the owner
            application.execute("DELETE FROM pn_event")
        records = [json.loads(line)["event"] for line in log().splitlines() if line.startswith("{")]
        assert records == ["worker_started", "posted"]
    assert run("feed", *compose.health("feed"), entrypoint=())[0] == 1
