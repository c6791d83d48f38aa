"""The law as data: its rules, its lists, and the door for that of another country."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib.metadata import EntryPoint
from importlib.resources import files
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import policenotify.checks
from policenotify.checks import (
    CHECKS,
    CheckContext,
    Hit,
    Rule,
    TextPart,
    Vocabulary,
    WordListChange,
    check_links,
    checks_of,
    quotable_texts,
    rule,
    run_checks,
)
from policenotify.checks.fr.law import texts
from policenotify.checks.rule import every_text, shared_texts
from policenotify.checks.words import LANGUAGES, WordLists, shipped_words, written_out
from policenotify.errors import SettingsError
from policenotify.findings import Level
from tests.support.checks import context

MOST_BYTES: Final = 60_000
LONGEST: Final = 40  # characters of an entry


def codes(**fields: Any) -> dict[str, Level]:
    """Return the codes found, each with the level of its first finding."""
    return {finding.code: finding.level for finding in reversed(run_checks(context(**fields)))}


# --- the lists


def test_the_lists_are_small_and_each_states_what_it_earns() -> None:
    raw = (files("policenotify.checks.fr") / "words.toml").read_text("utf-8")
    tables = tomllib.loads(raw)
    assert all(len(table["why"]) > 20 and "PN" in table["why"] for table in tables.values())
    assert sum(len(line.encode()) + 1 for line in raw.splitlines() if not line.startswith("why")) <= MOST_BYTES
    entries = [entry for language in LANGUAGES for words in shipped_words(language).values() for entry in words]
    assert max(map(len, entries)) <= LONGEST
    names = sum(map(len, tables["known_name"]["all"])) + 4 * len(tables["known_name"]["all"])
    assert names <= 10_000


def test_an_entry_stands_for_phrases() -> None:
    assert written_out("auteur(|s) (du|des) vol") == {
        ("auteur", "du", "vol"), ("auteur", "des", "vol"), ("auteurs", "du", "vol"), ("auteurs", "des", "vol"),
    }  # fmt: skip
    assert written_out("Handicap*") == {("handicap*",)}
    assert written_out("cœur à l'œuvre") == {("coeur", "a", "l", "oeuvre")}


@given(st.text(max_size=200))
@example("Évitez\nle secteur")
def test_a_place_in_a_folded_text_is_one_in_the_text(text: str) -> None:
    part = TextPart("hashtags.0", "fr", text, WordLists({}))
    for token in part.tokens:
        start, end = part.place(token.start, token.end)
        assert 0 <= start < end <= len(text)
    assert list(range(len(part.tokens))) == [at for at in range(len(part.tokens)) if at in part.sentence(at)]


def test_a_desk_adds_words_removes_them_and_switches_lists_off() -> None:
    insulted = context(category="demonstration", headline="Ces olibrius et ces racailles partent")
    found = [finding.code for finding in run_checks(insulted)]
    assert found.count("PN216") == 1
    for change, count in (
        (WordListChange(add=("olibrius",)), 2),
        (WordListChange(remove={"racaille": "Une association s'appelle ainsi."}), 0),
        (WordListChange(off="Le parquet les cite dans ses avis."), 0),
    ):
        changed = replace(insulted, words=Vocabulary({"insult": change}))
        assert [finding.code for finding in run_checks(changed)].count("PN216") == count


# --- the rules


def test_each_rule_has_its_texts_in_both_languages() -> None:
    for each in CHECKS:
        table = texts().get(each.code) or shared_texts(each.code[:3])[each.code]
        cases = [table] if "fr" in table else []
        cases += [case for case in table.values() if isinstance(case, dict) and "fr" in case]
        assert cases, each.code
        assert all(case[language][part] for case in cases for language in LANGUAGES for part in ("reason", "remedy"))


def test_a_rule_of_our_own_is_a_decorated_function() -> None:
    table = {"X1": {language: {"reason": "Too {what}.", "remedy": "Do not."} for language in LANGUAGES}}

    @rule("X1", basis="Usage", levels=(Level.SECOND,), texts=lambda: table)
    def quiet(each: CheckContext) -> list[Hit]:
        """Do not shout."""
        return [Hit("headline", (0, 1), values={"what": "loud"})] if each.message.headline.isupper() else []

    [finding] = run_checks(context(headline="FEU"), [quiet])
    assert (finding.code, finding.level, str(finding.reason), finding.reason_fr) == (
        "X1",
        Level.SECOND,
        "Too loud.",
        "Too loud.",
    )
    assert quiet.title == "Do not shout"


class _Point:
    name = "be"

    def load(self) -> tuple[Rule, ...]:
        def found(each: CheckContext) -> list[Hit]:
            return [Hit("headline")] if "pralines" in each.message.headline else []

        table = {"BE1": {language: {"reason": "Sweet.", "remedy": "Share."} for language in LANGUAGES}}
        return (rule("BE1", basis="Loi belge", title="Share sweets", texts=lambda: table)(found),)


def test_the_law_of_another_country_comes_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        policenotify.checks, "entry_points", lambda group: [_Point()] if group == policenotify.checks.LAW else []
    )
    belgian = checks_of(["be"])
    assert {"PN101", "BE1"} <= {each.code for each in belgian}
    assert "PN202" not in {each.code for each in belgian}
    found = {finding.code for finding in run_checks(context(headline="Jean Dupont vole des pralines"), belgian)}
    assert found == {"BE1"}
    assert {each.code for each in checks_of(["fr", "be"])} == {*(each.code for each in CHECKS), "BE1"}
    with pytest.raises(SettingsError, match="no installed package offers 'xx'"):
        checks_of(["xx"])


def test_a_rule_blocks_an_order_too_unless_it_says_otherwise() -> None:
    def found(_: CheckContext) -> list[Hit]:
        return [Hit("instruction", (0, 7)), Hit("headline", (0, 3))]

    table = {"BE1": {language: {"reason": "Sweet.", "remedy": "Share."} for language in LANGUAGES}}
    usual = rule("BE1", basis="Loi belge", texts=lambda: table)(found)
    lenient = rule("BE1", basis="Loi belge", orders=False, texts=lambda: table)(found)
    order = context(headline="Feu rue Foch", instruction="Évacuez la rue Foch.")
    assert [each.level for each in usual.find(order)] == [Level.BLOCK, Level.BLOCK]
    assert [each.level for each in lenient.find(order)] == [Level.ADVISE, Level.BLOCK]


def test_a_law_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("be", "policenotify.nowhere:RULES", policenotify.checks.LAW)
    monkeypatch.setattr(policenotify.checks, "entry_points", lambda group: [point])  # noqa: ARG005 - its name is given
    with pytest.raises(SettingsError, match=r"law: 'policenotify\.nowhere:RULES' cannot be imported \(ModuleNotFound"):
        checks_of(["be"])


# --- what is read


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("translations", [{"language": "en", "headline": "Mr John Barker was arrested"}]),
        ("images", [{"alt": "Portrait de Karim Benali, l'homme recherché", "digest": "0" * 64}]),
        ("known", {"confirmed": "Karim Bensalah est blessé.", "unconfirmed": "La cause de l'accident."}),
        ("source", "Mme Karima Bensalah"),
    ],
)
def test_every_text_is_read_for_names(field: str, value: Any) -> None:
    assert "PN202" in codes(category="police_operation", **{field: value})


def test_every_field_that_a_reader_sees_is_read() -> None:
    place = {
        "commune": "34172", "commune_name": "a", "department_name": "b", "label": "c", "street": "d", "district": "e",
        "line": "f", "between": ["g", "h"],
        "road": {"road": "D986", "direction": "i", "exit": "j", "administrator": "k"},
    }  # fmt: skip
    message = context(location=place, sender="l", source="m").message
    assert {text for _, _, text in every_text(message)} >= set("abcdefghijklm")


@pytest.mark.parametrize("field", ["commune_name", "department_name"])
def test_a_link_in_the_name_of_a_place_is_judged(field: str) -> None:
    found = run_checks(
        replace(context(location={"commune": "34172", field: "https://evil.example"}), links=(".gouv.fr",))
    )
    assert ("PN116", f"location.{field}") in {(finding.code, finding.field) for finding in found}


@pytest.mark.parametrize("sign", ["\u200b", "\u034f"])
def test_an_invisible_sign_hides_neither_a_link_nor_a_word(sign: str) -> None:
    linked = replace(context(headline=f"Voir https://amendes.gouv.fr{sign}.evil.example"), links=(".gouv.fr",))
    assert "PN116" in {finding.code for finding in run_checks(linked)}
    hidden = context(category="arrest", headline=f"Le meur{sign}trier est interpellé", basis=[{"who": "prosecutor"}])
    [finding] = [finding for finding in run_checks(hidden) if finding.code == "PN201"]
    assert finding.excerpt(quotable_texts(hidden.message, [finding])) == "meurtrier"


def test_the_text_of_a_post_is_judged_for_its_links() -> None:
    [finding] = check_links("Infos : https://evil.com", (".gouv.fr",), field="sms")
    assert (finding.code, finding.field, finding.level) == ("PN116", "sms", Level.BLOCK)
    [advice] = check_links("Infos : http://police.fr", (), field="sms")
    assert advice.level is Level.ADVISE
    assert list(check_links("Infos : https://a.gouv.fr", (".gouv.fr",), field="sms")) == []


# --- single rules


def test_an_agreement_lowers_what_it_covers() -> None:
    minor = {"category": "missing_person", "headline": "Disparition de Lucas, 12 ans", "severity": "Moderate"}
    free, agreed = codes(**minor), codes(**minor, basis=[{"who": "guardian"}])
    assert (free["PN203"], free["PN214"]) == (Level.BLOCK, Level.SECOND)
    assert agreed["PN203"] is Level.SECOND
    assert "PN214" not in agreed


def test_a_name_outside_judicial_messages_needs_a_second_person_unless_it_is_a_victims() -> None:
    assert codes(category="planned_event", headline="Rencontre avec Karim Bensalah")["PN202"] is Level.SECOND
    assert codes(headline="Karim Bensalah est blessé")["PN202"] is Level.BLOCK
    assert codes(headline="Le corps de Mme Rossi est à la morgue")["PN202"] is Level.BLOCK
    assert codes(category="arrest", headline="Karim Bensalah est cité")["PN202"] is Level.BLOCK


@pytest.mark.parametrize(
    "text",
    [
        "La rue Jean Dupont est fermée.", "Devant Chez Paulette, rue barrée.",
        "Le lycée Fernand-Léger ferme.", "Il fait 5 m. Deux voies sont libres.",
        "Notre site : pierre-vidal.example",
        "Une Mégane et une Zoé sont en travers.",
    ],
)  # fmt: skip
def test_a_name_that_is_no_persons(text: str) -> None:
    assert "PN202" not in codes(category="police_operation", headline=text)


@pytest.mark.parametrize(
    "text",
    [
        "Karim Bensalah est cité.", "M. Bernard Lopez est cité.",
        "DUPUIS Karim est cité.",
        "Jean D. est cité.",
        "KARIM DUPONT INTERPELLÉ HIER À SÈTE", "Karim Bensalah parle, et Karim Bensalah.",
    ],
)  # fmt: skip
def test_a_name_is_found(text: str) -> None:
    assert {"PN202", "PN203"} & codes(category="arrest", headline=text).keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Louis Dupont a 15 ans.", True), ("Louis Dupont, quinze ans, est là.", True),
        ("Louis Dupont, âgé de 15 ans", True),
        ("Il y a 15 ans, Louis Dupont ouvrait ce poste.", False), ("Un bail de 15 ans, signé par Louis Dupont", False),
    ],
)  # fmt: skip
def test_a_name_beside_the_age_of_a_minor_blocks_and_beside_other_years_does_not(text: str, *, found: bool) -> None:
    assert codes(category="road_safety", headline=text).get("PN203") is (Level.BLOCK if found else None)


def test_a_name_of_a_street_that_the_message_states_is_no_persons() -> None:
    place = {"commune": "34172", "between": ["rue Jean Dupont", "avenue Paul Bernard"], "district": "Karim"}
    assert "PN202" not in codes(location=place, description="La rue Jean Dupont est fermée, Karim aussi.")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("La victime habite impasse des Cigales.", True),
        ("Le domicile de la victime, impasse des Cigales, est cerné.", True), ("Feu chez la victime, rue Foch.", True),
        ("La victime, impasse des Cigales, est vue.", False),
    ],
)  # fmt: skip
def test_the_street_of_a_victims_home_blocks_without_a_number(text: str, *, found: bool) -> None:
    assert codes(headline=text).get("PN203") is (Level.BLOCK if found else None)


def test_urgency_lifts_the_occupation_of_a_victim_and_never_the_home() -> None:
    update = {"stage": "update", "incident": "i1"}
    for text, severe in {
        "La victime est boulangère à Mèze": Level.SECOND,
        "La victime habite rue Foch": Level.BLOCK,
    }.items():
        assert codes(headline=text, lifecycle=update)["PN203"] is Level.BLOCK
        assert codes(headline=text, lifecycle=update, severity="Severe")["PN203"] is severe
    sexual = codes(headline="Viol : la victime est boulangère à Mèze", lifecycle=update, severity="Severe")
    assert sexual["PN203"] is Level.BLOCK


def test_home_and_health_of_a_victim() -> None:
    assert codes(category="arrest", headline="La victime vit au 5 impasse des Pins.")["PN210"] is Level.BLOCK
    assert codes(category="police_operation", headline="Bruit au 5 impasse des Pins.")["PN210"] is Level.SECOND
    home = "La victime a été conduite à son domicile, 5 impasse des Pins."
    assert codes(category="traffic_accident", headline=home)["PN210"] is Level.BLOCK
    assert codes(category="traffic_accident", headline="Un blessé au 5 impasse des Pins.")["PN210"] is Level.ADVISE
    assert "PN210" not in codes(category="arrest", headline="L'homme mesure 1,80 m, rue de la Loge.")
    assert codes(category="arrest", headline="Le suspect est schizophrène.")["PN211"] is Level.SECOND
    assert "PN211" not in codes(category="fire", headline="Les personnes asthmatiques restent chez elles.")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Né le 3 mai 1988", True), ("Le club est né en 1912", False),
        ("Compte FR76 3000 6000 0112 3456 7890 189", True),
        ("NIR 1 85 05 78 006 084 91", True), ("Passeport 19CT83562", True),
        ("Le suspect (03.08.1966)", True),
    ],
)  # fmt: skip
def test_civil_status(text: str, found: bool) -> None:  # noqa: FBT001 - a table
    assert ("PN206" in codes(category="arrest", headline=text)) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Clio AB-123-CD", True),
        ("VL 123 PL", False), ("Voiture 1234 AB 34", True),
        ("Plaque masquée sur l'A9", False),
        ("Vol AF 12345 retardé", False),
    ],
)  # fmt: skip
def test_number_plates(text: str, found: bool) -> None:  # noqa: FBT001 - a table
    assert ("PN207" in codes(category="police_operation", headline=text)) is found


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("06 12 34 56 78", Level.BLOCK), ("0606060606", Level.BLOCK),
        ("+32 475 12 34 56", Level.BLOCK), ("08 99 70 12 34", Level.SECOND),
        ("04 67 12 34 56", None),
    ],
)  # fmt: skip
def test_telephone_numbers(text: str, level: Level | None) -> None:
    assert codes(headline=f"Appelez le {text}").get("PN208") is level
    assert codes(known={"confirmed": f"Appelez le {text}."}).get("PN208") is level


@pytest.mark.parametrize(
    ("number", "level"), [("0 811 02 02 17", Level.ADVISE), ("0 800 112 112", Level.SECOND)], ids=["old", "usurped"]
)
def test_an_old_number_is_advised_against_and_a_usurped_one_asked_about(number: str, level: Level) -> None:
    assert codes(category="scam_cyber", lifecycle={}, headline=f"Appelez le {number}.")["PN310"] is level


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("contact@orange.fr", True), ("claire@orange.fr", True),
        ("ddsp34@interieur.gouv.fr", False),
    ],
)  # fmt: skip
def test_mail_addresses(text: str, found: bool) -> None:  # noqa: FBT001 - a table
    assert (codes(headline=f"Écrivez à {text}").get("PN209") is Level.SECOND) is found


def test_the_photo_of_a_minor_who_is_sought() -> None:
    image = {"alt": "Un blouson bleu posé sur un banc", "digest": "0" * 64}
    sought = {"category": "witness_appeal", "headline": "Un garçon de 13 ans est recherché", "images": [image]}
    assert codes(**sought)["PN203"] is Level.BLOCK
    assert codes(**sought, basis=[{"who": "prosecutor"}])["PN203"] is Level.SECOND


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Un tireur est sur le toit.", False), ("Des policiers sont sur le toit.", True),
        ("Vingt policiers sont engagés.", True),
        ("Contrôle d'alcoolémie. Avenue de Maurin, 22h.", True),
        ("Le ministre arrivera à 10h.", True),
    ],
)  # fmt: skip
def test_what_must_stay_unknown_in_an_operation(text: str, found: bool) -> None:  # noqa: FBT001 - a table
    assert (codes(category="police_operation", headline=text).get("PN301") is Level.SECOND) is found


def test_an_abduction_alert_is_relayed() -> None:
    relay = {"category": "child_abduction_relay", "headline": "Alerte du procureur", "instruction": "Appelez le 197."}
    assert "PN303" not in codes(**relay, link="https://www.alerte-enlevement.gouv.fr", location={"department": "34"})
    assert "PN303" in codes(**relay)
    assert "PN303" in codes(headline="Une fillette de 8 ans a été enlevée")
    assert "PN303" not in codes(headline="Faux : une fillette de 8 ans enlevée")
