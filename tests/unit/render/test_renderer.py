"""The wording of messages: twenty-six of them as whole pages, and the rules one by one.

The pages are in `golden/wording`. `bash .ci/run regenerate` writes them. Read the difference: they must read as a
police account writes.
"""

from __future__ import annotations

import re
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
from policenotify.model.cap import Certainty, Precision, Severity, Urgency
from policenotify.model.history import History, HistoryEntry, RenderedPost, Target
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.defaults import fill_defaults
from policenotify.render import RenderContext, render
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile
from policenotify.render.places import tagged
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


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.id for sample in SAMPLES])
def test_every_message_fits_whole(sample: Sample) -> None:
    assert _of(sample).omitted == ()
    assert _of(sample, MAIL).omitted == ()


# --- openings


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur."
            ),
        ),
        (
            {"headline": "Accident avenue de Toulouse"},
            ("🚨 [#Accident – EN COURS] #Montpellier – Accident avenue de Toulouse.\nÉvitez le secteur."),
        ),
        (
            {"headline": "Accident en cours de traitement"},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident en cours de traitement, avenue de Toulouse.\n"
                "Évitez le secteur."
            ),
        ),
        (
            {"headline": "Accident à MONTPELLIER"},
            ("🚨 [#Accident – EN COURS] Accident à #Montpellier, avenue de Toulouse.\nÉvitez le secteur."),
        ),
        (
            {"headline": "Accident à #montpellier."},
            ("🚨 [#Accident – EN COURS] Accident à #montpellier, avenue de Toulouse.\nÉvitez le secteur."),
        ),
        (
            {"headline": "Choc, deux voies fermées"},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Choc, deux voies fermées, avenue de Toulouse.\n"
                "Évitez le secteur."
            ),
        ),
        (
            {"headline": "Attention, verglas !"},
            ("🚨 [#Accident – EN COURS] #Montpellier – Attention, verglas ! Avenue de Toulouse.\nÉvitez le secteur."),
        ),
        (
            {"starts_at": AT - timedelta(minutes=12)},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse, "
                "depuis 17h30.\n"
                "Évitez le secteur."
            ),
        ),
        (
            {"starts_at": AT + timedelta(hours=2)},
            (
                "🚨 [#Accident] #Montpellier – Accident de la circulation, avenue de Toulouse, à partir de 19h42.\n"
                "Évitez le secteur."
            ),
        ),
        (
            {"expires_at": AT + timedelta(hours=5, minutes=18)},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur.\n"
                "Valable jusqu'à 23h."
            ),
        ),
        (
            {"next_update_at": AT + timedelta(hours=26, minutes=18)},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur.\n"
                "Prochain point samedi 6 juin à 20h."
            ),
        ),
        (
            {"next_update_at": AT + timedelta(minutes=48), "instruction": "Évitez le secteur. Prochain point à 18h30"},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur. Prochain point à 18h30."
            ),
        ),
        (  # the same time of another day is not the time already given
            {"starts_at": AT.replace(hour=9, minute=0), "next_update_at": AT.replace(day=6, hour=9, minute=0)},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse, depuis 9h.\n"
                "Évitez le secteur.\n"
                "Prochain point samedi 6 juin à 9h."
            ),
        ),
        (
            {"starts_at": AT.replace(hour=20, minute=0), "next_update_at": AT.replace(hour=20, minute=0)},
            (
                "🚨 [#Accident] #Montpellier – Accident de la circulation, avenue de Toulouse, à partir de 20h.\n"
                "Évitez le secteur.\n"
                "Prochain point à 20h."
            ),
        ),
        (
            {"headline": "Choc à 18h30", "next_update_at": AT.replace(day=6, hour=18, minute=30)},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Choc à 18h30, avenue de Toulouse.\n"
                "Évitez le secteur.\n"
                "Prochain point samedi 6 juin à 18h30."
            ),
        ),
        (  # a time without its day would be read as today's
            {
                "headline": "Pont fermé de 20h à 23h",
                "starts_at": AT.replace(day=6, hour=20, minute=0),
                "expires_at": AT.replace(day=6, hour=23, minute=0),
            },
            (
                "🚨 [#Accident] #Montpellier – Pont fermé de 20h à 23h, avenue de Toulouse, samedi 6 juin.\n"
                "Évitez le secteur."
            ),
        ),
        (
            {
                "headline": "Pont fermé samedi de 20h à 23h",
                "starts_at": AT.replace(day=6, hour=20, minute=0),
                "expires_at": AT.replace(day=6, hour=23, minute=0),
            },
            ("🚨 [#Accident] #Montpellier – Pont fermé samedi de 20h à 23h, avenue de Toulouse.\nÉvitez le secteur."),
        ),
        (
            {
                "headline": "Pont fermé le 20 juin de 20h à 23h",
                "starts_at": AT.replace(day=20, hour=20, minute=0),
                "expires_at": AT.replace(day=20, hour=23, minute=0),
            },
            (
                "🚨 [#Accident] #Montpellier – Pont fermé le 20 juin de 20h à 23h, avenue de Toulouse.\n"
                "Évitez le secteur."
            ),
        ),
        ({"location": None}, ("🚨 [#Accident – EN COURS] Accident de la circulation.\nÉvitez le secteur.")),
        (
            {"location": {"road": {"road": "A9", "exit": "sortie 31", "direction": "Béziers → Montpellier"}}},
            (
                "🚨 [#Accident – EN COURS] #A9 – Accident de la circulation, sortie 31, "
                "sens Béziers vers Montpellier.\n"
                "Évitez le secteur."
            ),
        ),
        (
            {"location": {"commune_name": "Lattes", "road": {"road": "D66"}, "district": "Maurin"}},
            ("🚨 [#Accident – EN COURS] #Lattes – Accident de la circulation, Maurin, D66.\nÉvitez le secteur."),
        ),
        (
            {"location": {"department": "34", "department_name": "Hérault"}},
            ("🚨 [#Accident – EN COURS] #Hérault – Accident de la circulation.\nÉvitez le secteur."),
        ),
        (
            {"location": {"commune_name": "34"}},
            ("🚨 [#Accident – EN COURS] 34 – Accident de la circulation.\nÉvitez le secteur."),
        ),
        (
            {"hashtags": ["hérault", "accident", "A9"], "description": "Choc sur l'#A9"},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur.\n"
                "Choc sur l'#A9."
            ),
        ),
        (
            {"hashtags": ["Hérault", "A9"], "link": "https://police.example/a"},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur.\n"
                "https://police.example/a\n"
                "#Hérault"
            ),
        ),
        (
            {"description": "Plan sur https://police.example/a", "link": "https://police.example/a"},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur.\n"
                "Plan sur https://police.example/a"
            ),
        ),
        (
            {"description": "Circulation difficile\nDeux voies fermées :\n- celle de droite"},
            (
                "🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur.\n"
                "Circulation difficile. Deux voies fermées : - celle de droite."
            ),
        ),
        (
            {"exercise": True},
            (
                "EXERCICE – 🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.\n"
                "Évitez le secteur."
            ),
        ),
    ],
)
def test_an_opening_names_event_place_instruction_and_time(fields: dict[str, Any], text: str) -> None:
    assert _text(**fields) == set_no_break_spaces(text)


