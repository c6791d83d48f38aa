"""What a message gains before it is fitted: its source, what is known, its contact, and names in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.model.message import Message
from policenotify.render.locales import PROFILES
from policenotify.text.comparison import contains_words
from policenotify.text.links import find_links, find_mentions
from tests.support.shipped_files import NETWORKS, channel_on
from tests.support.wordings import render_post


def _texts(
    category: str = "fire", *, contact: Any = None, shared: bool = False, language: str = "fr", **fields: Any
) -> dict[str, str]:
    """Return the text of a message on each network."""
    profile = PROFILES[category]
    stage = {"stage": "opening", "incident": "i1"} if profile.opens_incident else {"stage": "standalone"}
    place = {"commune": "34301", "commune_name": "Sète", "department": "34", "department_name": "Hérault"}
    message = Message.model_validate(
        {"category": category, "headline": "Feu de hangar", "location": place, "lifecycle": stage, **fields}
    )
    table = profile.model_dump() | ({"contact": contact} if contact else {})
    own = type(profile).model_validate(table)
    texts = {
        network: render_post(message, channel_on(network), language=language, profile=own, is_shared=shared).standalone
        for network in NETWORKS
    }
    return {network: post.text.replace("\xa0", " ") for network, post in texts.items()}


def test_a_relay_names_its_source_once() -> None:
    for text in _texts("weather_relay", headline="Vigilance orange vent").values():
        assert text.count("Météo-France") == 1
    for text in _texts("weather_relay", headline="Vent", source="préfecture de l'Hérault").values():
        assert text.count("préfecture de l'Hérault") == 1
        assert "Météo-France" not in text
    named = _texts("weather_relay", headline="Météo-France place l'Hérault en vigilance orange")
    assert named["x"].count("Météo-France") == 1
    assert not any("source" in text.casefold() for text in _texts("fire").values())


def test_a_source_mentions_nobody_and_links_nothing() -> None:
    for network, text in _texts("weather_relay", headline="Vent", source="@meteofrance.La suite").items():
        assert "source : meteofrance. La suite" in text.replace("\n", " ").replace("Source", "source"), network
        assert not find_mentions(text)


def test_a_cancellation_relays_nobody() -> None:
    lifecycle = {"stage": "cancellation", "incident": "i1"}
    assert not any("Météo" in text for text in _texts("weather_relay", headline="Erreur", lifecycle=lifecycle).values())


@pytest.mark.parametrize("contact", ["04 99 13 50 00", {"fr": "04 99 13 50 00", "en": "04 99 13 50 01"}])
def test_the_contact_of_a_category_is_given_once_until_it_is_over(contact: Any) -> None:
    for text in _texts("witness_appeal", contact=contact, instruction="Appelez-nous.").values():
        assert text.count("04 99 13 50 00") == 1
    stated = _texts("witness_appeal", contact=contact, instruction="Appelez le 04.99.13.50.00.")
    assert not any("Contact" in text for text in stated.values())
    over = _texts("witness_appeal", contact=contact, lifecycle={"stage": "end", "incident": "i1"})
    assert not any("04 99" in text for text in over.values())
    english = _texts("witness_appeal", contact=contact, language="en")["x"]
    assert ("04 99 13 50 01" in english) == isinstance(contact, dict)


def test_what_is_known_and_what_is_not_follow_the_description() -> None:
    known = {"confirmed": "Deux personnes sont blessées", "unconfirmed": "L'origine du feu"}
    texts = _texts(description="Fumées denses.", known=known)
    expected = "Ce que l'on sait : Deux personnes sont blessées. Pas encore établi : L'origine du feu."
    assert expected in texts["x"]
    assert expected in texts["email"].replace("\n", " ")


def test_a_shared_name_has_its_department_on_every_network() -> None:
    for text in _texts(shared=True).values():
        assert "(Hérault)" in text
    assert "(Hérault)" not in _texts()["x"]
    assert "à #Sète (Hérault)" in _texts(shared=True, headline="Feu à Sète")["x"]


@given(
    name=st.sampled_from(["Le Crès", "Les Matelles", "La Grande-Motte", "Agde", "Sète", "Saint-Jean-de-Védas"]),
    form=st.sampled_from(["Feu {}", "Feu de hangar", "{} : feu de hangar"]),
    shared=st.booleans(),
)
def test_every_post_names_its_place_once(name: str, form: str, *, shared: bool) -> None:
    headline = form.format(f"à {name}" if form.endswith("{}") else name)
    location = {"commune_name": name, "department_name": "Hérault"}
    for network, text in _texts(headline=headline, location=location, shared=shared).items():
        tags = {span.value for span in find_links(text) if span.kind == "tag"}
        words = name.split(" ", 1)[-1]
        in_words = contains_words(text, words)
        assert in_words or tags, network
        assert not (network in {"x", "bluesky"} and text.splitlines()[0].count(words) > 1)
