"""An officer sees in one line what to change, in the language of the desk."""

from __future__ import annotations

from pathlib import Path

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
def test_json_has_span_source_and_both_languages(run: Run) -> None:
    document = run("preview", *ARREST, "Jean Dupont interpellé", "--basis", "prosecutor", "--json").document
    [finding] = [one for one in document["findings"] if one["code"] == "PN202"]
    assert finding["level"] == "block"
    assert finding["span"] == [0, 11]
    assert finding["reason_fr"] == "Le texte nomme une personne."
    assert finding["reason"] == "The text names a person."
    assert "RGPD" in finding["source"]


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
def test_the_page_is_in_the_language_of_the_desk(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    file = tmp_path / "page.html"
    run("preview", *ARREST, "Jean Dupont interpellé", "--instruction", "Evitez le secteur.", "--html", str(file))
    page = " ".join(file.read_text("utf-8").split())
    assert "Le texte nomme une personne." in page  # beside its rule
    assert "Des lecteurs peuvent buter sur ce mot. Écrivez « Évitez »." in page  # with a value
    assert "<q" in page
    assert "Jean Dupont</q>" in page


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "PN202 block · headline “Jean Dupont”: The text names a person. Remove the name"),
        ("fr", "PN202 BLOQUANT · titre « Jean Dupont » : Le texte nomme une personne. Retirez le nom"),
    ],
)
def test_a_refusal_quotes_the_words_on_the_terminal_only(
    run: Run, monkeypatch: pytest.MonkeyPatch, language: str, shown: str
) -> None:
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", language)
    typed = ("publish", *ARREST, "Jean Dupont interpellé")
    refused = run(*typed)
    assert refused.code == 1
    assert shown in " ".join(refused.err.split())
    assert "Dupont" not in run(*typed, "--json").document["error"]["text"]


@pytest.mark.usefixtures("desk")
def test_another_person_lifts_a_block_with_a_reason(run: Run) -> None:
    typed = ("publish", *ARREST, "Jean Dupont interpellé", "--basis", "prosecutor", "--actor", "claire")
    refused = " ".join(run(*typed).err.split())
    assert 'add --submit --reason "WHY"' in refused
    assert "--urgent" not in refused
    assert run(*typed, "--urgent", "Accord oral du parquet.").code == 1
    draft = run(*typed, "--submit", "--reason", "Le parquet le veut.", "--json").document
    assert f"→ policenotify approve {draft['id']}" in " ".join(run("drafts").out.split())
    approve = ("approve", draft["id"], "--digest", draft["digest"])
    for option in (("--actor", "claire", "--reason", "Le parquet le veut."), ("--actor", "hugo")):
        assert run(*approve, *option).code in {1, 2}
    done = run(*approve, "--actor", "hugo", "--reason", "Vu avec le parquet.", "--json")
    assert (done.code in {0, 3}, done.document["state"]) == (True, "published")


@pytest.mark.usefixtures("desk")
def test_urgency_lifts_a_block_of_a_severe_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    typed = ("publish", *ARREST, "Jean Dupont interpellé", "--basis", "prosecutor", "--severity", "Severe")
    refused = " ".join(run(*typed).err.split())
    assert 'Pour le publier maintenant, ajoutez --urgent "MOTIF" : une autre personne le lit après coup.' in refused
    assert run(*typed, "--urgent", "Accord oral du parquet.").code in {0, 3}
    assert len(run("drafts", "--json").document["drafts"]) == 1


@pytest.mark.usefixtures("desk")
def test_a_block_is_shown_before_the_need_of_another_reader(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    document = run("preview", *ARREST, "Jean Dupont interpellé", "--json").document
    assert [finding["level"] for finding in document["findings"]] == ["block", "second", "second"]
    shown = " ".join(run("preview", *ARREST, "Un homme interpellé").out.split())
    assert "Une autre personne doit d'abord lire ce message. Pour le faire approuver d'abord, ajoutez --submit" in shown
    assert "Corrigez ce qui est BLOQUANT, ou suivez la ligne PN601." in shown


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
