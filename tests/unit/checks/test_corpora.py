"""What the rules find, miss and hold, on messages of other authors, on honest ones and on traps after the freeze.

A missed trap or a false alarm is a figure, not a fault: few rules with a high precision are wanted. The floors are what
was reached. `docs/explanation/lawful-words.md` states the figures.
"""

from __future__ import annotations

import sys
import tomllib
from typing import Any, Final

import pytest

from policenotify.checks import CHECKS, CheckContext, run_checks
from policenotify.findings import Finding, Level
from policenotify.model.cap import Severity
from tests.support import corpus, honest
from tests.support.checks import context

FILES: Final = tuple(sorted(path.stem for path in corpus.FOLDER.glob("*.txt") if path.stem != "traps"))
ENTRIES: Final = tuple(entry for name in FILES if not name.startswith("linter") for entry in corpus.read(name))
ADVICE: Final = tuple(entry for name in FILES if name.startswith("linter") for entry in corpus.read(name))
WORDS: Final = tuple(rule for rule in CHECKS if rule.code.startswith(("PN2", "PN3", "PN417", "PN423")))
"""The rules about words. An honest message without an instruction lacks one all the same."""


def held(message: CheckContext) -> list[Finding]:
    """Return the findings that hold a message back because of its words."""
    return [finding for finding in run_checks(message, WORDS) if finding.blocks]


def _report(line: str) -> None:
    """Show a figure under `pytest -s`."""
    sys.stdout.write(f"{line}\n")


def _rate(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)"


@pytest.mark.parametrize(("level", "most"), [(Level.BLOCK, 0.086), (Level.SECOND, 0.07)])
def test_at_most_so_many_traps_of_the_corpora_are_missed(level: Level, most: float) -> None:
    traps = [entry for entry in ENTRIES if entry.level is level]
    missed = sum(entry.missed for entry in traps)
    _report(f"missed, level {level}: {_rate(missed, len(traps))}")
    assert missed <= most * len(traps)


def test_at_most_one_clean_message_of_the_corpora_in_a_hundred_is_held() -> None:
    clean = [entry for entry in ENTRIES if entry.level is None]
    alarms = [entry.text for entry in clean if entry.false_alarm]
    _report(f"held: {_rate(len(alarms), len(clean))}")
    assert len(alarms) <= 0.01 * len(clean), alarms


def test_advice_is_given_where_it_is_due_and_nowhere_else() -> None:
    found = [(entry, {finding.code for finding in run_checks(entry.context())}) for entry in ADVICE]
    due = [(entry, codes) for entry, codes in found if entry.code]
    missed = [entry.text for entry, codes in due if entry.code not in codes]
    clean = [codes for entry, codes in found if not entry.code]
    # The messages of two files name hours, and have no field that they could agree with.
    remarked = [codes for codes in clean if {code for code in codes if code.startswith("PN4")} - {"PN417"}]
    _report(f"advice missed: {_rate(len(missed), len(due))}, not due: {_rate(len(remarked), len(clean))}")
    assert len(missed) <= 0.06 * len(due), missed
    assert remarked == []


def test_three_in_four_traps_after_the_freeze_are_found_at_level_second_or_block() -> None:
    traps = corpus.read("traps")
    found = sum(entry.worst() in {Level.BLOCK, Level.SECOND} for entry in traps)
    _report(f"traps found: {_rate(found, len(traps))}")
    assert len(traps) >= 100
    assert found >= 0.75 * len(traps)


@pytest.mark.parametrize("group", list(honest.groups()))
def test_honest_messages_are_not_blocked_and_nearly_never_held(group: str) -> None:
    messages = honest.groups()[group]
    findings = {each.message.headline: held(each) for each in messages}
    blocked = [text for text, found in findings.items() if any(each.level is Level.BLOCK for each in found)]
    stopped = [text for text, found in findings.items() if found]
    _report(f"{group}: {_rate(len(stopped), len(messages))} held")
    assert blocked == []
    assert len(messages) >= honest.LEAST
    assert len(stopped) <= (0 if group in {"hours", "roads"} else 0.02 * len(messages)), stopped


