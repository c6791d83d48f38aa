"""`publish --draft` and `--submit`, findings, `approve`, `return`, `drafts`, `withdraw`, `journal erase`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from tests.support.installation import INCIDENT, Desk
from tests.support.shell import ACCIDENT, Run

RULE = '\n[[approval]]\ncategories = ["witness_appeal"]\nat_least = "Severe"\n'
APPEAL = (
    "--category", "witness_appeal", "--standalone", "--headline", "Appel à témoins", "--description", "Hier à 18h30.",
    "--instruction", "Appelez le 17.", "--commune", "34172", "--basis", "prosecutor",
)  # fmt: skip
WHY = "La vie d'un enfant est en jeu."


@pytest.fixture(autouse=True)
def _rule(desk: Desk) -> None:
    desk.add_settings(RULE)


def by(actor: str) -> tuple[str, ...]:
    return "--actor", actor


def test_a_message_is_submitted_and_approved(run: Run, desk: Desk) -> None:
    refused = run("publish", *APPEAL, *by("claire"))
    assert (refused.code, "PN601" in refused.err, "--submit" in refused.err) == (1, True, True)
    waits = run("publish", *APPEAL, *by("claire"), "--submit", "--json").document
    assert run("publish", *APPEAL, *by("claire"), "--submit", "--json").document["id"] == waits["id"]
    assert (waits["state"], waits["authors"], waits["approvals"]) == ("submitted", ["claire"], [])
    shown = run("drafts", waits["id"])
    assert "Appel à témoins" in shown.out
    assert "bluesky · fr" in shown.out
    assert waits["digest"][:32] in shown.out
    assert "--reason" not in shown.out
    assert "may not be published" not in shown.out
    assert "1 draft waits for its readers" in run("status").out
    own = run("approve", waits["id"], "--digest", waits["digest"], *by("Claire"))
    assert (own.code, "wrote it" in own.err) == (1, True)
    stale = run("approve", waits["id"], "--digest", "0" * 64, *by("hugo"))
    assert (stale.code, "changed since you read it" in " ".join(stale.err.split())) == (1, True)
    assert not desk.bluesky.posts
    short = run("approve", waits["id"], "--digest", waits["digest"][:31], *by("hugo"))
    assert (short.code, "at least 32 characters" in short.err) == (2, True)
    done = run("approve", waits["id"], "--digest", waits["digest"][:32], *by("hugo"))
    assert done.code == 0
    assert "published" in done.out
    assert len(desk.bluesky.posts) == 1
    assert run("drafts").out == "There is no draft.\n"
    assert len(run("drafts", "--all", "--json").document["drafts"]) == 1


def test_a_draft_is_returned_changed_and_published_by_hand(run: Run, desk: Desk) -> None:
    made = run("publish", *APPEAL, "--draft", *by("claire"), "--json").document
    assert made["state"] == "draft"
    made = run("publish", made["id"], "--submit", *by("claire"), "--json").document
    short = run("return", made["id"], "--digest", made["digest"], "--reason", "non", *by("hugo"))
    assert (short.code, "--reason" in short.err) == (2, True)
    assert run("return", made["id"], "--digest", made["digest"], "--reason", "Trop précis ici.", *by("hugo")).code == 0
    assert "returned" in run("drafts").out
    again = run(
        "publish", *APPEAL, "--draft", "--label", "centre", "--revises", made["id"], *by("claire"), "--json"
    ).document
    assert again["revision"] == 2
    assert run("publish", *APPEAL, "--draft", "--revises", made["id"], "--to", "bluesky", *by("claire")).code == 2
    again = run("publish", made["id"], "--submit", *by("claire"), "--json").document
    approved = run("approve", made["id"], "--digest", again["digest"], "--only", *by("hugo"), "--json").document
    assert approved["state"] == "approved"
    assert run("publish", made["id"], "--headline", "x", *by("claire")).code == 2
    assert run("publish", made["id"], *by("claire")).code == 0
    assert "Already published" in run("publish", made["id"], *by("claire")).out
    assert len(desk.bluesky.posts) == 1


def test_an_urgent_publication_is_read_afterwards(run: Run, desk: Desk) -> None:
    assert run("publish", *APPEAL, *by("claire"), "--urgent", "vite").code == 2
    assert run("publish", *APPEAL, *by("claire"), "--reason", WHY).code == 2
    done = run("publish", *APPEAL, *by("claire"), "--urgent", WHY, "--json").document["publication"]
    assert len(desk.bluesky.posts) == 1
    assert "A second reading is owed by" in run("status").out
    [owed] = run("drafts", "--json").document["drafts"]
    assert owed["urgent"] == WHY
    assert run("approve", done["id"], "--digest", "0" * 32, *by("claire")).code == 1
    objected = run("reject", done["id"], "--digest", owed["digest"], "--reason", "Le nom est de trop.", *by("hugo"))
    assert objected.code == 0
    assert "second_objection" in objected.out
    assert "second reading" not in run("status").out


def test_posts_are_withdrawn_and_the_text_is_erased(run: Run, desk: Desk) -> None:
    done = run("publish", *APPEAL, *by("claire"), "--urgent", WHY, "--json").document["publication"]
    asked = run("withdraw", done["id"], "--reason", WHY)
    assert (asked.code, "add --yes: " in asked.err, "Appel à témoins" in asked.err) == (2, True, True)
    assert desk.bluesky.posts
    assert run("withdraw", done["id"], "--yes").code == 2
    gone = run("withdraw", done["id"], "--yes", "--reason", WHY, "--json")
    assert gone.document["still_out"] == ["presse"]
    assert gone.code == 3
    assert not desk.bluesky.posts
    assert run("journal", "erase", done["id"], "--reason", "non").code == 2
    assert run("journal", "erase", "nothing", "--reason", WHY).code == 1
    assert run("journal", "erase", done["id"], "--reason", "Demande 2026-12.").code == 0
    assert "Appel" not in run("status", "--json").out
    assert run("journal", "verify").code == 0


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sit at a terminal, and give this answer to each question."""

    def gives(text: str) -> None:
        monkeypatch.setattr("policenotify.cli.context.is_terminal", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: text)

    return gives


