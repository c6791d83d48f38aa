"""The guards on the corpus: what must be found, what must pass, and what no spelling hides."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any, Final

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from policenotify.checks import CHECKS, CheckContext, Vocabulary, WordListChange, quotable_texts, run_checks
from policenotify.checks.words import shipped_words
from policenotify.findings import Level
from policenotify.model.message import Message
from tests.support import corpus
from tests.support.checks import context

TUNED: Final = corpus.read("tuned")
HELD_OUT: Final = (*corpus.read("held_out"), *corpus.read("held_out_2"))
LOOK_ALIKES: Final = str.maketrans("aceopxyi", "асеорхуі")  # Cyrillic
FULL_WIDTH: Final = {ord(letter): ord(letter) + 0xFEE0 for letter in "abcdefghijklmnopqrstuvwxyz"}


_GUARD: Final = re.compile("PN[23]|PN423")

DISPUTED: Final = {"held_out_5": 1, "rephrased_4": 1}
"""Messages whose author reads the table otherwise: an old number is advised, an appeal with a plate that the prosecutor
agreed to needs a second person, and a joke without a word for one passes."""


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


def test_a_corpus_of_another_author_without_changes_after_it_is_found_as_at_first_sight() -> None:
    """Looked at once on 26 November 2026, and no rule was changed after it. The documentation states these figures."""
    entries = corpus.read("held_out_7")
    missed = [entry.level for entry in entries if entry.missed]
    assert missed.count(Level.BLOCK) <= 3
    assert missed.count(Level.SECOND) <= 2
    assert sum(entry.false_alarm for entry in entries) <= 1


@pytest.mark.parametrize("name", ["held_out_3", "held_out_4", "held_out_5", "held_out_6", "rephrased_4", "rephrased_5"])
def test_the_corpus_of_another_author_stays_found(name: str) -> None:
    """Looked at first on 26 November 2026 (figures in the files). This holds what was mended after it."""
    entries = corpus.read(name)
    missed = [entry for entry in entries if entry.missed]
    assert [entry.text for entry in missed if entry.level is Level.BLOCK] == []
    assert len(missed) <= DISPUTED.get(name, 0)
    assert sum(entry.false_alarm for entry in entries) <= DISPUTED.get(name, 0)


@pytest.mark.parametrize("name", ["rephrased", "rephrased_2", "rephrased_3", "rephrased_6", "rephrased_7"])
def test_ordinary_rephrasings_are_found(name: str) -> None:
    entries = corpus.read(name)
    assert [entry.text for entry in entries if entry.missed] == []
    assert [entry.text for entry in entries if entry.false_alarm] == []


@pytest.mark.parametrize(
    ("code", "category", "text"),
    [
        ("PN202", "arrest", "La directrice du Crédit Agricole a été entendue."),
        ("PN208", "missing_person", "Appelez sa tante au +48 22 123 45 67."),
        ("PN211", "fire", "Une habitante enceinte a été évacuée."),
        ("PN310", "fire", "Plus d'informations : bit.ly/abc"),
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
def test_a_sibling_of_what_another_author_found(code: str, category: str, text: str) -> None:
    found = run_checks(context(category=category, lifecycle={}, headline=text, basis=[{"who": "prosecutor"}]))
    assert code in {finding.code for finding in found}


@pytest.mark.parametrize(
    ("category", "text"),
    [
        ("traffic_accident", "Un homme est mort malgré les soins d'un médecin."),
        ("arrest", "On ne a 3 choix."),
        ("road_closure", "Les travaux de #%s sont finis." % ("abc" * 30)),
        ("police_operation", "Les policiers occupent la rue et surveillent la place. Le toit est intact."),
        ("arrest", "Il les a volontairement aidés. La foudre a frappé."),
        ("arrest", "Frappé à la tête, un homme a été soigné. Volé : un vélo."),
        ("arrest", "Théâtre : la marionnette de Guignol de Lyon."),
        ("traffic_accident", "Immatriculation masquée par un autocollant."),
        ("traffic_accident", "Une pièce de xx euros."),
        ("road_safety", "Éthylotests offerts place de la Comédie."),
        ("police_operation", "Plaque tournante du trafic : 135 euros saisis."),
        ("arrest", "Deux RIB et un IBAN falsifiés ont été saisis."),
        ("arrest", "L'heure de la conférence reste à préciser."),
        ("planned_event", "La radiographie de la délinquance en 2025."),
        ("police_operation", "Rendez-vous au commissariat, avenue du Docteur-Pezet 206."),
        ("fire", "Une dépression arrive, vent fort sur le littoral."),
        ("traffic_accident", "Un blessé est soigné par le boulanger de la"),
        ("police_operation", "Les équipes sont prêtes à intervenir."),
        ("road_safety", "Contrôles routiers entre amis et voisins."),
        ("traffic_accident", "Une victime est soignée. Le suspect, domicilié à Agde, est entendu."),
    ],
)
def test_a_harmless_sibling_passes(category: str, text: str) -> None:
    found = run_checks(context(category=category, lifecycle={}, headline=text, basis=[{"who": "prosecutor"}]))
    assert not [one for one in found if one.code[:3] in {"PN2", "PN3"} or one.code == "PN423"]


def test_pictures_of_minors_and_their_translated_descriptions_are_judged() -> None:
    found = run_checks(
        context(
            category="missing_person",
            headline="Une fille de 12 ans a disparu",
            images=[{"alt": "Un blouson bleu sur un banc", "digest": "0" * 64}],
            translations=[{"language": "fr-CA", "headline": "Disparition", "alts": ["Une fillette souriante"]}],
        )
    )
    assert {("PN203", "images.0"), ("PN215", "translations.fr-CA.alts.0")} <= {(one.code, one.field) for one in found}


def test_texts_that_lost_a_house_number_are_not_quoted() -> None:
    message = context(headline="Accident", description="Rue Foch").message
    cut = next(iter(run_checks(context(headline="XXX"))))
    texts = quotable_texts(message, [replace(cut, field="description", span=None)])
    assert (texts["headline"], "description" in texts) == ("Accident", False)


def test_without_a_gazetteer_no_name_is_a_place() -> None:
    usual = context(category="arrest", headline="Accident à Lyon de Pierre Vidal", basis=[{"who": "prosecutor"}])
    plain = CheckContext(
        message=usual.message,
        profile=usual.profile,
        history=usual.history,
        is_commune=usual.is_commune,
        zone=usual.zone,
        now=usual.now,
    )
    assert {"PN202"} <= {finding.code for finding in run_checks(plain)}
    assert "PN417" not in {finding.code for finding in run_checks(plain)}


def test_the_corpus_has_an_example_of_every_guard() -> None:
    codes = {check.code for check in CHECKS if check.code.startswith(("PN2", "PN3")) or check.code == "PN423"}
    assert codes == {entry.code for entry in TUNED if entry.code}
    assert len(TUNED) + len(HELD_OUT) >= 300
    assert len(HELD_OUT) >= 120


HIDDEN: Final = [entry for entry in (*TUNED, *HELD_OUT) if entry.level is Level.BLOCK and "images" not in entry.fields]
SOME: Final = [entry for entry in TUNED if entry in HIDDEN]
"""Those that are spelt in every way. All are judged in capitals, in small letters, and in each spelling once."""

CLEAN: Final = [
    entry
    for name in ("tuned", "held_out", "held_out_2", "linter_tuned", "linter_held_out")
    for entry in corpus.read(name)
    if entry.level is None
]


def _sentences(text: str) -> str:
    """Return a text in small letters, with a capital at the beginning of each sentence."""
    return re.sub(r"(?:^|(?<=[.!?] ))\w", lambda letter: letter[0].upper(), text.lower())


def _apart(text: str, sign: str, pause: str) -> str:
    return pause.join(sign.join(word) if word.isalpha() else word for word in text.split(" "))


SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "as typed": str,
    "soft hyphens": "\u00ad".join,
    "zero-width spaces": "\u200b".join,
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "two spaces": lambda text: text.replace(" ", "  "),
    "decomposed accents": lambda text: unicodedata.normalize("NFD", text),
    "without accents": lambda text: "".join(
        letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter)
    ),
    "Cyrillic letters": lambda text: text.translate(LOOK_ALIKES),
    "full width": lambda text: text.translate(FULL_WIDTH),
    "typographic apostrophes": lambda text: text.replace("'", "’"),
    "variation selectors": "\ufe0f".join,
    "narrow spaces": lambda text: text.replace(" ", "\u202f"),
}
CASES: Final[dict[str, Callable[[str], str]]] = {
    "as typed": str,
    "small letters": str.lower,
    "capitals": str.upper,
    "capitals of words": str.title,
    "capitals for small letters": str.swapcase,
    "sentences in small letters": _sentences,
}
WHOLE: Final[dict[str, Callable[[str], str]]] = {
    "letters apart": lambda text: _apart(text, " ", "  "),
    "letters apart without a pause": lambda text: _apart(text, " ", " "),
    "dots between letters": lambda text: _apart(text, ".", " "),
    "hyphens between letters": lambda text: _apart(text, "-", " "),
    "figures for vowels": lambda text: text.translate(str.maketrans("oiea", "0134")),
    "figures for letters": lambda text: text.translate(str.maketrans("olest", "01357")),
}
# Limits, as docs/explanation/lawful-words.md names them: the fewest words with figures in all of a text.
PASSING: Final[dict[str, int]] = {"letters apart without a pause": 1, "figures for letters": 3}


def _passes(entry: corpus.Entry, text: str) -> bool:
    fields = {**entry.fields, "headline": "Information", "description": text}
    return all(one.level is not Level.BLOCK for one in run_checks(context(**fields)))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_hides_what_is_blocked(spelling: str, case: str) -> None:
    """Spelling and case do not depend on the rule: a third of the texts has each pair, and every text each of them."""
    alone = "as typed" in {spelling, case}
    pair = list(SPELLINGS).index(spelling) + list(CASES).index(case)
    entries = HIDDEN if alone else SOME[pair % 3 :: 3]
    texts = [(entry, SPELLINGS[spelling](CASES[case](entry.text))) for entry in entries]
    assert [text for entry, text in texts if _passes(entry, text)] == []


@given(data=st.data(), case=st.sampled_from(sorted(CASES)), chosen=st.sets(st.sampled_from(sorted(SPELLINGS))))
def test_no_mixture_of_spellings_hides_what_is_blocked(data: st.DataObject, case: str, chosen: set[str]) -> None:
    entry = data.draw(st.sampled_from(HIDDEN))
    text = CASES[case](entry.text)
    for name in sorted(chosen):
        text = SPELLINGS[name](text)
    assert not _passes(entry, text), text


@pytest.mark.parametrize("case", ["as typed", "small letters", "capitals"])
@pytest.mark.parametrize("spelling", WHOLE)
def test_no_spelling_of_the_whole_text_hides_what_is_blocked(spelling: str, case: str) -> None:
    texts = [(entry, WHOLE[spelling](CASES[case](entry.text))) for entry in HIDDEN]
    passing = [text for entry, text in texts if _passes(entry, text)]
    assert len(passing) <= PASSING.get(spelling, 0), passing


@pytest.mark.parametrize("case", ["small letters", "sentences in small letters"])
def test_a_clean_text_in_small_letters_passes(case: str) -> None:
    alarms = [
        entry.text
        for entry in CLEAN
        if any(
            one.code.startswith(("PN2", "PN3", "PN423")) and one.level is not Level.ADVISE
            for one in run_checks(context(**{**entry.fields, "description": CASES[case](entry.text)}))
        )
    ]
    assert len(alarms) <= 0.02 * len(CLEAN), alarms


@pytest.mark.parametrize("spelling", ["small letters", "capitals", "capitals for small letters", "capitals of words"])
def test_a_name_is_found_however_its_letters_are_written(spelling: str) -> None:
    """Only what is found is spelt otherwise, in a text that stays as it is."""
    for entry in HIDDEN:
        fields = {**entry.fields, "headline": "Information", "description": entry.text}
        found = {one.span for one in run_checks(context(**fields)) if one.level is Level.BLOCK}
        text = entry.text
        for start, end in sorted(filter(None, found), reverse=True):
            text = text[:start] + CASES[spelling](text[start:end]) + text[end:]
        assert not _passes(entry, text), text


@pytest.mark.parametrize(
    "text",
    [
        "L'enquête vise kevin martin.",
        "L'enquête vise julie m. depuis hier.",
        "La victime, pierre vidal, est à l'hôpital.",
        "L'arrestation de rose martin a eu lieu à Agde.",
        "Pierre vidal (50 ans) se promenait.",
        "Un accord avec marc-antoine delorme est trouvé.",
        "Interpellation du footballeur k. benrahma à Agde.",
        "#KARIMBENSALAH INTERPELLÉ",
        "#kArImBeNsAlAh interpellé à Agde",
        "J e a n D u p o n t est parti d'Agde.",
        "Ju1i3n est parti d'Agde.",
        "J34n Dupont est parti d'Agde.",
        "Le domicile de la famille montagné, à Agde.",
        "Appel de la famille cazalis à la population d'Agde.",
    ],
)
def test_a_name_without_its_capitals_is_a_name(text: str) -> None:
    found = run_checks(context(category="police_operation", description=text))
    assert "PN202" in {finding.code for finding in found}


@pytest.mark.parametrize(
    "text",
    [
        "Une voiture blanche renversée à Agde.",
        "M. l'inspecteur d'académie est venu à Agde.",
        "Une pierre, blanche, est tombée à Agde.",
        "La marine interpelle un navire, 20 ans après.",
        "Pierre blanche, 2 ans de travaux à Agde.",
        "La famille remercie les secours.",
        "La famille est proche.",
        "La famille monoparentale, relogée, va bien.",
        "Le samedi 8 mars deux blessés à Agde.",
        "Le quai a. Sortez.",
        "#marinenationale : portes ouvertes à Agde",
        "#Marineinterpelle",
        "A T T E N T I O N, rue fermée",
        "rose, bleu et blanc",
        "rue de la pierre",
        "Notre site : pierre-vidal.example, contact@pierre.example",
        "saint-pierre-la-mer",
    ],
)
def test_a_word_that_is_a_name_too_is_a_word(text: str) -> None:
    found = run_checks(context(category="police_operation", description=text))
    assert "PN202" not in {finding.code for finding in found}


@pytest.mark.parametrize(
    "text",
    [
        "un adolescent du quartier sensible interpellé",
        "un adolescent renversé devant le collège lundi",
        "une lycéenne du lycée professionnel est blessée",
        "une lycéenne blessée devant son lycée",
        "une lycéenne blessée devant le lycée, rue fermée",
        "une lycéenne blessée devant le lycée fermé",
    ],
)
def test_a_school_or_quarter_without_a_name_identifies_nobody(text: str) -> None:
    found = run_checks(context(category="police_operation", headline=text, instruction=""))
    assert "PN203" not in {finding.code for finding in found}


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        ("V0leurs et vict1mes à Agde", "chiffres"),
        ("L e  m a r c h é  d u  s a m e d i  e s t  f e r m é", "lettres sont séparées"),
    ],
)
def test_a_text_that_no_check_can_read_is_refused(text: str, variant: str) -> None:
    found = [one for one in run_checks(context(headline=text)) if one.code == "PN423"]
    assert found
    assert all(one.level is Level.BLOCK and variant in one.reason_fr for one in found)


def test_ordinary_figures_in_words_are_not_refused() -> None:
    text = (
        "Lignes L1bis et L2ter, GIGN34, 18h30, A9, H5N1, @sdis34ab, https://a1bcd.example/x2yz3ab #Plan3Eaux, covid19x"
    )
    assert "PN423" not in {one.code for one in run_checks(context(headline=text))}


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


def _cut(fields: dict[str, Any]) -> int:
    """Cut each span out of its text, require that its finding is gone, and return how many spans were cut."""
    found = [one for one in run_checks(context(**fields)) if _GUARD.match(one.code)]
    count = 0
    for finding in found:
        text = fields.get(finding.field)
        if finding.span is None or text is None:
            continue
        start, end = finding.span
        assert 0 <= start < end <= len(text)
        shorter = {**fields, finding.field: f"{text[:start]} … {text[end:]}"}
        kind = (finding.code, finding.field, finding.reason)
        kinds = (
            [(one.code, one.field, one.reason) for one in each] for each in (run_checks(context(**shorter)), found)
        )
        after, before = (list(each).count(kind) for each in kinds)
        assert after < before, (finding.code, text, text[start:end])
        count += 1
    return count


def test_cutting_a_span_out_of_any_text_of_the_corpus_removes_its_finding() -> None:
    entries = [entry for entry in (*TUNED, *HELD_OUT) if entry.level]
    counts = [_cut(entry.fields) for entry in entries]
    assert sum(counts) > len(entries)
    # The others are found in no text but in data that is missing: an agreement, a link.
    assert sum(count > 0 for count in counts) > 0.9 * len(entries)


@given(
    pieces=st.lists(
        st.sampled_from([entry.text for entry in HIDDEN])
        | st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=12),
        min_size=1,
        max_size=4,
    ),
    category=st.sampled_from(sorted({entry.category for entry in HIDDEN})),
    case=st.sampled_from(sorted(CASES)),
    spelling=st.sampled_from(sorted(SPELLINGS)),
)
def test_cutting_a_span_out_of_any_text_removes_its_finding(
    pieces: list[str], category: str, case: str, spelling: str
) -> None:
    text = SPELLINGS[spelling](CASES[case](" ".join(pieces)))
    event("found" if _cut({"category": category, "headline": "Information", "description": text}) else "clean")


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


def test_the_translated_description_of_a_picture_is_checked() -> None:
    translation = {"language": "en", "headline": "Arrest", "alts": ["Mr John Barker"]}
    picture = {"alt": "Une rue", "digest": "0" * 64}
    found = run_checks(context(category="police_operation", images=[picture], translations=[translation]))
    assert ("PN202", "translations.en.alts.0") in {(finding.code, finding.field) for finding in found}


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("400 élèves de CM2 ont passé leur permis piéton.", False),
        ("Les collégiens de l'école Pasteur ont visité nos locaux.", False),
        ("Trois classes de sixième sont venues.", False),
        ("Un élève de CM2 a passé son permis piéton.", True),
        ("Deux élèves de CM2 ont gagné.", True),
        ("20 élèves de CM2 ont été évacués.", True),
        ("20 élèves de CM2 ont été entendus ; l'un est mis en cause.", True),
        ("Une adolescente, licenciée au club de Lattes, a gagné.", True),
    ],
)
def test_many_pupils_are_no_minor_unless_something_happened_to_them(text: str, *, refused: bool) -> None:
    found = run_checks(context(category="life_of_service", lifecycle={}, headline=text))
    assert ("PN203" in {finding.code for finding in found}) is refused


@pytest.mark.parametrize("text", ["KARIM DUPONT INTERPELLÉ HIER À SÈTE", "KARIM BENALI, KARIM BENALI INTERPELLÉ"])
def test_a_name_in_a_line_of_capitals_is_refused(text: str) -> None:
    assert "PN202" in {finding.code for finding in run_checks(context(category="arrest", headline=text))}


def test_a_name_that_stands_twice_is_refused_twice() -> None:
    text = "Karim Benali, soupçonné de vol, et Karim Police. Karim Benali a été entendu."
    found = [one for one in run_checks(context(category="arrest", headline=text)) if one.code == "PN202"]
    assert len(found) == 3


def test_the_home_of_a_minor_is_refused() -> None:
    found = run_checks(context(category="arrest", headline="Le mineur de 15 ans habite rue Foch."))
    assert "PN203" in {finding.code for finding in found}


def test_the_health_of_a_victim_is_asked_about_and_that_of_a_suspect_refused() -> None:
    levels = {
        text: {one.level for one in run_checks(context(category="arrest", headline=text)) if one.code == "PN211"}
        for text in ("Agression d'une femme enceinte : un homme interpellé.", "Un homme schizophrène interpellé.")
    }
    assert list(levels.values()) == [{Level.SECOND}, {Level.BLOCK}]


@pytest.mark.parametrize(
    ("number", "level"), [("0 811 02 02 17", Level.ADVISE), ("0 800 112 112", Level.SECOND)], ids=["old", "usurped"]
)
def test_an_old_number_is_advised_against_and_a_usurped_one_asked_about(number: str, level: Level) -> None:
    found = run_checks(context(category="scam_cyber", lifecycle={}, headline=f"Appelez le {number}."))
    assert {one.level for one in found if one.code == "PN310"} == {level}


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


def test_a_name_ends_with_its_line() -> None:
    for between, named in ((" ", True), ("\n", False)):
        text = f"Information au conducteur Zibou{between}Tarbek est une rue."
        found = run_checks(context(category="traffic_accident", description=text))
        assert ("PN202" in {one.code for one in found}) is named


def test_a_bracket_that_never_closes_is_closed_by_the_end() -> None:
    words = Vocabulary({"insult": WordListChange(add=("grand ((sot|niais)",))})
    found = run_checks(replace(context(category="fire", headline="Un grand niais !"), words=words))
    assert "PN216" in {one.code for one in found}


def test_an_offence_of_the_desk_is_found_in_every_form_of_its_verb() -> None:
    words = Vocabulary({"crime_verb": WordListChange(add=("bazarder", "faire un casse"))})
    for text in ("Il a tout bazardé.", "Ils bazardaient des vélos.", "Il s'est enrichi en bazardant des vélos."):
        arrest = context(category="arrest", headline=text, basis=[{"who": "prosecutor"}])
        assert "PN201" not in {one.code for one in run_checks(arrest)}
        assert "PN201" in {one.code for one in run_checks(replace(arrest, words=words))}


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


@pytest.mark.parametrize("language", ["", "fr", "en"])
def test_shipped_lists_are_read_as_toml_has_them(language: str) -> None:
    name = f"words.{language}.toml" if language else "words.toml"
    tables = tomllib.loads((files("policenotify.checks") / "data" / name).read_text("utf-8"))
    assert shipped_words(language) == {name: tuple(table["words"]) for name, table in tables.items()}
