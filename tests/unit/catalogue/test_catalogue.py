"""The search for the template of a text, and its translation."""

from __future__ import annotations

import pytest

from policenotify.catalogue.catalogue import Catalogue, catalogue_of, localized
from policenotify.catalogue.template import Template
from policenotify.errors import MessageTooLong

FORMS = {"quoted": "«{}»", "moment": "{day}/{month}/{year} {clock}", "before_stop": "_"}
FRENCH = Catalogue(
    "fr",
    {
        "Nothing was sent. {0}": "Rien n'a été envoyé. {0!t}",
        "The channel {0} is blocked: {1}": "Le canal {0} est bloqué : {1!t}",
        "The token is wrong.": "Le jeton est faux.",
        "Make a new one.": "Faites-en un autre.",
        "{0} is not a channel.": "{0} n'est pas un canal.",
        "{0} is not a time; {1}": "{0} n'est pas une heure ; {1}",
        "Invalid value for {0}: {1}": "Valeur incorrecte pour {0} : {1!t}",
        "Opened {0}.": "Ouvert le {0}.",
        "It is over.": "C'est fini.",
        "{0:d} posted": ["{0} publié", "{0} publiés"],
        "held": "à trancher",
        "follow {0}": "follows={0}",
    },
    FORMS,
)


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("The token is wrong.", "Le jeton est faux."),
        ("  The token is wrong.\n", "  Le jeton est faux.\n"),
        ("'sms' is not a channel.", "«sms» n'est pas un canal."),
        ("follow 'sms'", "follows='sms'"),
        ("Nothing was sent. 'sms' is not a channel.", "Rien n'a été envoyé. «sms» n'est pas un canal."),
        (
            "The channel 'x' is blocked: The token is wrong. Make a new one.",
            "Le canal «x» est bloqué : Le jeton est faux. Faites-en un autre.",
        ),
        ("Opened 2026-11-26 18:30. It is over.", "Ouvert le 26/11/2026 18:30. C'est fini."),
        ("→ Make a new one.", "→ Faites-en un autre."),
        ("Invalid value for --x: 'y' is not a time; 1", "Valeur incorrecte pour --x : «y» n'est pas une heure ; 1"),
        ("sms: held (3 posted, 1,000 posted)", "sms_: à trancher (3 publiés, 1,000 publiés)"),
        ("0 posted", "0 publié"),
        ("many posted", "many posted"),
    ],
)  # fmt: skip
def test_a_text_is_translated_with_the_texts_inside_it(english: str, french: str) -> None:
    assert FRENCH.translate(english) == french


@pytest.mark.parametrize("text", ["", "   ", "…", "2026", "Accident de la circulation", "A server's own words: x; y."])
def test_what_the_catalogue_lacks_stays_as_it_is(text: str) -> None:
    assert FRENCH.translate(text).replace("_", "") == text


def test_a_plain_value_is_not_translated_even_if_it_is_a_text() -> None:
    assert FRENCH.translate("held is not a channel.") == "held n'est pas un canal."


def test_a_value_with_several_sentences_is_kept_whole_if_no_part_is_known() -> None:
    assert FRENCH.translate("'Feu. Fuyez.' is not a channel.") == "«Feu. Fuyez.» n'est pas un canal."


def test_the_unknown_sentences_of_a_text_are_listed() -> None:
    assert FRENCH.unknown("The token is wrong. Its owner is away.") == ("Its owner is away.",)


@pytest.mark.parametrize("english", ["{a}", "{1}", "{0} {0}", "{0!r}", "{0:>3}"])
def test_a_malformed_template_is_refused(english: str) -> None:
    with pytest.raises(ValueError, match="value"):
        Template.of(english, ["x"])


def test_a_translation_with_a_value_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown value 1"):
        Template.of("{0}", ["{1}"])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a b: c. d", ("a", "c")),
        ("a b: c: . d", ("a", "c: ")),
        ("a b: . d", ("a", "")),
        ("a b c. d", None),
        ("d", None),
    ],
)
def test_a_value_ends_where_the_next_literal_begins(text: str, values: tuple[str, ...] | None) -> None:
    assert Template.of("{0} b: {1}. d", [""]).values(text) == values


def test_an_error_is_english_and_localized_on_request() -> None:
    error = MessageTooLong("sms", 548, 459)
    assert str(error).startswith("Nothing was sent: on 'sms' what, where")
    assert localized(error, "en") == localized(error, "de") == localized(error, "../fr") == str(error)
    assert localized(error, "fr").startswith(
        "Rien n'a été envoyé\N{NO-BREAK SPACE}: sur «\N{NO-BREAK SPACE}sms\N{NO-BREAK SPACE}», le minimum"
    )
    assert localized(error, "fr-FR") == localized(error, "fr")


def test_a_language_is_read_once() -> None:
    assert catalogue_of("fr") is catalogue_of("fr")
    assert catalogue_of("en") is None
