"""An officer sees in one line what to change, in the language of the desk."""

from __future__ import annotations

import pytest

from tests.support.shell import Run

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
def test_the_status_of_a_refused_message_shows_by_what_it_was_refused(run: Run) -> None:
    refused = run("publish", *ARREST, "Jean Dupont interpellé à Sète", "--basis", "prosecutor", "--wait", "0")
    words = refused.err.split()
    name = words[words.index("recorded") + 2].rstrip(".")
    shown = run("status", name)
    assert shown.code == 1
    assert f"{name}: message refused at 20" in shown.err
    assert "by PN202" in " ".join(shown.err.split())
    assert "refused by the checks" not in refused.err  # no line of the log in another language


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