@pytest.mark.parametrize(
    ("stage", "fields", "text"),
    [
        (
            "update",
            {"headline": "Une voie rouverte"},
            "🔄 [#Accident – MISE À JOUR] #Montpellier, avenue de Toulouse – Une voie rouverte.",
        ),
        (
            "update",
            {"headline": "RD66 rouverte"},
            "🔄 [#Accident – MISE À JOUR] #Montpellier, avenue de Toulouse – RD66 rouverte.",
        ),
        (
            "update",
            {"headline": "A9 : une voie rouverte"},
            "🔄 [#Accident – MISE À JOUR] #Montpellier, avenue de Toulouse – A9 : une voie rouverte.",
        ),
        (
            "update",
            {"headline": "Toulouse est accessible"},
            "🔄 [#Accident – MISE À JOUR] #Montpellier, avenue de Toulouse – Toulouse est accessible.",
        ),
        (
            "update",
            {"headline": "« Bouchon » résorbé"},
            "🔄 [#Accident – MISE À JOUR] #Montpellier, avenue de Toulouse – « Bouchon » résorbé.",
        ),
        (
            "update",
            {"headline": "Une voie rouverte à Montpellier"},
            "🔄 [#Accident – MISE À JOUR] Avenue de Toulouse – Une voie rouverte à #Montpellier.",
        ),
        (
            "update",
            {"headline": "Une voie rouverte", "location": None},
            "🔄 [#Accident – MISE À JOUR] Une voie rouverte.",
        ),
        (
            "update",
            {"headline": "Une voie rouverte", "starts_at": AT - timedelta(minutes=2)},
            "🔄 [#Accident – MISE À JOUR] #Montpellier, avenue de Toulouse – Une voie rouverte depuis 17h40.",
        ),
        (
            "end",
            {"headline": "Fin d'intervention", "starts_at": AT, "next_update_at": AT, "expires_at": AT + timedelta(1)},
            "✅ [#Accident – FIN] #Montpellier, avenue de Toulouse – Fin d'intervention à 17h42.",
        ),
        (
            "cancellation",
            {"headline": "Aucun accident n'a eu lieu", "expires_at": AT + timedelta(1), "starts_at": AT},
            "🚫 [#Accident – ANNULATION] #Montpellier, avenue de Toulouse – Aucun accident n'a eu lieu.",
        ),
        (
            "correction",
            {"headline": "L'accident a lieu avenue de Lodève"},
            "✏️ [#Accident – RECTIFICATIF] #Montpellier, avenue de Toulouse – L'accident a lieu avenue de Lodève.",
        ),
    ],
)
def test_a_later_stage_is_marked_in_words_and_repeats_the_place(stage: str, fields: dict[str, Any], text: str) -> None:
    history = History(incident="i1", entries=(ACCIDENT.entry(1),))
    wording = _render(_message(stage, **{"instruction": "", **fields}), history=history)
    assert wording.reply is not None
    assert wording.reply.text == set_no_break_spaces(text)
    refers = {
        "correction": "Rectifie notre message de 17h42.",
        "cancellation": "Annule notre message de 17h42.",
    }.get(stage, "Fait suite à notre message de 17h42 : Accident de la circulation.")
    assert wording.standalone.text == set_no_break_spaces(f"{text}\n{refers}")


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


