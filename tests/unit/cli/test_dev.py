"""`dev`: fake networks to develop against, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from policenotify.testing.dev import FAKE_NETWORKS
from tests.support.patience import PATIENCE
from tests.support.shell import ACCIDENT, Run

pytestmark = pytest.mark.slow

_PROGRAM = "from policenotify.cli import main; main()"


@contextmanager
def running(*options: str, language: str = "C.UTF-8") -> Iterator[tuple[Callable[[], str], str]]:
    """Yield what interrupts the command and returns its output, and what it has told on standard error."""
    command = [sys.executable, "-c", _PROGRAM, "dev", "--port-base", "0", *options]
    environment = {**os.environ, "LC_ALL": language}
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, text=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    told = ""

    def interrupt() -> str:
        assert process.stdout
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
        assert process.wait(PATIENCE) == 0
        return printed

    try:
        while "http://127.0.0.1:" not in told:
            line = process.stderr.readline()
            assert line, told
            told += line
        yield interrupt, told
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()


def page_of(told: str) -> str:
    return told[told.index("http://127.0.0.1:") :].split(maxsplit=1)[0]


def test_an_application_develops_on_its_networks_until_it_is_interrupted(run: Run, tmp_path: Path) -> None:
    with running("--init", str(tmp_path / "desk")) as (interrupt, told):
        assert f"The installation: {tmp_path / 'desk' / 'policenotify.toml'}" in told
        with httpx.Client(base_url=page_of(told), trust_env=False) as browser:
            browser.post("", data={"webhook": "refusing"}, headers={"Origin": page_of(told).rstrip("/")})
            written = tmp_path / "desk" / "policenotify.toml"
            ran = run("publish", *ACCIDENT, "--settings", written, "--wait", "60", "--json")
            assert ran.code == 3, ran.err
            page = browser.get("").text
            assert page.count("<article") == len(FAKE_NETWORKS) - 1
            assert page.count("</section>") == len(FAKE_NETWORKS) + 1
        printed = interrupt()
    settings = tomllib.loads(printed)
    assert list(settings["channels"]) == list(FAKE_NETWORKS)
    assert printed.strip() == written.read_text(encoding="utf-8").strip()


def test_a_port_in_use_starts_nothing(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run("dev", "--port-base", str(taken.getsockname()[1] - 1))
    assert ran.code == 2
    assert "cannot be used (Address already in use). Nothing was started." in " ".join(ran.err.split())
