"""`correct` and `cancel`, and what a repeated command means: a second Enter, or news in the same words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from policenotify.cli import keys
from policenotify.journal.clock import SystemClock
from tests.support.installation import ADDRESSES, INCIDENT, Desk
from tests.support.shell import ACCIDENT, Run


def test_an_incident_means_its_last_publication(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--key", "opening")
    last = run("update", "2026-4711", "Deux voies rouvertes", "--json").document["publication"]
    ran = run("correct", "2026-4711", "Une voie rouverte", "--instruction", "Évitez le secteur.")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Published.\n")
    assert f"Refers to: {last['id']} · " in ran.out
    assert "update of 2026-4711 · Deux voies rouvertes" in ran.out
    [*_, correction] = desk.bluesky.posts
    assert "RECTIFICATIF" in correction.text
    assert [len(thread) for thread in desk.mail.threads(ADDRESSES[0])] == [3]
    shown = run("status", "2026-4711", "--json").document["publications"]
    assert [one["stage"] for one in shown] == ["opening", "update", "correction"]


def test_another_publication_of_an_incident_is_named_by_its_id_or_key(run: Run, desk: Desk) -> None:
    opened = run("publish", *ACCIDENT, "--key", "opening", "--json").document["publication"]
    run("update", "2026-4711", "Une voie rouverte")
    for name, street in (("opening", "avenue de Lodève"), (opened["id"], "rue Foch")):
        said = ("--street", street, "--instruction", "Évitez le secteur.", "--json")
        document = run("correct", name, "Accident de la circulation", *said).document
        assert document["publication"]["message"]["lifecycle"] == {
            "stage": "correction", "incident": "2026-4711", "corrects": opened["id"],
        }  # fmt: skip
    assert len(desk.bluesky.posts) == 4


def test_a_cancellation_takes_a_whole_incident_back_and_is_final(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--key", "opening")
    by_key = run("cancel", "opening", "Fausse alerte")
    assert (by_key.code, by_key.out) == (1, "")
    assert 'policenotify cancel 2026-4711 "…"; only this: policenotify correct opening' in by_key.err
    assert "othing was sent" in by_key.err
    ran = run("cancel", "2026-4711", "Fausse alerte", "--description", "Il n'y a pas eu d'accident.", "--json")
    assert ran.code == 0
    assert ran.document["publication"]["stage"] == "cancellation"
    assert run("cancel", "2026-4711", "Fausse alerte", "--description", "Il n'y a pas eu d'accident.").code == 0
    after = run("update", "2026-4711", "Une voie rouverte")
    assert after.code == 1
    assert "was cancelled, which is final" in after.err
    assert run("incidents").out == "No incident is open.\n"
    assert len(desk.bluesky.posts) == 2


@pytest.mark.usefixtures("desk")
def test_an_ambiguous_name_is_queried(run: Run) -> None:
    run("publish", *ACCIDENT)
    run(*TIP, "--key", "2026-4711")
    ran = run("correct", "2026-4711", "x")
    assert ran.code == 1
    assert "'2026-4711' is an incident, and also the key of publication" in ran.err


@pytest.mark.usefixtures("desk")
def test_a_name_of_nothing_is_met_with_the_nearest(run: Run) -> None:
    run("publish", *ACCIDENT)
    ran = run("correct", "2026-4712", "x")
    assert ran.code == 1
    assert "There is no incident, publication or key '2026-4712'. Did you mean '2026-4711'? Open now: " in ran.err


UPDATE = ("update", INCIDENT, "Situation inchangée", "--instruction", "Évitez le secteur.", "--next-update", "+30m")
END = ("end", INCIDENT, "Fin d'intervention", "--description", "Circulation rétablie.")
TIP = ("publish", "--category", "scam_cyber", "--headline", "Faux conseiller", "--instruction", "Raccrochez.")
WHY = "Un nom était de trop."


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command comes when nothing counts as typed twice any more."""
    monkeypatch.setattr(keys, "_TYPED_TWICE", timedelta(0))


def repeated(run: Run, *command: str) -> bool:
    ran = run(*command, "--json")
    assert ran.code == 0, ran.err
    again: bool = ran.document["repeated"]
    return again


@pytest.mark.parametrize("command", [("publish", *ACCIDENT), UPDATE, END, TIP])
def test_a_second_enter_publishes_nothing_twice(run: Run, desk: Desk, command: tuple[str, ...]) -> None:
    if command[0] in {"update", "end"}:
        run("publish", *ACCIDENT)
    before = len(desk.bluesky.posts)
    assert [repeated(run, *command) for _ in range(3)] == [False, True, True]
    assert len(desk.bluesky.posts) == before + 1


@pytest.mark.usefixtures("later")
def test_later_the_same_words_are_news(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT)
    assert [repeated(run, *UPDATE) for _ in range(3)] == [False, False, False]
    assert [repeated(run, *TIP) for _ in range(2)] == [False, False]
    assert len(desk.bluesky.posts) == 6


@pytest.mark.usefixtures("desk", "later")
def test_an_incident_opens_once_and_ends_once_however_late_the_command_is_repeated(run: Run) -> None:
    assert [repeated(run, "publish", *ACCIDENT) for _ in range(2)] == [False, True]
    assert [repeated(run, *END) for _ in range(2)] == [False, True]
    reopened = ("correct", INCIDENT, "La rue reste fermée", "--reopen", "--instruction", "Évitez le secteur.")
    assert run(*reopened, "--next-update", "+1h").code == 0
    assert [repeated(run, *END) for _ in range(2)] == [False, True]


@pytest.mark.usefixtures("later")
def test_what_is_on_no_channel_yet_is_not_published_twice(run: Run, desk: Desk) -> None:
    assert run(*TIP, "--wait", "0").code == 3
    again = run(*TIP, "--wait", "0", "--json")
    assert (again.code, again.document["repeated"], desk.bluesky.posts) == (3, True, ())


def test_the_update_that_was_promised_is_news_once_it_is_due(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("publish", *ACCIDENT)
    assert [repeated(run, *UPDATE[:-1], "+2m") for _ in range(2)] == [False, True]
    before = len(desk.bluesky.posts)
    monkeypatch.setattr(SystemClock, "now", lambda _clock: datetime.now(UTC) + timedelta(minutes=3))
    assert not repeated(run, *UPDATE[:-1], "+2m")
    assert len(desk.bluesky.posts) == before + 1


@pytest.mark.parametrize("how", ["withdraw", "cancel"])
def test_after_it_was_taken_back_the_same_text_is_published_again(run: Run, desk: Desk, how: str) -> None:
    first = run(*TIP, "--to", "bluesky", "--json").document["publication"]["id"]
    taken = ("withdraw", first, "--reason", WHY, "--yes") if how == "withdraw" else ("cancel", first, "Erreur")
    assert run(*taken).code == 0
    before = len(desk.bluesky.posts)
    assert [repeated(run, *TIP, "--to", "bluesky") for _ in range(2)] == [False, True]
    assert len(desk.bluesky.posts) == before + 1


def test_a_second_enter_is_one_although_its_time_means_another_moment_by_now(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("publish", *ACCIDENT, "--json").document["publication"]["id"]
    monkeypatch.setattr(SystemClock, "now", lambda _clock: datetime.now(UTC) + timedelta(minutes=2))
    again = run("publish", *ACCIDENT, "--actor", "stagiaire")
    assert again.code == 0
    assert "by brigadier: nothing was published a second time" in again.words
    assert first in again.out
    assert len(desk.bluesky.posts) == 1
