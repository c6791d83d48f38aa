"""The wording of messages: twenty-six of them as whole pages, and the rules one by one.

The pages are in `golden/wording`. `bash .ci/run regenerate` writes them. Read the difference: they must read as a
police account writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, Picture, StateStore
from policenotify.errors import MessageTooLong
from policenotify.model.history import History, RenderedPost, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render import RenderContext, render
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile
from policenotify.testing.samples import ACCOUNTS, PARIS, SAMPLES, SENDER, Sample
from policenotify.testing.strategies import histories, messages
from policenotify.text import Budget, find_losses, graphemes, to_gsm, utf8_bytes
from policenotify.text.characters import clean, one_line
from policenotify.text.french_spacing import NO_BREAK, set_no_break_spaces
from tests.support import golden

PAGES: Final = Path(__file__).parents[2] / "golden" / "wording"
KEY: Final = "0" * 64
AT: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
ACCIDENT: Final = SAMPLES[0]


def _never(_clock: Clock, _keep: StateStore) -> Channel:
    raise AssertionError("rendering opens no channel")


def _channel(name: str, capabilities: Capabilities) -> ChannelConfig:
    return ChannelConfig(
        name=name, network=name, account=ACCOUNTS.get(name, name), capabilities=capabilities, open=_never
    )


BLUESKY: Final = _channel("bluesky", Capabilities(budget=Budget(300, graphemes, 3000), replies=True, images=4))
PHONE: Final = _channel("phone", Capabilities(budget=Budget(459), recipients=True, hashtags=False))
MAIL: Final = _channel("mail", Capabilities(budget=Budget(50_000), title=True, html=True, replies=True, images=10))


def _render(
    message: Message,
    channel: ChannelConfig = BLUESKY,
    *,
    history: History | None = None,
    at: datetime = AT,
    language: str = "fr",
    profile: CategoryProfile | None = None,
    pictures: tuple[Picture, ...] = (),
    reference: str = "",
) -> RenderedPost:
    history = history or History()
    answers = tuple(entry.publication for entry in history.entries) if channel.capabilities.replies else ()
    return render(
        RenderContext(
            message=message,
            language=language,
            locale=LOCALES[language],
            profile=profile or PROFILES[message.category],
            now=at,
            zone=PARIS,
            sender=SENDER,
            history=history,
            pictures=pictures,
            reference=reference,
        ),
        Target(channel=channel.name, account=channel.account, language=language, reply_to=answers),
        channel=channel,
        key=KEY,
    )


def _of(sample: Sample, channel: ChannelConfig = BLUESKY) -> RenderedPost:
    return _render(sample.resolved, channel, history=sample.history, at=sample.at)


def _message(stage: str = "opening", **fields: Any) -> Message:
    lifecycle = {"stage": stage} if stage == "standalone" else {"stage": stage, "incident": "i1"}
    if stage == "correction":
        lifecycle["corrects"] = "0" * 26
    accident = {
        "category": "traffic_accident",
        "severity": "Moderate",
        "lifecycle": lifecycle,
        "headline": "Accident de la circulation",
        "location": {"commune": "34172", "commune_name": "Montpellier", "street": "avenue de Toulouse"},
        "instruction": "Évitez le secteur.",
    }
    return Message.model_validate({**accident, **fields})


def _text(stage: str = "opening", profile: CategoryProfile | None = None, **fields: Any) -> str:
    return _render(_message(stage, **fields), profile=profile).standalone.text


# --- whole pages


def _page(sample: Sample) -> str:
    """Both wordings of a sample on a short network, and its mail, as a page to be read."""
    short, mail = _of(sample), _of(sample, MAIL)
    lines = [f"{sample.id}  ({sample.at:%Y-%m-%d %H:%M})"]
    for name, post in (("reply", short.reply), ("standalone", short.standalone)):
        if post:
            counts = f"{graphemes(post.text)} graphemes, {utf8_bytes(post.text)} bytes"
            spans = [f"  {span.kind} {span.start}-{span.end} {span.value}" for span in post.spans]
            lines += ["", f"--- {name}: {counts}", post.text, *spans]
    lines += [f"! {left}" for left in short.omitted]
    for name, post in (("mail, reply", mail.reply), ("mail, standalone", mail.standalone)):
        if post:
            lines += ["", f"--- {name}: {post.title}", post.text.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _name(sample: Sample) -> str:
    return sample.id.replace("/", "-")


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.id for sample in SAMPLES])
def test_a_message_reads_as_on_its_page(sample: Sample) -> None:
    golden.check(PAGES / f"{_name(sample)}.txt", _page(sample))


def test_there_is_a_page_for_each_message_and_no_other() -> None:
    golden.check_names(PAGES, list(map(_name, SAMPLES)))
    assert len(SAMPLES) == 26


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
    assert _text(**fields) == set_no_break_spaces(f"{lead}\nÉvitez le secteur.")


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
    assert _text(**fields).partition("\n")[2] == set_no_break_spaces(below)


WHERE: Final = "#Montpellier, avenue de Toulouse"


@pytest.mark.parametrize(
    ("stage", "fields", "text"),
    [
        ("update", {"headline": "RD66 rouverte"}, f"🔄 [#Accident – MISE À JOUR] {WHERE} – RD66 rouverte."),
        (
            "update",
            {"headline": "Voie rouverte à Montpellier"},
            "🔄 [#Accident – MISE À JOUR] Avenue de Toulouse – Voie rouverte à #Montpellier.",
        ),
        (
            "update",
            {"headline": "Voie rouverte", "starts_at": AT - timedelta(minutes=2)},
            f"🔄 [#Accident – MISE À JOUR] {WHERE} – Voie rouverte depuis 17h40.",
        ),
        (
            "end",
            {"headline": "Fin d'intervention", "starts_at": AT, "next_update_at": AT, "expires_at": AT + timedelta(1)},
            f"✅ [#Accident – FIN] {WHERE} – Fin d'intervention à 17h42.",
        ),
        (
            "cancellation",
            {"headline": "Aucun accident", "expires_at": AT + timedelta(1), "starts_at": AT},
            f"🚫 [#Accident – ANNULATION] {WHERE} – Aucun accident.",
        ),
    ],
)
def test_a_later_stage_is_marked_in_words_and_repeats_the_place(stage: str, fields: dict[str, Any], text: str) -> None:
    history = History(incident="i1", entries=(ACCIDENT.entry(1),))
    wording = _render(_message(stage, **{"instruction": "", **fields}), history=history)
    assert wording.reply is not None
    assert wording.reply.text == set_no_break_spaces(text)
    refers = {"cancellation": "Annule notre message de 17h42."}
    followed = "Fait suite à notre message de 17h42 : Accident de la circulation."
    assert wording.standalone.text == set_no_break_spaces(f"{text}\n{refers.get(stage, followed)}")


def test_a_headline_in_which_nothing_is_to_be_seen_is_replaced_by_what_the_category_is_called() -> None:
    assert _text(headline="\u202e", location=None) == "🚨 [#Accident – EN COURS] Accident.\nÉvitez le secteur."
    found = _message(headline="\u202e", category="missing_person", location=None)
    assert _render(found, MAIL).standalone.title == "[Disparition inquiétante]"


# --- what a later message refers to


def test_a_past_event_is_not_written_as_current() -> None:
    earlier = ACCIDENT.entry(1)
    opening = earlier.message.model_copy(update={"headline": "Accident en cours rue Foch"})
    history = History(incident="i1", entries=(replace(earlier, message=opening),))
    text = _render(_message("end", headline="Fin d'intervention"), history=history).standalone.text
    assert text.endswith(set_no_break_spaces("Fait suite à notre message de 17h42 : Accident rue Foch."))


def test_a_headline_that_repeats_the_openings_needs_no_more() -> None:
    history = History(incident="i1", entries=(ACCIDENT.entry(1),))
    wording = _render(_message("end", headline="Accident de la circulation terminé"), history=history)
    assert wording.reply is not None
    assert wording.reply.text == wording.standalone.text


@pytest.mark.parametrize("channel", [BLUESKY, MAIL])
def test_the_end_does_not_describe_a_found_person_again(channel: ChannelConfig) -> None:
    found = next(sample for sample in SAMPLES if sample.id == "missing/end")
    post = _of(found, channel).standalone
    assert "78" not in post.text + post.title + post.html
    assert "FIN DES RECHERCHES" in post.text
    assert "Fait suite" not in post.text


# --- initial messages


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ("🏠 Fermez vos volets.\nPrévenez vos voisins.\n#Cambriolage #Sète")),
        (
            {"headline": "À Sète, fermez vos volets !"},
            ("🏠 À #Sète, fermez vos volets !\nPrévenez vos voisins.\n#Cambriolage"),
        ),
        ({"headline": "#A9 #OTV #Vols"}, ("🏠 #A9 #OTV #Vols.\nPrévenez vos voisins.\n#Sète")),
        (  # until then it may be sent
            {"expires_at": AT + timedelta(1)},
            ("🏠 Fermez vos volets.\nPrévenez vos voisins.\n#Cambriolage #Sète"),
        ),
    ],
)
def test_an_initial_message_has_no_bracket(fields: dict[str, Any], text: str) -> None:
    volets = {
        "category": "burglary_prevention",
        "headline": "Fermez vos volets",
        "instruction": "Prévenez vos voisins.",
        "location": {"commune_name": "Sète"},
        "hashtags": [],
    }
    assert _text("standalone", **{**volets, **fields}) == set_no_break_spaces(text)


def test_a_category_without_emoji_and_hashtag_has_the_stages_sign_and_its_label() -> None:
    drone = CategoryProfile(code="drone", labels={"fr": "Drone"}, opens_incident=True)
    assert _text(profile=drone, instruction="").startswith(
        "🚨 [Drone] #Montpellier – Accident de la circulation, avenue"
    )
    once = CategoryProfile(code="drone", labels={"fr": "Drone"})
    said = {"headline": "Vol de drone", "instruction": "", "location": None}
    assert _text("standalone", profile=once, **said) == "ℹ️ Vol de drone."


# --- languages


def test_another_language_has_its_own_phrases_and_pictures() -> None:
    english = {
        "language": "en",
        "headline": "Road accident",
        "instruction": "Avoid the area.",
        "alts": ["A map of the diversion"],
    }
    image = {"alt": "Un plan de la déviation", "digest": "a" * 64}
    message = _message(translations=[english], images=[image], next_update_at=AT + timedelta(minutes=48))
    picture = Picture(digest="a" * 64, media_type="image/png", width=2, height=2, alt="Un plan de la déviation")
    post = _render(message, language="en", pictures=(picture,)).standalone
    assert post.text == (
        "🚨 [#RoadAccident – ONGOING] #Montpellier – Road accident, avenue de Toulouse.\nAvoid the area.\n"
        "Next update at 18:30."
    )
    assert (post.language, post.pictures[0].alt) == ("en", "A map of the diversion")
    assert _render(message, pictures=(picture,)).standalone.pictures == (picture,)


def test_a_message_without_a_text_in_the_language_is_reported() -> None:
    post = _render(_message(), language="en").standalone
    assert (post.language, post.title) == ("fr", "Accident de la circulation")


# --- giving way


LONG: Final = "Circulation très difficile. " + "Deux voies sur trois sont fermées à hauteur du pont. " * 12


def test_the_description_gives_way_first() -> None:
    wording = _render(_message(description=LONG, hashtags=["Hérault"], link="https://police.example/a"))
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
    message = _message(category="scam_cyber", description="Ne donnez rien. Raccrochez tout de suite. " * 9, **fields)
    wording = _render(message)
    assert wording.omitted == ("description shortened",)
    assert "tout de suite.\nSuite\N{NO-BREAK SPACE}: https://police.example/a\n" in wording.standalone.text
    assert "…" not in wording.standalone.text


def test_the_rest_is_promised_only_where_there_is_a_link() -> None:
    assert "Suite" not in _render(_message(description=LONG)).standalone.text
    assert "Suite" not in _text(description="Une voie est fermée.", link="https://police.example/a")


def test_orders_typed_on_lines_stay_lines() -> None:
    orders = "Sortez des bâtiments\nÉloignez-vous.\n\n- Ne téléphonez pas"
    assert _text(instruction=orders).endswith("Sortez des bâtiments.\nÉloignez-vous.\n- Ne téléphonez pas.")


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
    assert _text(**{**STORMS, **fields}).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("headline", "location", "shown"),
    [
        ("La Loire déborde", {"department": "42", "department_name": "Loire"}, "#Loire – La Loire déborde."),
        ("La #Loire déborde", {"department": "42", "department_name": "Loire"}, "La #Loire déborde."),
        ("Crue à Vienne", {"commune_name": "Vienne"}, "Crue à #Vienne."),
        ("Choc sur l'A9", {"road": {"road": "A9"}}, "Choc sur l'#A9."),
    ],
)
def test_a_river_is_no_place(headline: str, location: dict[str, Any], shown: str) -> None:
    text = _text(headline=headline, location=location, instruction="")
    assert text.replace("\N{NO-BREAK SPACE}", " ") == f"🚨 [#Accident – EN COURS] {shown}"


@pytest.mark.parametrize(
    ("headline", "location", "shown"),
    [
        (
            "Éboulis sur la route du Littoral",
            {"commune_name": "Saint-Denis", "road": {"road": "N1"}},
            "Éboulis sur la route du Littoral, N1.",
        ),
        ("Éboulis", {"commune_name": "Saint-Denis", "road": {"road": "N1"}}, "Éboulis sur la N1."),
    ],
)
def test_a_phrase_of_place_is_not_doubled(headline: str, location: dict[str, Any], shown: str) -> None:
    assert shown in _text(headline=headline, location=location)


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
        severity: _render(_message(severity=severity, **fields), PHONE).standalone.text.replace(
            "\N{NO-BREAK SPACE}", " "
        )
        for severity in ("Moderate", "Severe", "Extreme")
    }
    assert [added in text for text in texts.values()] == [False, adds, adds]
    assert added not in _render(_message("end", severity="Extreme", **fields), PHONE).standalone.text
    assert "114 par SMS." not in _text(severity="Extreme", **{**fields, "instruction": "Appelez le 17."})


def test_what_it_refers_to_gives_way_then_the_description_hashtags_and_the_link() -> None:
    history = History(incident="i1", entries=(ACCIDENT.entry(1),))
    message = _message(
        "end",
        headline="Fin",
        description=LONG,
        hashtags=["Hérault"],
        link="https://police.example/a",
        instruction="o" * 230,
    )
    wording = _render(message, history=history)
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
    wording = _render(_message(headline="o" * 160, location={"label": "a" * 150}))
    assert wording.standalone.text.startswith(f"🚨 [#Accident – EN COURS] {'o' * 160}.\nÉvitez le secteur.")
    assert "A" + "a" * 149 in " ".join(post.text for post in wording.continuations)
    named = {"commune_name": "Saint-Remy-en-Bouzemont-Saint-Genest-et-Isson", "label": "a" * 150}
    wording = _render(_message(category="missing_person", headline="o" * 160, location=named))
    assert wording.standalone.text.split("\n")[1].startswith("Évitez le secteur.")
    assert "O" + "o" * 159 in " ".join(post.text for post in wording.continuations)


def test_a_text_too_long_for_one_post_is_continued_in_further_ones() -> None:
    instruction = "Évitez le secteur. " + "Fermez vos fenêtres et suivez les consignes. " * 8
    message = _message(description=LONG, instruction=instruction, link="https://police.example/gaz", exercise=True)
    picture = Picture(digest="a" * 64, media_type="image/png", width=1, height=1, alt="Plan")
    wording = _render(message, pictures=(picture,))
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


def test_a_mail_is_whole_or_refused() -> None:
    def small(limit: int) -> ChannelConfig:
        return _channel("mail", Capabilities(budget=Budget(limit), title=True, html=True))

    message = _message(description=LONG)
    whole = len(_render(message, MAIL).standalone.text)
    assert _render(message, small(whole)).omitted == ()
    with pytest.raises(MessageTooLong):
        _render(message, small(whole - 1))


# --- networks without threads and hashtags


def test_where_posts_do_not_hang_together_they_carry_a_reference() -> None:
    assert _render(_message(), PHONE, reference="K7Q2M").standalone.text == (
        "🚨 [Accident – EN COURS] Montpellier – Accident de la circulation, avenue de Toulouse.\n"
        "Évitez le secteur.\n"
        "Réf. K7Q2M\n"
        "Police nationale de l'Hérault"
    )
    assert "K7Q2M" not in _render(_message(), BLUESKY, reference="K7Q2M").standalone.text
    assert "Ref. K7Q2M" in _render(_message(), PHONE, reference="K7Q2M", language="en").standalone.text


def test_where_hashtags_cannot_be_followed_they_are_plain_words() -> None:
    named = _render(_message(headline="Accident à Montpellier", hashtags=("Occitanie",)), PHONE).standalone.text
    assert named.startswith("🚨 [Accident – EN COURS] Accident à Montpellier")
    campaign = {"category": "burglary_prevention", "hashtags": ("Occitanie",)}
    said = _render(_message("standalone", **campaign), PHONE).standalone.text
    assert "Montpellier – Accident de la circulation." in said
    at_home = _render(_message("standalone", instruction="Montpellier reste chez soi.", **campaign), PHONE)
    assert "Montpellier –" not in at_home.standalone.text
    assert "#" not in named + said + at_home.standalone.text


def test_a_character_outside_the_alphabet_is_reported() -> None:
    spelled = Budget(459, transliterate=to_gsm, find_losses=find_losses)
    channel = _channel("phone", Capabilities(budget=spelled, hashtags=False))
    wording = _render(_message(description="Rassemblement 🚒 à 10² m."), channel)
    assert set(wording.omitted) == {"“🚒” cannot be written there", "“²” cannot be written there"}
    assert wording.standalone.text.startswith("[Accident - EN COURS] Montpellier - Accident")
    assert "2 m." in wording.standalone.text


def test_pictures_that_are_too_many_are_left_out_and_noted() -> None:
    pictures = tuple(
        Picture(digest=f"{number:064x}", media_type="image/png", width=2, height=2, alt=f"Plan {number}")
        for number in range(6)
    )
    wording = _render(_message(), pictures=pictures)
    assert wording.standalone.pictures == pictures[:4]
    assert wording.omitted == ("2 of 6 pictures left out",)


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
    assert f"background-color:{tone}" in _render(_message(stage, **fields), MAIL).standalone.html


# --- a name made a hashtag


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
        wording = _render(message, channel, history=history, language=language)
    except MessageTooLong as error:
        too_long = error
        assert too_long.used > too_long.limit
        return
    assert _render(message, channel, history=history, language=language) == wording
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
    wide = _channel("wide", Capabilities(budget=Budget(300)))
    text = _render(_message(), wide).standalone.text
    full = Capabilities(budget=Budget(len(text)), refuses_repeats=True)  # and has no threads
    post = _render(_message(), _channel("full", full)).standalone
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
