"""`demo`: an evening of a police desk, through the real SDKs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from policenotify.cli.commands import demo
from policenotify.cli.report.networks import look_of
from policenotify.testing.dev import FAKE_NETWORKS, PHONES, READERS
from tests.support.shell import Run

pytestmark = pytest.mark.slow

LENGTHS = [1, 3, 3, 2]
"""How many posts each story has, in the order of the days."""


def test_the_demo_prints_one_incident_on_one_network_in_thirty_lines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    ran = run("demo")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines[:-1])) <= 80
    assert lines[0].startswith("X · Accident · Ouverture 17:42 ─")
    posts = [lines.index(next(line for line in lines if line.startswith(sign))) for sign in "🚨🔄✅"]
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
    assert document.keys() == {receipt["channel"] for receipt in receipts}
    assert [[len(texts) for texts in stories] for stories in document.values()] == [LENGTHS] * len(document)
    assert ran.err == f"The page: {Path('page.html').resolve()}\n"
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


def test_a_demo_that_fails_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAKE_NETWORKS, "mail", replace(FAKE_NETWORKS["mail"], people=("not an address",)))
    monkeypatch.setattr(demo, "STORY", ("scam/info",))
    ran = run("demo", "--json", "--html", "page.html")
    assert ran.code == 3
    receipts = {one["channel"]: one["outcome"] for one in ran.document["publications"][0]["receipts"]}
    assert receipts["mail"] == "refused"
    assert "A person needs to act; see below." in Path("page.html").read_text(encoding="utf-8")
    printed = run("demo")
    assert printed.code == 3
    assert "✘ mail: refused: " in printed.words
    assert "A person needs to act" in printed.words


def test_a_demo_without_a_library_names_its_own_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tweepy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tweepy", None)
    ran = run("demo")
    assert ran.code == 1
    assert ran.err == "The command 'demo' needs an extra. Install it: pip install 'policenotify[demo]'\n"
