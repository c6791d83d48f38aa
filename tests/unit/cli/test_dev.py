"""`demo` and `dev`: fake networks to look at, and to develop against."""

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

from policenotify.cli.commands import demo
from policenotify.cli.report.cards import look_of
from policenotify.testing.dev import FAKE_NETWORKS, PHONES, READERS
from tests.support.patience import PATIENCE
from tests.support.shell import ACCIDENT, Run

pytestmark = pytest.mark.slow


def test_the_demo_prints_one_incident_on_one_network_in_thirty_lines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    ran = run("demo")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines[:-1])) <= 80
    assert lines[0] == "X · Accident · Ouverture · 17:42"
    posts = [lines.index(next(line for line in lines if line.startswith(f"    {sign}"))) for sign in "🚨🔄✅"]
    assert posts == sorted(posts)
    assert sum("✔ 5 " in line for line in lines) == 3
    assert lines[-1].endswith(str(Path(demo.PAGE).resolve()))
    assert "démineurs" not in ran.words
    assert "démineurs" in Path(demo.PAGE).read_text(encoding="utf-8")


def test_the_demo_as_a_page_and_a_document(run: Run) -> None:
    ran = run("demo", "--html", "page.html", "--json")
    assert ran.code == 0
    document = ran.document
    receipts = [receipt for one in document.pop("publications") for receipt in one["receipts"]]
    assert {receipt["outcome"] for receipt in receipts} == {"posted"}
    assert document == {"page": str(Path("page.html").resolve())}
    text = Path("page.html").read_text(encoding="utf-8")
    assert "Everything is right: there is nothing to do." in text
    for section in range(1, 5):
        assert text.count(f'id="s{section}-h"') == 1
    with demo.open_desk() as on:
        for network in on.networks:
            look = look_of(network.config.network)
            assert text.count(f'class="device {look.form} net-{look.network}"') == 4
    for reader in (*READERS, *PHONES):
        assert reader not in text
    assert "127.0.0.1" not in text
    assert text.count("In reply to 17:42") == 4  # on three timelines and in a mailbox


def test_a_demo_without_a_library_names_its_own_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tweepy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tweepy", None)
    ran = run("demo")
    assert ran.code == 1
    assert ran.err == "The command 'demo' needs an extra. Install it: pip install 'policenotify[demo]'\n"


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