def test_without_the_opening_the_bracket_names_its_subject() -> None:
    text = _text("end", headline="Fin d'intervention", instruction="")
    assert text == set_no_break_spaces("✅ [#Accident – FIN] #Montpellier, avenue de Toulouse – Fin d'intervention.")


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
        (
            {"instruction": "Appelez le poste de Sète."},
            ("🏠 Fermez vos volets.\nAppelez le poste de #Sète.\n#Cambriolage"),
        ),
        ({"hashtags": ["OTV", "A9"]}, ("🏠 Fermez vos volets.\nPrévenez vos voisins.\n#Cambriolage #Sète #OTV")),
        ({"headline": "#A9 #OTV #Vols"}, ("🏠 #A9 #OTV #Vols.\nPrévenez vos voisins.\n#Sète")),
        ({"location": None}, ("🏠 Fermez vos volets.\nPrévenez vos voisins.\n#Cambriolage")),
        (  # until then it may be sent
            {"expires_at": AT + timedelta(1)},
            ("🏠 Fermez vos volets.\nPrévenez vos voisins.\n#Cambriolage #Sète"),
        ),
        (
            {"starts_at": AT.replace(day=12, hour=10, minute=0), "expires_at": AT.replace(day=12, hour=17, minute=0)},
            "🏠 Fermez vos volets, vendredi 12 juin de 10h à 17h.\nPrévenez vos voisins.\n#Cambriolage #Sète",
        ),
        ({"exercise": True}, ("EXERCICE – 🏠 Fermez vos volets.\nPrévenez vos voisins.\n#Cambriolage #Sète")),
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


