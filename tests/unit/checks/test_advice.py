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


def test_every_rule_has_at_least_two_traps() -> None:
    traps = [entry.code for entry in TUNED if entry.code]
    typed = {"PN405"}  # in test_checks.py
    assert set(RULES) - typed == set(traps)
    assert min(map(traps.count, set(traps))) >= 2


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
    english = {"language": "en", "headline": "Accident tomorrow", "instruction": "Leave the area."}
    found = {finding.field for finding in remarks(translations=[english])}
    assert found == {"translations.en.headline"}


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


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("PN416", {"description": "Prochain point à 18h.", "next_update_at": None}),
        ("PN417", {"headline": "Bouchon à Saint-Roch"}),
    ],
)
def test_what_needs_no_advice_gets_none(code: str, fields: dict[str, Any]) -> None:
    assert code not in {finding.code for finding in run_checks(context(**fields))}


def test_every_code_of_the_package_is_in_the_reference() -> None:
    """With level, rule, remedy and source."""
    root = Path(__file__).parents[3]
    source = Path(policenotify.__file__).parent
    raised = {code for file in source.rglob("*.py") for code in re.findall(r'"(PN\d{3})"', file.read_text("utf-8"))}
    raised |= {each.code for each in CHECKS}  # some are in TOML
    page = (root / "docs" / "reference" / "checks.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(PN\d{3})` \| (.*) \|$", page, flags=re.MULTILINE))
    assert rows.keys() == raised, "bash .ci/run regenerate"
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
