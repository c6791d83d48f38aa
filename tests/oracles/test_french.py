"""The French of the golden pages beside grammalecte, a spelling and grammar checker.

Debian's `python3-grammalecte` has it. Where it is missing, the tests are skipped. `french.toml` names each exemption
and its reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from policenotify.model import places
from tests.oracles.golden_texts import golden_texts, page_texts, pages
from tests.oracles.texts import HERE

PYTHON: Final = "/usr/bin/python3"  # Debian's own, which its packages are for
_PART: Final = re.compile(r"\w+")
EXEMPT: Final[dict[str, Any]] = tomllib.loads((HERE / "french.toml").read_text("utf-8"))


def _installed() -> bool:
    asked = [PYTHON, "-c", "import grammalecte"]
    return Path(PYTHON).exists() and not subprocess.run(asked, capture_output=True, check=False).returncode  # noqa: S603 - our own line


pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not _installed(), reason="apt-get install python3-grammalecte"),
]


class Fault(NamedTuple):
    """A fault in a text: the rule, the words at fault and grammalecte's explanation."""

    rule: str
    words: str
    message: str


def faults_in(*texts: str) -> list[list[Fault]]:
    """Return the faults of each text, those that `french.toml` exempts among them."""
    asked = {"options": dict.fromkeys(EXEMPT["options"], False), "texts": texts}
    done = subprocess.run(  # noqa: S603 - our own script
        [PYTHON, str(HERE / "grammar.py")], input=json.dumps(asked), capture_output=True, encoding="utf-8", check=True
    )
    found = [[Fault(*fault) for fault in faults] for faults in json.loads(done.stdout)]
    refused = [
        [Fault("refused", match[0], why) for rule, why in EXEMPT["refused"].items() if (match := re.search(rule, text))]
        for text in texts
    ]
    return [theirs + ours for theirs, ours in zip(found, refused, strict=True)]


@cache
def _parts_of_names() -> frozenset[str]:
    """Return the words of the names of all communes."""
    codes = ["2A", "2B", *(f"{number:02}" for number in range(1, 1000))]
    names = [commune.name for code in codes for commune in places.communes_of(code)]
    return frozenset(_PART.findall(" ".join(names)))


def exemption_of(fault: Fault) -> str | None:
    """Return the key that exempts a fault, empty for the name of a commune."""
    if fault.rule == "spelling":
        if fault.words[:1].isupper() and set(_PART.findall(fault.words)) <= _parts_of_names():
            return ""
        return next((word for word in EXEMPT["words"] if re.fullmatch(word, fault.words)), None)
    return next((key for key in EXEMPT["faults"] if re.fullmatch(key, f"{fault.rule}: {fault.words}")), None)


@cache
def _checked() -> dict[str, list[Fault]]:
    texts = list(dict.fromkeys(each.text for each in golden_texts()))
    return dict(zip(texts, faults_in(*texts), strict=True))


def test_every_french_text_has_known_words_and_correct_grammar() -> None:
    wrong: dict[Fault, list[str]] = {}
    for page, block, text in golden_texts():
        for fault in _checked()[text]:
            if exemption_of(fault) is None:
                wrong.setdefault(fault, []).append(f"{page} ({block}): {text}")
    told = [
        f"{fault.words!r}: {fault.message} [{fault.rule}]\n  {where[0]}\n  and in {len(where) - 1} other texts"
        for fault, where in wrong.items()
    ]
    assert not told, "\n".join(("", *told, "Correct the text, or name the exemption and its reason in french.toml."))


def test_every_exemption_is_needed_and_has_a_reason() -> None:
    used = {exemption_of(fault) for faults in _checked().values() for fault in faults}
    named = EXEMPT["words"] | EXEMPT["faults"]
    assert set(named) - used == set(), "Remove these exemptions from french.toml: no text needs them."
    assert all((*named.values(), *EXEMPT["options"].values(), *EXEMPT["refused"].values()))


def test_every_page_is_read_whole() -> None:
    assert len(list(pages())) >= 40
    for page in pages():
        size = sum(len(each.text) for each in page_texts(page))
        first = page.read_text("utf-8").partition("\n")[0]
        assert size > 100 or re.search(", (?!fr)[a-z]{2},", first), f"{page.name}: no French text was found in it."


FAULTY: Final = {
    "Evitez le secteur.": "Evitez",
    "La route est fermé.": "fermé",
    "Évacuez a pied.": "a",
    "Accident près de Agde.": "de ",
    "Braderie de la Comédie samedi samedi 6 juin.": "samedi samedi",
    "Rendez-vous le vendredi 4 juin 2026.": "vendredi",
    "Feu d'appartement à Le Crès.": "à Le C",
    "Fermeture de 20h à 0h.": "à 0h",
}


def test_planted_faults_are_found_and_nothing_else() -> None:
    correct = "Feu d'appartement au Crès. Évacuez à pied vers le nord, sauf si l'on vous dit le contraire."
    found = [[fault.words for fault in faults if exemption_of(fault) is None] for faults in faults_in(*FAULTY, correct)]
    assert [faults[:1] for faults in found[:-1]] == [[words] for words in FAULTY.values()]
    assert found[-1] == []