def test_a_standalone_message_is_corrected_in_words() -> None:
    alone = Message.model_validate({"category": "road_safety", "headline": "Contrôles renforcés samedi"})
    posts = ACCIDENT.entry(1).posts
    entry = HistoryEntry(publication="0" * 26, sequence=1, message=alone, at=AT, posts=posts)
    lifecycle = Lifecycle(stage=Stage.CORRECTION, corrects="0" * 26)
    message = Message(category="road_safety", headline="C'est dimanche", lifecycle=lifecycle)
    wording = _render(message, history=History(entries=(entry,)))
    assert wording.reply is not None
    assert wording.reply.text == "✏️ RECTIFICATIF – C'est dimanche.\n#SécuritéRoutière"
    assert wording.standalone.text == set_no_break_spaces(
        "✏️ RECTIFICATIF – C'est dimanche.\nRectifie notre message de 17h42.\n#SécuritéRoutière"
    )


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


def test_english_keeps_its_capitals_after_a_colon() -> None:
    entry = ACCIDENT.entry(1)
    posts = tuple(replace(post, language="en") for post in entry.posts)
    history = History(incident="i1", entries=(replace(entry, posts=posts),))
    text = _render(_message("end", headline="Friday's closure is over", language="en"), history=history, language="en")
    assert text.standalone.text.startswith(
        "✅ [#RoadAccident – OVER] #Montpellier, avenue de Toulouse – Friday's closure"
    )
    assert "Follows our message of 17:42: Accident de la circulation." in text.standalone.text


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
        (
            {"severity": "Severe", "headline": "Orages", "source": "Météo-France"},
            (
                "🟠 [#VigilanceOrange] #Hérault – Orages, du vendredi 5 juin à 19h42 au samedi 6 juin à 7h42.\n"
                "Limitez vos déplacements.\nSource : Météo-France."
            ),
        ),
        (  # the day completes the hours of the headline
            {
                "severity": "Severe",
                "headline": "Vents violents sur tout le littoral du département de 20h à 23h",
                "starts_at": AT.replace(day=6, hour=20, minute=0),
                "expires_at": AT.replace(day=6, hour=23, minute=0),
                "source": "Météo-France",
            },
            (
                "🟠 [#VigilanceOrange] #Hérault – Vents violents sur tout le littoral du département de 20h à 23h, "
                "samedi 6 juin.\nLimitez vos déplacements.\nSource : Météo-France."
            ),
        ),
    ],
)
def test_what_happened_stands_before_what_to_do_and_only_time_and_source_give_way(
    fields: dict[str, Any], text: str
) -> None:
    assert _text(**{**STORMS, **fields}).replace("\N{NO-BREAK SPACE}", " ") == text


def test_an_end_keeps_its_order() -> None:
    place = {"commune_name": "Montpellier", "label": "place de la Comédie"}
    end: dict[str, Any] = {
        "category": "armed_threat",
        "severity": "Extreme",
        "location": place,
        "starts_at": AT,
        "description": "Merci.",
    }
    headline = "Le danger est écarté, les policiers ont interpellé le tireur dans la rue de Verdun"
    text = _text("end", headline=headline, instruction="Vous pouvez sortir.", **end)
    assert text.replace("\N{NO-BREAK SPACE}", " ") == (
        "✅ [#AlertePolice – FIN D'ALERTE] #Montpellier, place de la Comédie – Le danger est écarté, les policiers ont "
        "interpellé le tireur dans la rue de Verdun à 17h42.\nVous pouvez sortir.\nMerci."
    )