END: Final = {"lifecycle": {"stage": "end", "incident": "i1"}}
URGENT: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("armed_threat", "Un tireur se trouve place de la Comédie", {}),
    ("armed_threat", "Le tireur est sur le toit de la gare", {}),
    ("armed_threat", "L'agresseur est en fuite, ne l'approchez pas", {}),
    ("armed_threat", "Un élève armé au lycée Joffre", {}),
    ("armed_threat", "L'assaillant est neutralisé, le danger est écarté", END),
    ("road_closure", "Rue Foch fermée demain dès 7h30", {}),
    ("traffic_disruption", "Route nationale A31 : circulation rétablie", END),
    ("police_operation", "Évacuez par l'escalier C", {}),
    ("police_operation", "Sortez par la porte B du bâtiment 2", {}),
    ("police_operation", "Rejoignez le lycée Jean-Moulin avec vos enfants de 12 ans", {}),
    ("traffic_accident", "Accident sur la D986", {"description": "La déviation passe par Béziers et Sète."}),
]


@pytest.mark.parametrize(("category", "text", "fields"), URGENT, ids=[text for _, text, _ in URGENT])
def test_what_saves_lives_is_not_held(category: str, text: str, fields: dict[str, Any]) -> None:
    assert held(context(category=category, headline=text, **fields)) == []


@pytest.mark.parametrize("severity", [Severity.SEVERE, Severity.EXTREME])
@pytest.mark.parametrize("stage", ["opening", "end"])
def test_in_a_severe_incident_only_a_name_a_plate_or_a_number_blocks(severity: Severity, stage: str) -> None:
    for entry in (*corpus.read("tuned"), *corpus.read("held_out_7")):
        if entry.fields["category"] in {"arrest", "armed_threat", "traffic_accident", "police_operation"}:
            where = {"severity": severity, "lifecycle": {"stage": stage, "incident": "i1"}}
            found = run_checks(context(**{**entry.fields, **where}))
            blocking = {finding.code for finding in found if finding.level is Level.BLOCK}
            assert blocking - {"PN107"} <= {"PN202", "PN203", "PN206", "PN207", "PN208"}, entry.text


def test_cutting_the_words_of_a_finding_out_removes_it() -> None:
    count = 0
    for entry in corpus.read("tuned"):
        for finding in entry.findings():
            text = entry.fields.get(finding.field)
            if finding.span and isinstance(text, str):
                start, end = finding.span
                rest = {**entry.fields, finding.field: f"{text[:start]} … {text[end:]}"}
                rule = [each for each in CHECKS if each.code == finding.code]
                before, after = (run_checks(context(**fields), rule) for fields in (entry.fields, rest))
                count += len(after) < len(before)
                assert 0 <= start < end <= len(text)
    assert count >= 100


def test_every_finding_speaks_two_languages_and_quotes_nothing() -> None:
    for entry in corpus.read("tuned"):
        for finding in entry.findings():
            assert all((finding.reason, finding.remedy, finding.reason_fr, finding.remedy_fr, finding.source))
            assert finding.wording("fr-FR") == (finding.reason_fr, finding.remedy_fr)
    found = run_checks(context(category="arrest", headline="Jean Dupont, 06 12 34 56 78, AB-123-CD, a@gmail.com"))
    assert {"PN202", "PN207", "PN208", "PN209"} <= {finding.code for finding in found}
    assert not any(word in str(finding) for finding in found for word in ("Dupont", "06 12", "AB-123", "gmail"))


def _examples() -> list[tuple[str, str, dict[str, Any]]]:
    table = tomllib.loads((corpus.FOLDER / "examples.toml").read_text("utf-8"))
    return [(code, kind, fields) for code, kinds in table.items() for kind, fields in kinds.items()]


@pytest.mark.parametrize(
    ("code", "kind", "fields"), _examples(), ids=[f"{code}-{kind}" for code, kind, _ in _examples()]
)
def test_the_examples_of_the_reference_are_true(code: str, kind: str, fields: dict[str, Any]) -> None:
    found = {finding.code for finding in run_checks(corpus.example(fields))}
    assert (code in found) is (kind == "fails")
