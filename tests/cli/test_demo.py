"""`demo`: an evening of a police desk, through the real SDKs."""

from __future__ import annotations

import pytest
from cli.shell import Run

from policenotify.cli import demo

pytestmark = pytest.mark.slow


def test_the_demo_shows_each_post_as_its_readers_see_it_with_receipts_and_threads(run: Run) -> None:
    ran = run("demo")
    assert ran.code == 0
    assert "[#Accident] #Montpellier – Accident de la circulation en cours" in ran.words
    assert "TERMINÉ – [Accident] Montpellier, avenue de Toulouse" in ran.words
    assert "démineurs" in ran.words
    assert "Feu de végétation" in ran.words
    assert "Faux conseiller bancaire" in ran.words
    assert ran.out.count("✔ bluesky: posted https://bsky.app/profile/") == len(demo.STORY) == 9
    assert ran.out.count("✔ mail: posted (2 posted)") == 9
    assert "Threads on Bluesky" in ran.out
    assert "│   └── ✅ [#Accident – TERMINÉ]" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_the_demo_as_one_document(run: Run) -> None:
    document = run("demo", "--json").document
    assert [len(thread) for thread in document["bluesky"]] == [1, 3, 3, 2]
    assert [len(thread) for thread in document["mail"]] == [1, 3, 3, 2]
    outcomes = {receipt["outcome"] for one in document["publications"] for receipt in one["receipts"]}
    assert outcomes == {"posted"}


def test_a_demo_that_fails_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "READERS", ("not an address",))
    monkeypatch.setattr(demo, "STORY", ("scam/info",))
    ran = run("demo", "--json")
    assert ran.code == 3
    assert ran.document["publications"][0]["receipts"][1]["outcome"] == "refused"
