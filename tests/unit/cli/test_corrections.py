"""`correct` and `cancel`, on fake servers."""

from __future__ import annotations

import pytest

from tests.support.installation import ADDRESSES, Desk
from tests.support.shell import ACCIDENT, Run

TIP = (
    "publish", "--category", "scam_cyber", "--headline", "Faux conseiller bancaire", "--instruction", "Raccrochez.",
    "--key", "campaign",
)  # fmt: skip


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
    run(*TIP[:-1], "2026-4711")
    ran = run("correct", "2026-4711", "x")
    assert ran.code == 1
    assert "'2026-4711' is an incident, and also the key of publication" in ran.err


@pytest.mark.usefixtures("desk")
def test_a_name_of_nothing_is_met_with_the_nearest(run: Run) -> None:
    run("publish", *ACCIDENT)
    ran = run("correct", "2026-4712", "x")
    assert ran.code == 1
    assert "There is no incident, publication or key '2026-4712'. Did you mean '2026-4711'? Open now: " in ran.err
