"""A text that is not finished is refused."""

from __future__ import annotations

import pytest

from policenotify.checks import run_checks
from policenotify.findings import Level
from tests.support.checks import context

BAD = [
    "Accident à [LIEU]",
    "Accident rue XXX",
    "Bonjour {nom}, évitez le secteur",
    "Message à compléter",
    "Prochain point à ????",
]
GOOD = [
    "Test mensuel des sirènes mercredi à midi",
    "[COLIS SUSPECT] Évitez le secteur",
    "Fermeture au XXe siècle",
    "Une pièce de xx euros",
    "Formulaire à compléter en ligne",
]


@pytest.mark.parametrize("headline", BAD)
def test_an_unfinished_text_is_refused(headline: str) -> None:
    findings = [one for one in run_checks(context(headline=headline)) if one.code == "PN423"]
    assert findings
    for finding in findings:
        assert finding.level is Level.BLOCK
        assert finding.span
        start, end = finding.span
        rest = headline[:start] + headline[end:]
        assert finding.reason_fr
        assert len([one for one in run_checks(context(headline=rest)) if one.code == "PN423"]) < len(findings)


@pytest.mark.parametrize("headline", GOOD)
def test_a_finished_text_passes(headline: str) -> None:
    assert [one for one in run_checks(context(headline=headline)) if one.code == "PN423"] == []