def test_at_a_terminal_the_reader_sees_the_posts_and_is_asked(
    run: Run, desk: Desk, answer: Callable[[str], None]
) -> None:
    Image.new("RGB", (40, 30)).save("rue.png")
    typed = (*APPEAL, "--image", "rue.png", "--alt", "Une rue vide")
    waits = run("publish", *typed, *by("claire"), "--submit", "--reason", WHY, "--json").document
    assert run("approve", waits["id"], "--reason", WHY, *by("hugo")).code == 2
    answer("non")
    refused = run("approve", waits["id"], "--reason", WHY, *by("hugo"))
    assert (refused.code, desk.bluesky.posts) == (2, ())
    shown = " ".join(refused.err.split())
    for words in ("Written by claire", "bluesky · fr", "presse · fr", "Appelez le 17.", "[picture: Une rue vide]"):
        assert words in shown
    answer("oui")
    done = run("approve", waits["id"], "--reason", WHY, *by("hugo"))
    assert (done.code, len(desk.bluesky.posts)) == (0, 1)


def test_at_a_terminal_it_is_asked_what_is_withdrawn_and_what_cannot_be(
    run: Run, desk: Desk, answer: Callable[[str], None]
) -> None:
    assert run("publish", *ACCIDENT).code == 0
    assert run("update", INCIDENT, "Une voie rouverte", "--instruction", "Roulez au pas.").code == 0
    before = len(desk.bluesky.posts)
    answer("n")
    refused = run("withdraw", INCIDENT, "--reason", WHY)
    assert (refused.code, len(desk.bluesky.posts)) == (2, before)
    shown = " ".join(refused.err.split())
    assert f"update of {INCIDENT} · Une voie rouverte" in shown
    assert "bluesky (fr) presse (fr) It cannot be taken back: 3 posted." in shown
    answer("y")
    assert run("withdraw", INCIDENT, "--reason", WHY).code == 3
    assert len(desk.bluesky.posts) == before - 1


