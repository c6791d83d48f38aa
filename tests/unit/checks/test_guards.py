"""The guards on the corpus: what must be found, what must pass, and what no spelling hides."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.checks import CHECKS, Vocabulary, WordListChange, run_checks
from policenotify.findings import Level
from policenotify.model.message import Message
from tests.support import corpus
from tests.support.checks import context

TUNED: Final = corpus.read("tuned")
HELD_OUT: Final = (*corpus.read("held_out"), *corpus.read("held_out_2"))
BLOCKED: Final = [entry for entry in TUNED if entry.level is Level.BLOCK and "images" not in entry.fields]
LOOK_ALIKES: Final = str.maketrans("aceopxyi", "асеорхуі")  # Cyrillic
FULL_WIDTH: Final = {ord(letter): ord(letter) + 0xFEE0 for letter in "abcdefghijklmnopqrstuvwxyz"}


def _id(entry: corpus.Entry) -> str:
    return f"{entry.line}-{entry.category}"


@pytest.mark.parametrize("entry", TUNED, ids=_id)
def test_what_must_be_found_is_found_and_the_rest_passes(entry: corpus.Entry) -> None:
    assert not entry.missed
    assert not entry.false_alarm
    if entry.level:
        assert entry.code in {finding.code for finding in entry.findings()}


def test_messages_that_the_rules_were_not_tuned_on() -> None:
    clean = [entry for entry in HELD_OUT if entry.level is None]
    assert [entry.text for entry in HELD_OUT if entry.missed and entry.level is Level.BLOCK] == []
    seconds = [entry for entry in HELD_OUT if entry.level is Level.SECOND]
    assert sum(entry.missed for entry in seconds) <= 0.03 * len(seconds)
    assert sum(entry.false_alarm for entry in clean) <= 0.02 * len(clean)


def test_the_corpus_of_a_stranger_stays_found() -> None:
    """Looked at once on 26 November 2026 (figures in the file). This holds what was mended after it."""
    entries = corpus.read("held_out_3")
    assert {entry.code for entry in entries if entry.missed} <= {"PN215", "PN218"}
    assert [entry.text for entry in entries if entry.false_alarm] == []


@pytest.mark.parametrize(
    ("code", "category", "text"),
    [
        ("PN201", "arrest", "Deux hommes ont saccagé puis pillé un magasin."),
        ("PN201", "arrest", "Les pillards de la zone commerciale ont été interpellés."),
        ("PN202", "arrest", "La présidente du club de rugby a été entendue."),
        ("PN204", "traffic_accident", "La cycliste décédée était infirmière."),
        ("PN204", "fire", "La personne morte vivait au deuxième étage."),
        ("PN205", "arrest", "Un homme soupçonné de viol sur ses propres enfants."),
        ("PN207", "police_operation", "Voiture en fuite, plaque espagnole 1234 BCD."),
        ("PN217", "burglary_prevention", "Cacher sa clé sous le pot, c'est tenter le diable."),
        ("PN301", "police_operation", "Des tireurs de précision sont postés dans la rue."),
        ("PN307", "burglary_prevention", "Il suffit de casser le cylindre avec une pince."),
        ("PN308", "traffic_accident", "La conductrice roulait trop vite."),
        ("PN423", "fire", "Feu d'entrepôt [à confirmer]"),
    ],
)
def test_a_sibling_of_what_the_stranger_found(code: str, category: str, text: str) -> None:
    found = run_checks(context(category=category, lifecycle={}, headline=text, basis=[{"who": "prosecutor"}]))
    assert code in {finding.code for finding in found}


@pytest.mark.parametrize(
    ("category", "text"),
    [
        ("traffic_accident", "Un homme est mort malgré les soins d'un médecin."),
        ("police_operation", "Plaque tournante du trafic : 135 euros saisis."),
        ("arrest", "Deux RIB et un IBAN falsifiés ont été saisis."),
        ("arrest", "L'heure de la conférence reste à préciser."),
        ("planned_event", "La radiographie de la délinquance en 2025."),
    ],
)
def test_a_harmless_sibling_passes(category: str, text: str) -> None:
    found = run_checks(context(category=category, lifecycle={}, headline=text, basis=[{"who": "prosecutor"}]))
    assert not [one for one in found if one.code[:3] in {"PN2", "PN3"} or one.code == "PN423"]


def test_the_corpus_has_an_example_of_every_guard() -> None:
    codes = {check.code for check in CHECKS if check.code.startswith(("PN2", "PN3")) or check.code == "PN423"}
    assert codes == {entry.code for entry in TUNED if entry.code}
    assert len(TUNED) + len(HELD_OUT) >= 300
    assert len(HELD_OUT) >= 120


SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "soft hyphens": "\u00ad".join,
    "zero-width spaces": "\u200b".join,
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "two spaces": lambda text: text.replace(" ", "  "),
    "decomposed accents": lambda text: unicodedata.normalize("NFD", text),
    "Cyrillic letters": lambda text: text.translate(LOOK_ALIKES),
    "full width": lambda text: text.translate(FULL_WIDTH),
    "typographic apostrophes": lambda text: text.replace("'", "’"),
    "variation selectors": "\ufe0f".join,
    "narrow spaces": lambda text: text.replace(" ", "\u202f"),
}


@pytest.mark.parametrize("entry", BLOCKED, ids=_id)
@given(chosen=st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=1, max_size=4, unique=True))
def test_no_spelling_hides_what_is_blocked(entry: corpus.Entry, chosen: list[str]) -> None:
    if entry.code == "PN423":  # a desk's own slip, which nobody hides
        return
    text = entry.text
    for name in chosen:
        text = SPELLINGS[name](text)
    fields = {**entry.fields, "headline": "Information", "description": text}
    assert any(one.level is Level.BLOCK for one in run_checks(context(**fields))), (chosen, text)


WHOLE: Final[dict[str, Callable[[str], str]]] = {
    "capitals": str.upper,
    "letters apart": lambda text: "  ".join(" ".join(word) if word.isalpha() else word for word in text.split(" ")),
    "dots between letters": lambda text: " ".join(".".join(word) if word.isalpha() else word for word in text.split()),
    "without accents": lambda text: "".join(filter(str.isascii, unicodedata.normalize("NFD", text))),
}


@pytest.mark.parametrize("spelling", WHOLE)
def test_no_spelling_of_the_whole_text_hides_what_is_blocked(spelling: str) -> None:
    for entry in BLOCKED:
        # What nobody hides, and a name in a hashtag, which only its capitals divide.
        if entry.code == "PN423" or "#" in entry.text:
            continue
        text = WHOLE[spelling](entry.text)
        found = run_checks(context(**{**entry.fields, "headline": "Information", "description": text}))
        assert any(one.level is Level.BLOCK for one in found), text


WORDS: Final = ["coupable", "meurtrier", "cambrioleur", "racaille", "pyromane", "trafiquant", "vermine", "kidnappeur"]


@given(
    word=st.sampled_from(WORDS),
    sign=st.sampled_from([" ", ".", "-", "*", "_", "\u00a0", "\u202f"]),
    figures=st.booleans(),
    capitals=st.booleans(),
)
def test_letters_apart_figures_for_letters_and_capitals_hide_nothing(
    word: str, sign: str, *, figures: bool, capitals: bool
) -> None:
    spelt = word.translate(str.maketrans("oiea", "0134")) if figures else word
    spelt = spelt.upper() if capitals else spelt
    written = spelt if figures else sign.join(spelt)
    text = f"Cet homme est un {written} notoire."
    assert any(one.level is Level.BLOCK for one in run_checks(context(category="arrest", headline=text)))


@pytest.mark.parametrize("entry", [entry for entry in TUNED if entry.level], ids=_id)
def test_cutting_a_span_out_removes_its_finding(entry: corpus.Entry) -> None:
    for finding in entry.findings():
        if finding.span is None or finding.field not in entry.fields:
            continue
        start, end = finding.span
        text = entry.fields[finding.field]
        assert 0 <= start < end <= len(text)
        fields = {**entry.fields, finding.field: f"{text[:start]} … {text[end:]}"}
        left = [one for one in run_checks(context(**fields)) if (one.code, one.field) == (finding.code, finding.field)]
        before = [one for one in entry.findings() if (one.code, one.field) == (finding.code, finding.field)]
        assert len(left) < len(before)


def test_every_finding_tells_an_officer_in_two_languages_what_to_do() -> None:
    for entry in TUNED:
        for finding in entry.findings():
            assert all((finding.reason, finding.remedy, finding.reason_fr, finding.remedy_fr, finding.source))
            assert finding.wording("fr-FR") == (finding.reason_fr, finding.remedy_fr)
            assert finding.wording("en") == (finding.reason, finding.remedy)


def test_reason_and_remedy_hold_no_words_of_the_message() -> None:
    found = run_checks(context(category="arrest", headline="Jean Dupont, 06 12 34 56 78, AB-123-CD, a@gmail.com"))
    assert {"PN202", "PN207", "PN208", "PN209"} <= {finding.code for finding in found}
    assert not any(word in str(finding) for finding in found for word in ("Dupont", "06 12", "AB-123", "gmail"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("translations", [{"language": "en", "headline": "Mr John Barker was arrested"}]),
        ("images", [{"alt": "Portrait de Karim Benali, l'homme recherché", "digest": "0" * 64}]),
        ("location", {"commune": "34172", "label": "chez M. Bernard Lopez"}),
        ("location", {"commune": "34172", "label": "domicile de Karim Bensalah"}),
        ("hashtags", ["KarimBensalah"]),
        ("known", {"confirmed": "Karim Bensalah est blessé.", "unconfirmed": "La cause de l'accident."}),
        ("source", "Mme Karima Bensalah"),
    ],
)
def test_every_text_of_a_message_is_checked(field: str, value: Any) -> None:
    assert "PN202" in {finding.code for finding in run_checks(context(category="police_operation", **{field: value}))}


def test_the_streets_and_the_line_of_a_place_bear_names() -> None:
    place = {"commune": "34172", "between": ["rue Jean Dupont", "avenue Paul Bernard"], "line": "ligne Jean Moulin"}
    found = run_checks(context(location=place, description="La rue Jean Dupont est fermée."))
    assert "PN202" not in {finding.code for finding in found}


def test_the_name_of_a_file_is_checked() -> None:
    named = replace(context(), file_names=(("fr", "images.0.path", "Karim Bensalah.jpg"),))
    [finding] = [one for one in run_checks(named) if one.code == "PN202"]
    assert (finding.field, finding.span) == ("images.0.path", (0, 14))


def test_an_agreement_lowers_what_it_covers() -> None:
    minor: dict[str, Any] = {"category": "missing_person", "headline": "Disparition de Lucas, 12 ans"}
    free, agreed = (
        {one.code: one.level for one in run_checks(context(**minor, basis=basis))}
        for basis in ([], [{"who": "guardian"}])
    )
    assert (free["PN203"], free["PN214"]) == (Level.BLOCK, Level.SECOND)
    assert agreed["PN203"] is Level.SECOND
    assert "PN214" not in agreed


def test_an_end_needs_no_second_person_and_names_nobody_all_the_same() -> None:
    ended: dict[str, Any] = {"category": "traffic_accident", "lifecycle": {"stage": "end", "incident": "i1"}}
    drunk = run_checks(context(**ended, headline="Le conducteur ivre est parti, la circulation est rétablie"))
    assert [(one.code, one.level) for one in drunk if one.code == "PN308"] == [("PN308", Level.ADVISE)]
    named = run_checks(context(**ended, headline="Jean Dupont est parti, la circulation est rétablie"))
    assert Level.BLOCK in {one.level for one in named if one.code == "PN202"}


def test_a_desk_adds_words_and_switches_lists_off() -> None:
    insulted = context(category="demonstration", headline="Ces olibrius et ces racailles partent")
    codes = [one.code for one in run_checks(insulted)]
    assert codes.count("PN216") == 1
    more = replace(insulted, words=Vocabulary({"insult": WordListChange(add=("olibrius",))}))
    assert [one.code for one in run_checks(more)].count("PN216") == 2
    off = replace(insulted, words=Vocabulary({"insult": WordListChange(off="Le parquet les cite dans ses avis.")}))
    assert "PN216" not in {one.code for one in run_checks(off)}


def test_the_numbers_of_the_service_are_allowed() -> None:
    mobile = context(headline="Appelez le 06 12 34 56 78")
    assert "PN208" in {one.code for one in run_checks(mobile)}
    own = replace(mobile, words=Vocabulary({"service_numbers": WordListChange(add=("06 12 34 56 78",))}))
    assert "PN208" not in {one.code for one in run_checks(own)}


def test_a_message_of_another_service_is_read_with_its_basis() -> None:
    message = Message.model_validate(
        {"category": "arrest", "headline": "Fin", "basis": [{"who": "prosecutor", "reference": "2026/12"}]}
    )
    assert Message.model_validate_json(message.model_dump_json()) == message
