"""The wording of messages: leads, later stages, languages, and what holds for any message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Capabilities, ChannelConfig, Picture
from policenotify.errors import MessageTooLong
from policenotify.model.history import History, RenderedPost
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile
from policenotify.testing.samples import SAMPLES, Sample
from policenotify.testing.strategies import histories, messages
from policenotify.text import Budget
from policenotify.text.characters import clean, one_line
from policenotify.text.french import NO_BREAK, set_no_break_spaces
from tests.support.wordings import AT, BLUESKY, KEY, MAIL, accident, channel_with, render_post, text_of

ACCIDENT: Final = SAMPLES[0]


def _of(sample: Sample, channel: ChannelConfig = BLUESKY) -> RenderedPost:
    return render_post(sample.resolved, channel, history=sample.history, at=sample.at)


# --- openings

UNDER_WAY: Final = "🚨 [#Accident – EN COURS] "
PLANNED: Final = "🚨 [#Accident] "
TOMORROW: Final = {
    "starts_at": AT.replace(day=6, hour=20, minute=0),
    "expires_at": AT.replace(day=6, hour=23, minute=0),
}


@pytest.mark.parametrize(
    ("fields", "lead"),
    [
        ({}, f"{UNDER_WAY}#Montpellier – Accident de la circulation, avenue de Toulouse."),
        ({"headline": "Choc avenue de Toulouse"}, f"{UNDER_WAY}#Montpellier – Choc avenue de Toulouse."),
        ({"headline": "Choc à MONTPELLIER"}, f"{UNDER_WAY}Choc à #Montpellier, avenue de Toulouse."),
        ({"headline": "Choc à #montpellier."}, f"{UNDER_WAY}Choc à #montpellier, avenue de Toulouse."),
        ({"headline": "Verglas !"}, f"{UNDER_WAY}#Montpellier – Verglas ! Avenue de Toulouse."),
        (
            {"headline": "Choc", "starts_at": AT - timedelta(minutes=12)},
            f"{UNDER_WAY}#Montpellier – Choc, avenue de Toulouse, depuis 17h30.",
        ),
        (
            {"headline": "Choc", "starts_at": AT + timedelta(hours=2)},
            f"{PLANNED}#Montpellier – Choc, avenue de Toulouse, à partir de 19h42.",
        ),
        (  # a time without its day would be read as today's
            {"headline": "Pont fermé de 20h à 23h", **TOMORROW},
            f"{PLANNED}#Montpellier – Pont fermé de 20h à 23h, avenue de Toulouse, samedi 6 juin.",
        ),
        (
            {"headline": "Pont fermé samedi de 20h à 23h", **TOMORROW},
            f"{PLANNED}#Montpellier – Pont fermé samedi de 20h à 23h, avenue de Toulouse.",
        ),
        ({"headline": "Choc", "location": None}, f"{UNDER_WAY}Choc."),
        (
            {"headline": "Choc", "location": {"commune_name": "Lattes", "road": {"road": "D66"}, "district": "Maurin"}},
            f"{UNDER_WAY}#Lattes – Choc, Maurin, D66.",
        ),
        ({"headline": "Choc", "location": {"commune_name": "34"}}, f"{UNDER_WAY}34 – Choc."),
        ({"exercise": True, "headline": "Choc", "location": None}, f"EXERCICE – {UNDER_WAY}Choc."),
    ],
)
def test_an_opening_names_event_place_and_time_above_the_instruction(fields: dict[str, Any], lead: str) -> None:
    assert text_of(**fields) == set_no_break_spaces(f"{lead}\nÉvitez le secteur.")


@pytest.mark.parametrize(
    ("fields", "below"),
    [
        ({"expires_at": AT + timedelta(hours=5, minutes=18)}, "Évitez le secteur.\nValable jusqu'à 23h."),
        (
            {"next_update_at": AT + timedelta(hours=26, minutes=18)},
            "Évitez le secteur.\nProchain point samedi 6 juin à 20h.",
        ),
        (
            {"next_update_at": AT + timedelta(minutes=48), "instruction": "Partez. Prochain point à 18h30"},
            "Partez. Prochain point à 18h30.",
        ),
        (  # the same time of another day is not the time already given
            {"starts_at": AT.replace(hour=9, minute=0), "next_update_at": AT.replace(day=6, hour=9, minute=0)},
            "Évitez le secteur.\nProchain point samedi 6 juin à 9h.",
        ),
        (
            {"hashtags": ["hérault", "accident", "A9"], "description": "Choc sur l'#A9"},
            "Évitez le secteur.\nChoc sur l'#A9.",
        ),
        (
            {"hashtags": ["Hérault", "A9"], "link": "https://police.example/a"},
            "Évitez le secteur.\nhttps://police.example/a\n#Hérault",
        ),
        (
            {"description": "Plan sur https://police.example/a", "link": "https://police.example/a"},
            "Évitez le secteur.\nPlan sur https://police.example/a",
        ),
        (
            {"description": "Circulation difficile\nDeux voies fermées :\n- celle de droite"},
            "Évitez le secteur.\nCirculation difficile. Deux voies fermées : - celle de droite.",
        ),
    ],
)
def test_below_the_event_stand_instruction_description_times_and_links(fields: dict[str, Any], below: str) -> None:
    assert text_of(**fields).partition("\n")[2] == set_no_break_spaces(below)


def test_a_headline_in_which_nothing_is_to_be_seen_is_replaced_by_what_the_category_is_called() -> None:
    assert text_of(headline="\u202e", location=None) == "🚨 [#Accident – EN COURS] Accident.\nÉvitez le secteur."
    found = accident(headline="\u202e", category="missing_person", location=None)
    assert render_post(found, MAIL).standalone.title == "[Disparition inquiétante]"


# --- what a later message refers to


def test_a_past_event_is_not_written_as_current() -> None:
    earlier = ACCIDENT.entry(1)
    opening = earlier.message.model_copy(update={"headline": "Accident en cours rue Foch"})
    history = History(incident="i1", entries=(replace(earlier, message=opening),))
    text = render_post(accident("end", headline="Fin d'intervention"), history=history).standalone.text
    assert text.endswith(set_no_break_spaces("Fait suite à notre message de 17h42 : Accident rue Foch."))


@pytest.mark.parametrize("channel", [BLUESKY, MAIL])
def test_the_end_does_not_describe_a_found_person_again(channel: ChannelConfig) -> None:
    found = next(sample for sample in SAMPLES if sample.id == "missing/end")
    post = _of(found, channel).standalone
    assert "78" not in post.text + post.title + post.html
    assert "FIN DES RECHERCHES" in post.text
    assert "Fait suite" not in post.text


# --- initial messages


def test_a_category_without_emoji_and_hashtag_has_the_stages_sign_and_its_label() -> None:
    drone = CategoryProfile(code="drone", labels={"fr": "Drone"}, opens_incident=True)
    assert text_of(profile=drone, instruction="").startswith(
        "🚨 [Drone] #Montpellier – Accident de la circulation, avenue"
    )
    once = CategoryProfile(code="drone", labels={"fr": "Drone"})
    said = {"headline": "Vol de drone", "instruction": "", "location": None}
    assert text_of("standalone", profile=once, **said) == "ℹ️ Vol de drone."


# --- languages


def test_another_language_has_its_own_phrases_and_pictures() -> None:
    english = {
        "language": "en",
        "headline": "Road accident",
        "instruction": "Avoid the area.",
        "alts": ["A map of the diversion"],
    }
    image = {"alt": "Un plan de la déviation", "digest": "a" * 64}
    message = accident(translations=[english], images=[image], next_update_at=AT + timedelta(minutes=48))
    picture = Picture(digest="a" * 64, media_type="image/png", width=2, height=2, alt="Un plan de la déviation")
    post = render_post(message, language="en", pictures=(picture,)).standalone
    assert post.text == (
        "🚨 [#RoadAccident – ONGOING] #Montpellier – Road accident, avenue de Toulouse.\nAvoid the area.\n"
        "Next update at 18:30."
    )
    assert (post.language, post.pictures[0].alt) == ("en", "A map of the diversion")
    assert render_post(message, pictures=(picture,)).standalone.pictures == (picture,)


def test_a_text_that_fixed_phrases_stand_in_for_is_noted() -> None:
    phrases = {"language": "en", "headline": "The operation is over.", "untranslated": True}
    omitted = render_post(accident("end", translations=[phrases]), language="en").omitted
    assert "the text, which has no translation: fixed phrases stand in" in map(str, omitted)


def test_a_message_without_a_text_in_the_language_is_reported() -> None:
    post = render_post(accident(), language="en").standalone
    assert (post.language, post.title) == ("fr", "Accident de la circulation")


# --- marks and phrases


@pytest.mark.parametrize(
    ("category", "fields", "heading"),
    [
        ("fire", {}, "[#Incendie – EN COURS]"),
        ("fire", {"starts_at": AT + timedelta(hours=1)}, "[#Incendie]"),
        ("missing_person", {}, "[#DisparitionInquiétante]"),
        ("weather_relay", {"severity": "Extreme"}, "[#VigilanceRouge]"),
    ],
)
def test_an_opening_is_marked_as_under_way_where_it_is(category: str, fields: dict[str, Any], heading: str) -> None:
    assert heading in text_of(category=category, **fields)


def test_a_language_without_a_word_of_its_own_does_not_borrow_one() -> None:
    german = LOCALES["en"].model_copy(update={"language": "de", "marks": {Stage.END: "BEENDET"}})
    end = accident("end", category="road_closure")
    assert "– BEENDET]" in render_post(end, language="de", locale=german).standalone.text


def test_a_correction_that_names_the_time_of_the_wrong_message_names_it_once() -> None:
    history = History(incident="i1", entries=(ACCIDENT.entry(1),))
    correction = accident("correction", headline="L'accident annoncé à 17h42 est dans la rue voisine")
    assert render_post(correction, history=history).standalone.text.count("17h42") == 1


@pytest.mark.parametrize("shown", [True, False])
def test_a_correction_of_an_edited_post_answers_the_post_that_was_edited(*, shown: bool) -> None:
    """An edit is a correction without a post of its own."""
    opening = ACCIDENT.entry(1)
    correct = partial(ACCIDENT.message.followed_by, Stage.CORRECTION, incident="i1")
    message = correct(headline="Accident rue Foch", corrects=opening.publication)
    edit = replace(ACCIDENT.entry(2), posts=(), message=message)
    history = History(incident="i1", entries=(opening if shown else replace(opening, posts=()), edit))
    again = correct(headline="Accident rue de la Loge", corrects=edit.publication)
    assert render_post(again, history=history).reached is shown


def test_a_language_without_a_mark_for_openings_refers_to_them_in_their_own_words() -> None:
    marks = {stage: mark for stage, mark in LOCALES["fr"].marks.items() if stage is not Stage.OPENING}
    locale = LOCALES["fr"].model_copy(update={"marks": marks})
    history = History(incident="i1", entries=(ACCIDENT.entry(1),))
    update = accident("update", headline="Une voie est rouverte")
    assert "Fait suite" in render_post(update, history=history, locale=locale).standalone.text


# --- mail


@pytest.mark.parametrize(
    ("stage", "fields", "tone"),
    [
        ("opening", {"severity": "Extreme"}, "#a3001b"),
        ("opening", {"severity": "Moderate"}, "#ffd23f"),
        ("end", {"severity": "Extreme"}, "#1b6b34"),
    ],
)
def test_a_mail_looks_as_urgent_as_it_is(stage: str, fields: dict[str, str], tone: str) -> None:
    assert f"background-color:{tone}" in render_post(accident(stage, **fields), MAIL).standalone.html


# --- whatever the message


def _required(message: Message, language: str) -> list[str]:
    said = message.wording(language) or message.wording("fr")
    assert said is not None
    return [word for word in one_line(said.instruction).split() if word.isalpha()]


@given(st.data())
def test_any_message_fits_with_all_that_is_required(data: st.DataObject) -> None:
    message = data.draw(messages())
    history = data.draw(histories(message, (BLUESKY,)))
    channel, language = data.draw(st.sampled_from((BLUESKY, MAIL))), data.draw(st.sampled_from(("fr", "en")))
    try:
        wording = render_post(message, channel, history=history, language=language)
    except MessageTooLong as error:
        too_long = error
        assert too_long.used > too_long.limit
        return
    assert render_post(message, channel, history=history, language=language) == wording
    for post in filter(None, (wording.standalone, wording.reply)):
        assert channel.capabilities.budget.fits(post.text)
        assert all(word in post.text for word in _required(message, language))
        assert clean(post.title) == post.title
        mark = PROFILES[message.category].stage_mark(message.stage, language) or LOCALES[language].marks.get(
            message.stage
        )
        assert message.stage is Stage.OPENING or (mark or "") in post.text
        if message.exercise:
            assert LOCALES[language].exercise in post.text[:20]
        end = 0
        for span in post.spans:
            assert end <= span.start
            end = span.end
            shown = post.text[span.start : span.end]
            assert span.value in (shown, shown[1:], f"https://{shown}")
        if channel is BLUESKY:
            assert clean(post.text) == post.text.replace(NO_BREAK, " ")
            assert "" not in post.text.split("\n")


def test_a_text_that_leaves_no_space_for_a_distinct_one_is_published_as_it_is() -> None:
    wide = channel_with("wide", Capabilities(budget=Budget(300)))
    text = render_post(accident(), wide).standalone.text
    full = Capabilities(budget=Budget(len(text)), refuses_repeats=True)  # and has no threads
    post = render_post(accident(), channel_with("full", full)).standalone
    assert (post.text, post.distinct) == (text, "")


def test_both_wordings_are_the_same_post() -> None:
    wording = _of(SAMPLES[1])
    assert wording.reply is not None
    reply: Mapping[str, object] = wording.reply.model_dump(exclude={"text", "spans"})
    assert reply == wording.standalone.model_dump(exclude={"text", "spans"})
    assert (wording.reply.key, wording.reply.created_at) == (KEY, SAMPLES[1].at)
    assert "Fait suite à" not in wording.reply.text
    assert wording.alone == (wording.standalone if wording.reached else wording.reply)
    assert _of(ACCIDENT).reply is None