ARREST = ("--category", "arrest", "--commune", "34172", "--headline")


@pytest.mark.usefixtures("desk")
def test_a_preview_shows_level_words_reason_and_remedy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    arrest = ("preview", *ARREST, "Jean Dupont interpellé à Sète", "--basis", "prosecutor:2026/4711")
    english = " ".join(run(*arrest).out.split())
    assert "PN202 block · headline “Jean Dupont”: The text names a person. Remove the name" in english
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    french = " ".join(run(*arrest).out.split())
    assert "PN202 BLOQUANT · titre « Jean Dupont » : Le texte nomme une personne. Retirez le nom" in french


@pytest.mark.usefixtures("desk")
def test_the_status_of_a_refused_message_is_that_it_was_refused(run: Run) -> None:
    refused = run("publish", *ARREST, "Jean Dupont interpellé à Sète", "--basis", "prosecutor", "--wait", "0")
    words = refused.err.split()
    name = words[words.index("recorded") + 2].rstrip(".")
    shown = run("status", name)
    assert shown.code == 1
    assert f"{name}: the checks refused this message at 20" in shown.err


@pytest.mark.usefixtures("desk")
def test_a_missing_agreement_is_given_by_an_option_or_owed_by_an_urgent_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    typed = ("publish", *ARREST, "Trois personnes interpellées à Montpellier", "--wait", "0")
    refused = run(*typed)
    assert refused.code == 1
    assert "Il manque l'accord" in " ".join((refused.out + refused.err).split())
    assert run(*typed, "--basis", "prosecutor").code in {0, 3}
    reason = run(*typed, "--key", "other", "--urgent", "Accord oral du parquet à 14h05.")
    assert reason.code in {0, 3}


@pytest.mark.usefixtures("desk")
def test_a_refusal_quotes_the_words_on_the_terminal_only(run: Run) -> None:
    typed = ("publish", *ARREST, "Jean Dupont interpellé")
    refused = run(*typed)
    assert refused.code == 1
    assert "PN202 block · headline “Jean Dupont”: The text names a person. Remove the name" in " ".join(
        refused.err.split()
    )
    assert "Dupont" not in run(*typed, "--json").document["error"]["text"]


@pytest.mark.usefixtures("desk")
def test_status_and_doctor_show_what_waits_for_readers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    headline, by = "Un homme interpellé", ("--actor", "claire")
    assert run("publish", *ARREST, headline, *by, "--submit", "--reason", "Le parquet est d'accord.").code == 0
    assert run("publish", *ARREST, f"{headline} hier", *by, "--urgent", "Accord oral du parquet.").code == 0
    shown = {line["check"]: line for line in run("doctor", "--json").document["lines"]}
    assert shown["drafts"]["detail"] == "1 draft waits for its readers: policenotify drafts"
    assert "It is owed by" in shown["second reading"]["detail"]
    assert {shown[name]["state"] for name in ("drafts", "second reading")} == {"note"}
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    assert "1 brouillon attend ses relecteurs" in " ".join(run("status").out.split())
    assert "Elle est due pour le" in " ".join(run("doctor").out.split())
    assert "Sa seconde lecture est due pour le" in " ".join(run("drafts").out.split())


def test_a_draft_is_rejected_or_withdrawn(run: Run) -> None:
    made = run("publish", *APPEAL, *by("claire"), "--submit", "--json").document
    assert run("reject", made["id"], *by("hugo"), "--reason", WHY).code == 2
    assert run("reject", made["id"], *by("hugo"), "--reason", WHY, "--digest", made["digest"]).code == 0
    other = run("publish", *APPEAL, "--draft", *by("claire"), "--json").document
    assert run("withdraw", other["id"], *by("claire"), "--json").document["state"] == "withdrawn"
    gone = run("publish", other["id"], "--submit", *by("claire"), "--json")
    assert (gone.code, gone.document["error"]["kind"], gone.document["error"]["draft"]) == (
        1, "DraftConflict", other["id"],
    )  # fmt: skip
    assert run("approve", "nothing", "--digest", "0" * 64).code == 1
