"""The advice on wording, on its corpus and on what a desk publishes every day."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policenotify
from policenotify.checks import CHECKS, run_checks
from policenotify.findings import Finding, Level
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.testing import recording_publisher
from tests.support import corpus
from tests.support.checks import NOW, context

RULES: Final = {each.code: each for each in CHECKS if each.code.startswith("PN4") and each.code != "PN423"}
TUNED: Final = corpus.read("linter_tuned")


def remarks(**fields: Any) -> list[Finding]:
    """The findings of the linter."""
    return [finding for finding in run_checks(context(**fields)) if finding.code in RULES]


def codes(**fields: Any) -> set[str]:
    return {finding.code for finding in remarks(**fields)}


def _id(entry: corpus.Entry) -> str:
    return f"{entry.line}-{entry.category}"


def test_every_rule_has_at_least_two_traps() -> None:
    traps = [entry.code for entry in TUNED if entry.code]
    typed = {"PN405", "PN406", "PN407"}  # in test_orthography.py
    assert set(RULES) - typed == set(traps)
    assert min(map(traps.count, set(traps))) >= 2


@pytest.mark.parametrize("entry", [entry for entry in TUNED if entry.code], ids=_id)
def test_each_remark_lies_in_its_field_and_speaks_two_languages(entry: corpus.Entry) -> None:
    for finding in remarks(**entry.fields):
        assert all((finding.reason, finding.remedy, finding.reason_fr, finding.remedy_fr, finding.source))
        assert finding.level in RULES[finding.code].levels
        if finding.span and finding.field in entry.fields:
            start, end = finding.span
            assert 0 <= start < end <= len(entry.fields[finding.field])


def test_advice_never_stops_a_message_but_for_the_hour_that_contradicts() -> None:
    assert all(Level.BLOCK not in rule.levels for rule in RULES.values())
    assert {code for code, rule in RULES.items() if Level.SECOND in rule.levels} == {"PN417"}


@given(text=st.text(max_size=160).map(lambda text: f"a {text}").filter(str.isprintable))
def test_any_text_is_looked_at(text: str) -> None:
    remarks(headline=text[:160], description=text, instruction=text)


def test_a_language_without_lists_misses_nothing() -> None:
    text = {"headline": "Achtung", "instruction": "Bleiben Sie zu Hause."}
    assert not codes(category="armed_threat", language="de", **text)
    assert "PN420" in codes(category="missing_person", language="de", **text)


def test_every_language_of_a_message_is_looked_at() -> None:
    english = {"language": "en", "headline": "Accident", "instruction": "Thank you."}
    found = {finding.field for finding in remarks(translations=[english])}
    assert found == {"translations.en.instruction"}


def test_another_commune_of_the_name_is_no_contradiction_in_another_department() -> None:
    assert "PN417" in codes(location={"commune": "34172"}, headline="Accident à Béziers")
    assert "PN417" not in codes(location={"commune": "34172"}, headline="Accident à Saint-Denis")
    assert "PN417" not in codes(location={"commune": "34032"}, headline="Accident à Béziers")
    assert "PN417" not in codes(location={"commune": "34172"}, headline="Bouchon de Sète à Béziers")


def test_an_hour_may_be_rounded() -> None:
    near = {"next_update_at": NOW + timedelta(minutes=62)}  # 18:44
    assert "PN417" not in codes(instruction="Évitez le secteur. Prochain point à 18h45.", **near)
    assert "PN417" in codes(instruction="Évitez le secteur. Prochain point à 18h55.", **near)


def test_a_weekday_needs_no_date_beside_the_time_of_the_message() -> None:
    event: dict[str, Any] = {"category": "planned_event", "headline": "Concert vendredi à l'Esplanade"}
    assert "PN404" not in codes(starts_at=NOW + timedelta(hours=2), **event)
    assert "PN404" in codes(starts_at=NOW + timedelta(days=1), **event)


def test_an_abduction_alert_for_a_whole_department_is_not_refused() -> None:
    relay: dict[str, Any] = {
        "category": "child_abduction_relay",
        "location": {"department": "34"},
        "headline": "Alerte déclenchée par le procureur",
        "instruction": "N'intervenez pas, appelez le 197.",
        "link": "https://www.alerte-enlevement.gouv.fr",
    }
    found = {finding.code for finding in run_checks(context(**relay)) if finding.blocks}
    assert "PN101" not in found


@pytest.mark.parametrize("severity", ["Minor", "Moderate", "Severe", "Extreme"])
@pytest.mark.parametrize("stage", ["opening", "update"])
def test_an_instruction_without_an_hour_is_advised_and_never_blocked(severity: str, stage: str) -> None:
    message: dict[str, Any] = {
        "severity": severity,
        "lifecycle": {"stage": stage, "incident": "i1"},
        "next_update_at": None,
    }
    [finding] = [one for one in run_checks(context(**message)) if one.code == "PN104"]
    assert finding.level is Level.ADVISE


@pytest.mark.parametrize(
    "text",
    [
        "La circulation n'est pas encore rétablie.",
        "Le périmètre n'est toujours pas levé.",
        "Le danger n'est pas écarté.",
        "Le secteur n'est pas encore tout à fait sécurisé.",
        "Vous ne pouvez pas encore circuler normalement.",
    ],
)
def test_an_all_clear_with_a_negation_is_remarked(text: str) -> None:
    end = context(lifecycle={"stage": "end", "incident": "i1"}, instruction=text)
    assert "PN115" in {finding.code for finding in run_checks(end)}


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("PN416", {"description": "Prochain point à 18h.", "next_update_at": None}),
        ("PN407", {"description": "Une matinée de frisbee, offre Free, mot-dièse #Melee, site melee.fr, Pedigree."}),
        ("PN417", {"headline": "Bouchon à Saint-Roch"}),
    ],
)
def test_what_needs_no_advice_gets_none(code: str, fields: dict[str, Any]) -> None:
    assert code not in {finding.code for finding in run_checks(context(**fields))}


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("PN407", {"description": "La rue est coupee, manifestation declaree à la Comedie."}),
        ("PN417", {"headline": "Accident à Lille entre deux voitures"}),
    ],
)
def test_what_another_author_found_is_advised(code: str, fields: dict[str, Any]) -> None:
    assert code in {finding.code for finding in run_checks(context(**fields))}


def test_every_code_of_the_package_is_in_the_reference() -> None:
    """With level, rule, remedy and source."""
    root = Path(__file__).parents[3]
    source = Path(policenotify.__file__).parent
    raised = {code for file in source.rglob("*.py") for code in re.findall(r'"(PN\d{3})"', file.read_text("utf-8"))}
    raised |= {each.code for each in CHECKS}  # some are in TOML
    page = (root / "docs" / "reference" / "checks.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(PN\d{3})` \| (.*) \|$", page, flags=re.MULTILINE))
    assert rows.keys() == raised
    for check in CHECKS:
        assert len([cell for cell in rows[check.code].split(" | ") if cell.strip()]) == 4, check.code


def test_the_example_of_approval_is_true() -> None:
    with recording_publisher() as desk:
        arrest: dict[str, Any] = {
            "category": "arrest",
            "headline": "Un homme interpellé",
            "location": Location(commune="34172"),
        }
        agreed = desk.publisher.preview(Message(**arrest, basis=[{"who": "prosecutor"}]))
        assert "PN601" not in {finding.code for finding in agreed.findings}
        assert "PN601" in {finding.code for finding in desk.publisher.preview(Message(**arrest)).findings}
