"""`demo`: an evening of a police desk, through the real SDKs."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, process_time

import pytest

from policenotify.cli.commands import demo
from policenotify.cli.report.networks import look_of
from tests.support.shell import Run

pytestmark = pytest.mark.slow

LENGTHS = [1, 3, 3, 2]
"""How many posts each story has, in the order of the days."""


def test_the_demo_shows_each_post_as_its_readers_see_it_with_receipts_and_threads(run: Run) -> None:
    ran = run("demo")
    assert ran.code == 0
    assert "[#Accident – EN COURS] #Montpellier – Accident de la circulation" in ran.words
    assert "[Accident – FIN] Montpellier, avenue de Toulouse" in ran.words
    assert "démineurs" in ran.words
    assert "Feu de végétation" in ran.words
    assert "Faux conseiller bancaire" in ran.words
    assert ran.out.count("✔ bluesky: posted https://bsky.app/profile/") == len(demo.STORY) == 9
    assert ran.out.count("✔ mail: posted (2 posted)") == 9
    assert "Threads on Bluesky" in ran.out
    assert "Threads on E-mail" in ran.out
    assert "│   └── ✅ [#Accident – FIN]" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_the_demo_as_one_document(run: Run) -> None:
    document = run("demo", "--json").document
    outcomes = {receipt["outcome"] for one in document["publications"] for receipt in one["receipts"]}
    assert outcomes == {"posted"}
    channels = {receipt["channel"] for one in document["publications"] for receipt in one["receipts"]}
    assert channels == document.keys() - {"publications"}
    for channel in ("x", "mastodon", "bluesky", "mail"):
        assert [len(thread) for thread in document[channel]] == LENGTHS
    assert [len(thread) for thread in document["sms"]] == [1] * 9  # an SMS answers nothing


def test_the_demo_as_a_page(run: Run) -> None:
    begun = process_time()
    ran = run("demo", "--html", "page.html", "--json")
    assert process_time() - begun <= 15  # seconds: what a person waits for, where nothing else runs
    assert ran.code == 0
    assert ran.document["publications"]
    assert ran.err == f"\nThe page: {Path('page.html').resolve()}\n"
    text = Path("page.html").read_text(encoding="utf-8")
    assert "Everything is right: there is nothing to do." in text
    for section in range(1, 5):
        assert text.count(f'id="s{section}-h"') == 1
    with demo.open_desk() as on:
        for network in on.networks:
            look = look_of(network.channel.network)
            assert text.count(f'class="device {look.form} net-{look.network} ') == 4
    for reader in (*demo.READERS, *demo.PHONES):
        assert reader not in text
    assert "127.0.0.1" not in text
    assert text.count("In reply to 17:42") == 4  # on three timelines and in a mailbox


def test_an_impossible_page_is_reported_before_anything_runs(run: Run) -> None:
    begun = monotonic()
    ran = run("demo", "--html", "nowhere/page.html")
    assert ran.code == 2
    assert "cannot be written (No such file or directory). Nothing was done." in ran.err
    assert ran.out == ""
    assert monotonic() - begun < 2


def test_a_demo_that_fails_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "READERS", ("not an address",))
    monkeypatch.setattr(demo, "STORY", ("scam/info",))
    ran = run("demo", "--json", "--html", "page.html")
    assert ran.code == 3
    receipts = {one["channel"]: one["outcome"] for one in ran.document["publications"][0]["receipts"]}
    assert receipts["mail"] == "refused"
    assert "A person needs to act; see below." in Path("page.html").read_text(encoding="utf-8")
