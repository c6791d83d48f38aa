"""What gives way where a text is too long, and what a network cannot show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from policenotify.channel import Capabilities, ChannelConfig, Picture
from policenotify.errors import MessageTooLong
from policenotify.model.history import History
from policenotify.testing.samples import SAMPLES
from policenotify.text import Budget, find_losses, to_gsm
from tests.support.wordings import AT, BLUESKY, MAIL, PHONE, accident, channel_with, render_post, text_of

ACCIDENT: Final = SAMPLES[0]


LONG: Final = "Circulation très difficile. " + "Deux voies sur trois sont fermées à hauteur du pont. " * 12


def test_the_description_gives_way_first() -> None:
    wording = render_post(accident(description=LONG, hashtags=["Hérault"], link="https://police.example/a"))
    assert wording.omitted == ("description left out",)
    assert wording.standalone.text.endswith(
        "Évitez le secteur.\nSuite\N{NO-BREAK SPACE}: https://police.example/a\n#Hérault"
    )


def test_outside_incidents_the_description_is_shortened_after_a_sentence_and_the_link_says_that_more_is_there() -> None:
    fields: dict[str, Any] = {
        "lifecycle": {"stage": "standalone"},
        "location": None,
        "link": "https://police.example/a",
    }
    message = accident(category="scam_cyber", description="Ne donnez rien. Raccrochez tout de suite. " * 9, **fields)
    wording = render_post(message)
    assert wording.omitted == ("description shortened",)
    assert "tout de suite.\nSuite\N{NO-BREAK SPACE}: https://police.example/a\n" in wording.standalone.text
    assert "…" not in wording.standalone.text


def test_the_rest_is_promised_only_where_there_is_a_link() -> None:
    assert "Suite" not in render_post(accident(description=LONG)).standalone.text
    assert "Suite" not in text_of(description="Une voie est fermée.", link="https://police.example/a")


def test_orders_typed_on_lines_stay_lines() -> None:
    orders = "Sortez des bâtiments\nÉloignez-vous.\n\n- Ne téléphonez pas"
    assert text_of(instruction=orders).endswith("Sortez des bâtiments.\nÉloignez-vous.\n- Ne téléphonez pas.")


STORMS: Final[dict[str, Any]] = {
    "category": "weather_relay",
    "location": {"department": "34", "department_name": "Hérault"},
    "headline": "Orages et pluie-inondation",
    "starts_at": AT + timedelta(hours=2),
    "expires_at": AT + timedelta(hours=14),
    "instruction": "Limitez vos déplacements.",
}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"severity": "Moderate", "source": "Météo-France"},
            (
                "🟡 [#VigilanceJaune] #Hérault – Orages et pluie-inondation, du vendredi 5 juin à 19h42 au "
                "samedi 6 juin à 7h42 (source : Météo-France).\nLimitez vos déplacements."
            ),
        ),
        (
            {"severity": "Severe", "source": "Météo-France"},
            (
                "🟠 [#VigilanceOrange] #Hérault – Orages et pluie-inondation.\nLimitez vos déplacements.\n"
                "Du vendredi 5 juin à 19h42 au samedi 6 juin à 7h42 (source : Météo-France)."
            ),
        ),
    ],
)
def test_what_happened_stands_before_what_to_do_and_only_time_and_source_give_way(
    fields: dict[str, Any], text: str
) -> None:
    assert text_of(**{**STORMS, **fields}).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("headline", "location", "shown"),
    [
        ("La Loire déborde", {"department": "42", "department_name": "Loire"}, "#Loire – La Loire déborde."),
        ("La #Loire déborde", {"department": "42", "department_name": "Loire"}, "La #Loire déborde."),
        ("La Vienne déborde", {"commune_name": "Vienne"}, "#Vienne – La Vienne déborde."),
        ("Crue à Vienne", {"commune_name": "Vienne"}, "Crue à #Vienne."),
        ("Choc sur l'A9", {"road": {"road": "A9"}}, "Choc sur l'#A9."),
    ],
)
def test_a_river_is_no_place(headline: str, location: dict[str, Any], shown: str) -> None:
    text = text_of(headline=headline, location=location, instruction="")
    assert text.replace("\N{NO-BREAK SPACE}", " ") == f"🚨 [#Accident – EN COURS] {shown}"


@pytest.mark.parametrize(
    ("instruction", "adds"),
    [
        ("Restez chez vous. Appelez le 17.", True),
        ("Rufen Sie die 112 an.", True),
        ("Appelez le 17, ou le 114 par SMS.", False),
        ("Restez chez vous.", False),
        ("La rue ferme à 17h et le 17 h 30 reste.", False),
    ],
)
def test_a_severe_sms_gives_deaf_people_their_number(instruction: str, adds: bool) -> None:  # noqa: FBT001 - a case
    added = "Personnes sourdes ou malentendantes : 114 par SMS."
    fields: dict[str, Any] = {"category": "armed_threat", "instruction": instruction}
    texts = {
        severity: render_post(accident(severity=severity, **fields), PHONE).standalone.text.replace(
            "\N{NO-BREAK SPACE}", " "
        )
        for severity in ("Moderate", "Severe", "Extreme")
    }
    assert [added in text for text in texts.values()] == [False, adds, adds]
    assert added not in render_post(accident("end", severity="Extreme", **fields), PHONE).standalone.text
    assert "114 par SMS." not in text_of(severity="Extreme", **{**fields, "instruction": "Appelez le 17."})


def test_what_it_refers_to_gives_way_then_the_description_hashtags_and_the_link() -> None:
    history = History(incident="i1", entries=(ACCIDENT.entry(1),))
    message = accident(
        "end",
        headline="Fin",
        description=LONG,
        hashtags=["Hérault"],
        link="https://police.example/a",
        instruction="o" * 230,
    )
    wording = render_post(message, history=history)
    assert wording.reply is not None
    assert wording.omitted == (
        "what it refers to left out",
        "description left out",
        "hashtag #Hérault left out",
        "link left out",
    )
    assert wording.standalone.text.endswith(f"{'o' * 230}.")
    assert wording.standalone.link == "https://police.example/a"


def test_the_instruction_stands_in_the_first_post_whatever_the_length_of_headline_and_place() -> None:
    wording = render_post(accident(headline="o" * 160, location={"label": "a" * 150}))
    assert wording.standalone.text.startswith(f"🚨 [#Accident – EN COURS] {'o' * 160}.\nÉvitez le secteur.")
    assert "A" + "a" * 149 in " ".join(post.text for post in wording.continuations)
    named = {"commune_name": "Saint-Remy-en-Bouzemont-Saint-Genest-et-Isson", "label": "a" * 150}
    wording = render_post(accident(category="missing_person", headline="o" * 160, location=named))
    assert wording.standalone.text.split("\n")[1].startswith("Évitez le secteur.")
    assert "O" + "o" * 159 in " ".join(post.text for post in wording.continuations)


def test_a_text_too_long_for_one_post_is_continued_in_further_ones() -> None:
    instruction = "Évitez le secteur. " + "Fermez vos fenêtres et suivez les consignes. " * 8
    message = accident(description=LONG, instruction=instruction, link="https://police.example/gaz", exercise=True)
    picture = Picture(digest="a" * 64, media_type="image/png", width=1, height=1, alt="Plan")
    wording = render_post(message, pictures=(picture,))
    posts = (wording.standalone, *wording.continuations)
    assert len(posts) > 2
    assert wording.omitted == ()
    for number, post in enumerate(posts, 1):
        assert BLUESKY.capabilities.budget.fits(post.text)
        assert post.text.startswith("EXERCICE –")
        assert post.text.endswith(f" ({number}/{len(posts)})")
    assert all(found in posts[0].text for found in ("#Accident", "#Montpellier", "Évitez le secteur."))
    assert [(post.pictures != (), post.link is not None) for post in posts] == [(True, True)] + [(False, False)] * (
        len(posts) - 1
    )
    assert "police.example/gaz" in posts[-1].text


def test_an_instruction_too_long_for_any_thread_is_shortened() -> None:
    thread = channel_with("thread", Capabilities(budget=Budget(300), replies=True, refuses_repeats=True))
    wording = render_post(accident(instruction="Fermez vos fenêtres et vos portes. " * 250), thread)
    assert wording.continuations == ()
    assert "the rest of the instruction shortened" in wording.omitted


def test_a_mail_is_whole_or_refused() -> None:
    def small(limit: int) -> ChannelConfig:
        return channel_with("mail", Capabilities(budget=Budget(limit), title=True, html=True))

    message = accident(description=LONG)
    whole = len(render_post(message, MAIL).standalone.text)
    assert render_post(message, small(whole)).omitted == ()
    with pytest.raises(MessageTooLong):
        render_post(message, small(whole - 1))


# --- networks without threads and hashtags


def test_where_posts_do_not_hang_together_they_carry_a_reference() -> None:
    assert render_post(accident(), PHONE, reference="K7Q2M").standalone.text == (
        "🚨 [Accident – EN COURS] Montpellier – Accident de la circulation, avenue de Toulouse.\n"
        "Évitez le secteur.\n"
        "Réf. K7Q2M\n"
        "Police nationale de l'Hérault"
    )
    assert "K7Q2M" not in render_post(accident(), BLUESKY, reference="K7Q2M").standalone.text
    assert "Ref. K7Q2M" in render_post(accident(), PHONE, reference="K7Q2M", language="en").standalone.text


def test_where_hashtags_cannot_be_followed_they_are_plain_words() -> None:
    named = render_post(accident(headline="Accident à Montpellier", hashtags=("Occitanie",)), PHONE).standalone.text
    assert named.startswith("🚨 [Accident – EN COURS] Accident à Montpellier")
    campaign = {"category": "burglary_prevention", "hashtags": ("Occitanie",)}
    said = render_post(accident("standalone", **campaign), PHONE).standalone.text
    assert "Montpellier – Accident de la circulation." in said
    at_home = render_post(accident("standalone", instruction="Montpellier reste chez soi.", **campaign), PHONE)
    assert "Montpellier –" not in at_home.standalone.text
    assert "#" not in named + said + at_home.standalone.text


def test_a_character_outside_the_alphabet_is_reported() -> None:
    spelled = Budget(459, transliterate=to_gsm, find_losses=find_losses)
    channel = channel_with("phone", Capabilities(budget=spelled, hashtags=False))
    wording = render_post(accident(description="Rassemblement 🚒 à 10² m."), channel)
    assert set(wording.omitted) == {"“🚒” cannot be written there", "“²” cannot be written there"}
    assert wording.standalone.text.startswith("[Accident - EN COURS] Montpellier - Accident")
    assert "2 m." in wording.standalone.text


def test_pictures_that_are_too_many_are_left_out_and_noted() -> None:
    pictures = tuple(
        Picture(digest=f"{number:064x}", media_type="image/png", width=2, height=2, alt=f"Plan {number}")
        for number in range(6)
    )
    wording = render_post(accident(), pictures=pictures)
    assert wording.standalone.pictures == pictures[:4]
    assert wording.omitted == ("2 of 6 pictures left out",)
