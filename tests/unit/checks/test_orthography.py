"""Typing faults that are remarked, and clean texts that are not."""

from __future__ import annotations

import pytest

from policenotify.checks import CheckContext, run_checks
from policenotify.findings import Level
from policenotify.model.history import History
from policenotify.model.message import Message
from policenotify.render.locales import PROFILES
from policenotify.testing.samples import PARIS
from policenotify.testing.strategies import NOW

CODES = {"PN405", "PN406", "PN407"}


def _remarks(**texts: object) -> list[tuple[str, str, str]]:
    """Return code, typed text and remedy of each remark."""
    message = Message.model_validate({"category": "fire", "headline": "Feu", **texts})
    return _found(message)


def _found(message: Message) -> list[tuple[str, str, str]]:
    context = CheckContext(
        message=message,
        profile=PROFILES[message.category],
        history=History(),
        is_commune=lambda _: True,
        now=NOW,
        zone=PARIS,
    )
    found = []
    for finding in run_checks(context):
        if finding.code in CODES:
            assert finding.level is Level.ADVISE
            assert finding.span
            texts = {
                "headline": message.headline,
                "description": message.description,
                "instruction": message.instruction,
            }
            start, end = finding.span
            found.append((finding.code, texts[finding.field][start:end], str(finding.remedy)))
    return found


@pytest.mark.parametrize(
    ("typed", "code", "excerpt"),
    [
        ("Evitez le secteur", "PN405", "Evitez"),
        ("AVP entre un VL et un PL", "PN405", "AVP"),
        ("Évitez le secteur !!!", "PN407", "!!!"),
        ("Incendie:fumées", "PN407", "Incendie:fumées"),
    ],
)
def test_a_typing_fault_is_remarked_where_it_stands(typed: str, code: str, excerpt: str) -> None:
    assert (code, excerpt) in [found[:2] for found in _remarks(headline=typed)]


def test_the_remedy_names_the_right_word() -> None:
    assert _remarks(instruction="Evitez le secteur.") == [("PN405", "Evitez", "Write “Évitez”.")]


@pytest.mark.parametrize(
    "typed",
    [
        "Évitez le secteur : fumées, odeurs.",
        "Le RAID et la BRI sont sur place.",
        "Vous l'avez vu ? Appelez le 17 !",
        "La place d'Avp",
    ],
)
def test_a_clean_text_is_not_remarked(typed: str) -> None:
    assert _remarks(description=typed) == []


def test_each_language_has_its_own_words() -> None:
    assert _remarks(language="en", headline="HGV on fire", instruction="Evitez.") == [
        ("PN405", "HGV", "Write “lorry”.")
    ]