@pytest.mark.parametrize(
    ("headline", "location", "shown"),
    [
        ("La Loire déborde", {"department": "42", "department_name": "Loire"}, "#Loire – La Loire déborde."),
        ("Crues en Loire", {"department": "42", "department_name": "Loire"}, "#Loire – Crues en Loire."),
        ("La #Loire déborde", {"department": "42", "department_name": "Loire"}, "La #Loire déborde."),
        ("La Vienne déborde", {"commune_name": "Vienne"}, "#Vienne – La Vienne déborde."),
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
        ("Éboulis au tunnel", {"commune_name": "Saint-Denis", "road": {"road": "N1"}}, "Éboulis au tunnel sur la N1."),
    ],
)
def test_a_phrase_of_place_is_not_doubled(headline: str, location: dict[str, Any], shown: str) -> None:
    assert shown in _text(headline=headline, location=location)


@pytest.mark.parametrize(
    ("instruction", "adds"),
    [
        ("Restez chez vous. Appelez le 17.", True),
        ("Urgence : 18 ou 112.", True),
        ("Rufen Sie die 112 an.", True),
        ("Appelez le 17, ou le 114 par SMS.", False),
        ("Restez chez vous.", False),
        ("Fermez vos volets jusqu'au 17 juin.", False),
        ("La rue ferme à 17h et le 17 h 30 reste.", False),
        ("15 cm d'eau suffisent, un enfant de 16 ou 17 ans aussi.", False),
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


def test_a_required_part_that_does_not_fit_is_an_error() -> None:
    mute = _channel("board", Capabilities(budget=BLUESKY.capabilities.budget))
    with pytest.raises(
        MessageTooLong, match="on 'board' what, where and the first thing to do take 438 of 300"
    ) as caught:
        _render(_message(instruction="o" * 310), mute)
    assert (caught.value.used, caught.value.limit) == (438, 300)


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


def test_the_alphabet_of_the_network_is_written_before_it_is_fitted() -> None:
    small = Budget(150, transliterate=lambda text: text.replace("🚨", "").replace("–", "-").replace("É", "E").strip())
    channel = _channel("phone", Capabilities(budget=small, hashtags=False))
    wording = _render(_message(description=LONG), channel)
    assert wording.standalone.text.startswith("[Accident - EN COURS] Montpellier - Accident")
    assert len(wording.standalone.text) <= 150
    assert wording.omitted == ("description left out",)


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


def test_every_subject_has_stage_category_place_and_what_holds_now() -> None:
    titles = [_of(sample, MAIL).standalone.title for sample in SAMPLES if sample.id.startswith("accident/")]
    place = "Montpellier, avenue de Toulouse"
    assert titles == [
        f"[Accident – EN COURS] {place}, du centre vers l'A709 – Accident de la circulation",
        f"[Accident – MISE À JOUR] {place} – Une voie rouverte à 18h10, circulation alternée",
        f"[Accident – FIN] {place} – Fin d'intervention",
        f"[Accident – RECTIFICATIF] {place} – L'accident a lieu dans le sens de l'A709 vers le centre",
    ]


@pytest.mark.parametrize(
    ("stage", "fields", "tone"),
    [
        ("opening", {"severity": "Extreme"}, "#a3001b"),
        ("update", {"severity": "Severe"}, "#a3001b"),
        ("opening", {"severity": "Moderate"}, "#ffd23f"),
        ("end", {"severity": "Extreme"}, "#1b6b34"),
        ("cancellation", {"severity": "Extreme"}, "#24405e"),
        ("standalone", {"category": "recruitment"}, "#24405e"),
    ],
)
def test_a_mail_looks_as_urgent_as_it_is(stage: str, fields: dict[str, str], tone: str) -> None:
    assert f"background-color:{tone}" in _render(_message(stage, **fields), MAIL).standalone.html


def test_a_mail_names_days_place_sender_pictures_and_exercise() -> None:
    message = _message(
        exercise=True,
        starts_at=AT + timedelta(minutes=18),
        expires_at=AT + timedelta(days=1),
        location={"commune_name": "Montpellier", "department_name": "Hérault", "street": "avenue de Toulouse"},
        description="Un.\n\nDeux.",
        link="https://police.example/a",
        sender="Police municipale",
    )
    picture = Picture(digest="a" * 64, media_type="image/png", width=2, height=2, alt="Un plan de la déviation")
    post = _render(message, MAIL, pictures=(picture,)).standalone
    assert post.title == "EXERCICE – [Accident] Montpellier, avenue de Toulouse – Accident de la circulation"
    assert post.text.startswith("*** EXERCICE : ceci n'est pas une situation réelle. ***")
    assert "Montpellier, avenue de Toulouse (Hérault)" in post.text
    assert "À partir de\u00a0: vendredi 5 juin à 18h\nJusqu'à\u00a0: samedi 6 juin à 17h42\n" in post.text
    assert "Un.\n\nDeux." in post.text
    assert "[Un plan de la déviation]" in post.text
    assert "Police municipale. Vous recevez ce message" in post.text
    assert re.sub(r"\s+", " ", post.text).count("Urgence : 17 ou 112.") == 1
    assert all(f'<a href="tel:{number}"' in post.html for number in (17, 112, 114))
    assert "[Un plan de la déviation]" in post.html
    assert "<img" not in post.html
    assert (post.exercise, post.sender) == (True, "Police municipale")


# --- resolving


def _resolve(message: Message, profile: CategoryProfile | None = None, **more: str | None) -> Message:
    given: dict[str, Any] = {
        "sender": SENDER,
        "commune_name": "Montpellier",
        "department_name": "Hérault",
        "department": "34",
        "incident": None,
        **more,
    }
    return fill_defaults(message, profile or PROFILES[message.category], **given)


def test_the_category_fills_in_what_the_author_left_open() -> None:
    message = Message.model_validate(
        {
            "category": "arrest",
            "headline": "Trois interpellations",
            "location": {"commune": "34172", "street": "rue Foch", "point": {"latitude": 43.6, "longitude": 3.9}},
        }
    )
    resolved = _resolve(message)
    assert (resolved.severity, resolved.urgency, resolved.certainty) == (
        Severity.MINOR,
        Urgency.PAST,
        Certainty.OBSERVED,
    )
    place = resolved.location
    assert place is not None
    assert (place.commune_name, place.department, place.department_name) == ("Montpellier", "34", "Hérault")
    assert (place.street, place.precision) == (None, Precision.COMMUNE)
    assert place.point != message.location.point if message.location else False
    assert resolved.sender == SENDER
    assert _resolve(resolved) == resolved


def test_the_text_of_the_author_stays_but_an_end_is_past() -> None:
    given: dict[str, Any] = {
        "severity": "Extreme",
        "urgency": "Future",
        "certainty": "Possible",
        "sender": "Mairie",
        "location": None,
    }
    kept = _resolve(_message(**given))
    assert (kept.severity, kept.urgency, kept.certainty, kept.sender, kept.location) == (
        Severity.EXTREME,
        Urgency.FUTURE,
        Certainty.POSSIBLE,
        SENDER,  # always that of the settings
        None,
    )
    assert _resolve(_message("end", **given)).urgency is Urgency.PAST


def test_an_opening_gets_the_incident_that_it_opens() -> None:
    message = _message(lifecycle={"stage": "opening"})
    assert _resolve(message, incident="generated").incident == "generated"
    assert _resolve(_message(), incident="other").incident == "i1"


# --- a name made a hashtag


@pytest.mark.parametrize(
    ("text", "name", "read"),
    [
        ("Feu à Agde : fumées", "Agde", "Feu à #Agde : fumées"),
        ("Feu à SAINT ETIENNE", "Saint-Étienne", "Feu à #SaintÉtienne"),
        ("Feu à Saint-Étienne-de-Gourgas", "Agde", None),
        ("Coupé dans les deux sens", "Sens", None),
        ("Un accident a eu lieu", "Eu", None),
        ("Feu à #Agde", "Agde", "Feu à #Agde"),
        ("Feu", "", None),
        ("Feu au 34", "34", None),
        ("", "Agde", None),
    ],
)
def test_the_first_mention_of_a_place_becomes_its_hashtag(text: str, name: str, read: str | None) -> None:
    assert tagged(text, name) == read


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
