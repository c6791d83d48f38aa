"""No post repeats a withdrawn text, cuts a qualified sentence, names a house number or shows an outdated colour.

A post is not left out where something shorter can be published.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from policenotify.channel import ChannelConfig
from policenotify.cli.commands.preview import preview_lines
from policenotify.cli.output import printed
from policenotify.cli.report.builder import draw
from policenotify.cli.report.file import html
from policenotify.cli.report.source import ReportEntry
from policenotify.errors import MessageTooLong
from policenotify.model.cap import Precision
from policenotify.model.history import History, HistoryEntry, Outcome, RenderedPost
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Image, Message, Translation
from policenotify.publishing.defaults import fill_defaults
from policenotify.publishing.reach import Preview
from policenotify.render.locales import PROFILES
from policenotify.testing.samples import SENDER
from policenotify.testing.strategies import NOW
from policenotify.text.fit import shorten
from tests.support.five_networks import open_five
from tests.support.installation import Desk, accident, open_desk
from tests.support.shipped_files import NETWORKS, channel_on, posted_everywhere
from tests.support.wordings import render_post

INCIDENT, FIRST, SECOND = "2026-4711", "01JZ0000000000000000000001", "01JZ0000000000000000000002"
INCIDENTS: Final = sorted(code for code, profile in PROFILES.items() if profile.opens_incident)
EVERYWHERE: Final = st.sampled_from(sorted(NETWORKS)).map(channel_on)


def _message(stage: Stage, **fields: Any) -> Message:
    lifecycle: dict[str, str] = {"stage": stage, "incident": INCIDENT}
    if stage is Stage.CORRECTION:
        lifecycle["corrects"] = FIRST
    place = {"commune": "34172", "commune_name": "Montpellier", "street": "rue de la Loge"}
    given_ = {"category": "police_operation", "lifecycle": lifecycle, "headline": "Fausse alerte", "location": place}
    return Message.model_validate({**given_, **fields})


def _resolved(message: Message) -> Message:
    return fill_defaults(
        message,
        PROFILES[message.category],
        sender=SENDER,
        incident=None,
    )


def _entry(message: Message, publication: str = FIRST, minutes: int = 40) -> HistoryEntry:
    at = NOW - timedelta(minutes=minutes)
    return HistoryEntry(
        publication=publication, sequence=1, message=_resolved(message), at=at, posts=posted_everywhere()
    )


def _render(
    message: Message, channel: ChannelConfig, entries: tuple[HistoryEntry, ...] = (), *, language: str = "fr"
) -> RenderedPost:
    history = History(incident=INCIDENT, entries=entries)
    return render_post(_resolved(message), channel, history=history, at=NOW, language=language, reference="K7Q2M")


def _read(wording: RenderedPost) -> str:
    """All that readers may see of a wording."""
    posts = filter(None, (wording.standalone, wording.reply, *wording.continuations))
    return "\n".join(f"{post.title}\n{post.text}\n{post.html}" for post in posts)


# --- a withdrawn text is never repeated

_NAMES: Final = st.lists(
    st.text("bcdfghjklmnpqrstvwxz", min_size=8, max_size=12).map(str.capitalize), min_size=2, max_size=5, unique=True
)


@given(st.data())
def test_no_post_repeats_what_is_withdrawn(data: st.DataObject) -> None:
    withdrawn = data.draw(_NAMES)
    texts = {name: f"Opération chez {' '.join(withdrawn)}." for name in ("headline", "description", "instruction")}
    category = data.draw(st.sampled_from(INCIDENTS))
    translation = {"language": "en", **texts}
    opening = _message(Stage.OPENING, category=category, **texts, hashtags=withdrawn[:2], translations=[translation])
    entries = [_entry(opening)]
    if data.draw(st.booleans()):
        entries.append(_entry(_message(Stage.UPDATE, category=category, **texts), SECOND, 20))
    stage = data.draw(st.sampled_from((Stage.CANCELLATION, Stage.CORRECTION)))
    changes: dict[str, Any] = {"hashtags": ()} if stage is Stage.CORRECTION else {}
    made = opening.followed_by(
        stage,
        headline="Message publié par erreur",
        incident=INCIDENT,
        corrects=FIRST if stage is Stage.CORRECTION else None,
        **changes,
    )
    channel, language = data.draw(EVERYWHERE), data.draw(st.sampled_from(("fr", "en")))
    read = _read(_render(made, channel, tuple(entries), language=language)).casefold()
    assert not [name for name in withdrawn if name.casefold() in read]
    if stage is Stage.CORRECTION:  # nor later
        after = (*entries, _entry(made, SECOND[:-1] + "3", 10))
        later = data.draw(st.sampled_from((Stage.UPDATE, Stage.END)))
        follows = made.followed_by(later, headline="Fin de l'opération", incident=INCIDENT)
        read = _read(_render(follows, channel, after, language=language)).casefold()
        assert not [name for name in withdrawn if name.casefold() in read]


# --- no sentence of an incident is parted

_WORDS: Final = (
    "la fumée",
    "n'est pas",
    "dangereuse",
    "mais",
    "sauf",
    "riverains",
    "M. Petit",
    "à 18 h 30",
    "« zone »",
)


def _sentences(*, most: int) -> st.SearchStrategy[list[str]]:
    one = st.lists(st.sampled_from(_WORDS), min_size=3, max_size=most).map(lambda words: f"Que {' '.join(words)}.")
    return st.lists(one, min_size=1, max_size=14, unique=True)


def _whole(text: str) -> str:
    return re.sub(r"[^\w ]+", " ", text).replace("\u00a0", " ")


def _parted(read: str, sentences: list[str]) -> Iterator[str]:
    """The sentences of which a post holds the beginning, and not the whole."""
    shown = " ".join(_whole(read).split())
    for number, sentence in enumerate(sentences):
        told = " ".join(_whole(sentence).split())
        if f" S{number} " in f" {shown} " and told not in shown:
            yield sentence


@given(_sentences(most=24), _sentences(most=16), EVERYWHERE, st.sampled_from(INCIDENTS))
def test_no_post_ends_inside_a_sentence_of_an_incident(
    more: list[str], orders: list[str], channel: ChannelConfig, category: str
) -> None:
    sentences = [f"S{number} {text}" for number, text in enumerate((*more, *orders))]
    description, instruction = sentences[: len(more)], sentences[len(more) :]
    message = _message(
        Stage.OPENING, category=category, description=" ".join(description), instruction=" ".join(instruction)
    )
    try:
        wording = _render(message, channel)
    except MessageTooLong:
        assert not channel.capabilities.replies
        return
    for post in (wording.standalone, *wording.continuations):
        parted = list(_parted(post.text, sentences))
        # Only in a thread, where the next post goes on, and only what no post holds.
        assert not [
            one for one in parted if channel.capabilities.budget.fits(f"{one} (9/9)") or not wording.continuations
        ]
    told = " ".join(_whole(" ".join(post.text for post in (wording.standalone, *wording.continuations))).split())
    if [number for number in range(len(description)) if f" S{number} " not in f" {told} "]:
        assert {"description shortened", "description left out"} & set(wording.omitted)


SMOKE: Final = (
    "La fumée n'est pas dangereuse pour les personnes en bonne santé qui restent à l'intérieur et qui ne font pas "
    "d'effort pendant toute la durée de l'intervention des sapeurs-pompiers dans le quartier de la gare et de ses "
    "environs, mais elle l'est pour les asthmatiques."
)
CLOSED: Final = (
    "La circulation des voitures est interdite dans le sens Sète vers Frontignan. Sauf riverains, secours et bus de la "
    "ligne 3, qui passent par la route de Balaruc et le chemin de la Plage jusqu'à la fin de l'intervention, prévue "
    "vers 22 h d'après les sapeurs-pompiers de l'Hérault."
)


@pytest.mark.parametrize("description", [SMOKE, CLOSED])
def test_a_phrase_that_would_mean_the_opposite_without_its_end_is_left_out(description: str) -> None:
    message = _message(
        Stage.OPENING, headline="Incendie", description=description, instruction="Fermez portes et fenêtres."
    )
    wording = _render(message, channel_on("x"))
    assert description[:20] not in wording.standalone.text
    assert wording.omitted == ("description left out",)


@pytest.mark.parametrize(
    "text",
    [
        "Circulation interdite dans la rue. À l'exception des riverains.",
        "Le pont est ouvert aux piétons. À condition de rester à droite.",
        "Rumeur : le tribunal est évacué. C'est faux.",
        "Faut-il quitter le quartier ? Restez chez vous.",
    ],
)
def test_no_cut_parts_a_sentence_from_what_limits_or_denies_it(text: str) -> None:
    assert shorten(text, lambda cut: len(cut) < len(text)) == ""


# --- no house number below the allowed precision

_STREETS: Final = (
    "rue des Lilas",
    "avenue du 8 Mai 1945",
    "place du 14 Juillet",
    "boulevard du 11 Novembre 1918",
    "chemin de la Plage",
    "impasse du Pont",
)
_HOUSES: Final = st.builds(
    lambda sign, number, more: f"{sign}{number}{more}",
    st.sampled_from(("", "", "n° ", "n°", "N° ", "numéro ")),
    st.integers(1, 999).filter(lambda number: number not in {3, 8, 11, 12, 14, 31}),
    st.sampled_from(("", "", " bis", "bis", ", ter", " ter", " B", "B")),
)
_UNITS: Final = (
    ("bâtiment B", "bâtiment"), ("bât. C2", "bât"), ("escalier 2", "escalier"), ("3e étage", "étage"),
    ("rez-de-chaussée", "chaussée"), ("appartement 34", "appartement"), ("Appt 12", "appt"),
)  # fmt: skip


@given(
    _HOUSES,
    st.sampled_from(_STREETS),
    st.lists(st.sampled_from(_UNITS), max_size=3, unique=True),
    st.sampled_from(("{house} {street}", "{house}, {street}", "au {house} {street}", "{street}, {house}")),
    st.sampled_from(("street", "label", "headline", "between", "known")),
    EVERYWHERE,
)
def test_no_post_has_a_house_number_where_only_the_street_is_allowed(
    house: str, street: str, units: list[tuple[str, str]], form: str, field: str, channel: ChannelConfig
) -> None:
    address = ", ".join((form.format(house=house, street=street), *(unit for unit, _ in units)))
    place = {"commune": "34172", "commune_name": "Montpellier"}
    texts: dict[str, dict[str, Any]] = {
        "headline": {"headline": f"Forcené retranché {address}"},
        "known": {"known": {"confirmed": f"Il est retranché {address}"}},
    }
    changes = texts.get(field, {})
    located: dict[str, Any] = {**place, field: (address, address) if field == "between" else address}
    located = place if changes else located
    typed = _message(
        Stage.OPENING,
        **{"headline": "Forcené retranché", "instruction": "Évitez le secteur.", **changes},
        location=located,
    )
    resolved = _resolved(typed)
    assert _resolved(resolved) == resolved
    read = _read(_render(typed, channel)).casefold()
    number = re.findall(r"\d+", house)[0]
    shown = read.replace(street.casefold(), "")
    # Tags, hashtags, the time, the day, the reference and the emergency numbers of a mail have digits of their own.
    other = r"<[^>]*>|#\w+|17h42|vendredi\s+5\s+juin|\bk7q2m\b"
    other += r"|urgence\s*:(?:<[^>]*>|\D)*17(?:<[^>]*>|\D)*112(?:<[^>]*>|\D)*114"
    assert not re.search(rf"(?<!\d){number}(?!\d)", re.sub(other, "", shown))
    assert not [unit for _, unit in units if unit in shown]
    assert street.casefold() in read.replace("\u00a0", " ")


def test_a_street_named_by_the_place_loses_its_number_in_running_text_too() -> None:
    message = _message(
        Stage.OPENING,
        location={"commune": "34172", "street": "14 bis, rue des Lilas"},
        description=(
            "L'homme est au 14 bis, rue des Lilas, 3e étage (rue des Lilas n° 14).\n"
            "Témoins : commissariat, 206 rue du Comté."
        ),
        translations=[{"language": "en", "headline": "Man at 14 rue des Lilas", "description": ""}],
    )
    resolved = _resolved(message)
    assert resolved.location
    assert resolved.location.street == "rue des Lilas"
    assert (
        resolved.description == "L'homme est rue des Lilas (rue des Lilas).\nTémoins : commissariat, 206 rue du Comté."
    )
    assert resolved.translations[0].headline == "Man at rue des Lilas"


def test_no_image_description_contains_a_house_number(desk: Desk) -> None:
    publisher = desk.publisher([desk.on_bluesky(), desk.by_mail()])
    drawn = BytesIO()
    PIL.Image.new("RGB", (200, 150), "#123456").save(drawn, "PNG")
    alts = ("Façade de l'immeuble du 14 rue Foch, bâtiment B", "The house at 14 rue Foch, floor of the flat")
    english = Translation(language="en", headline="Police operation", alts=alts[1:])
    message = accident(
        category="police_operation",
        headline="Opération de police",
        location={"commune": "34172"},
        images=[Image(alt=alts[0], data=drawn.getvalue())],
        translations=(english,),
    )
    seen = publisher.preview(message)
    assert {one.field for one in seen.findings if one.code == "PN210"} == {"images.0.alt", "translations.en.alts.0"}
    said = publisher.publish(message, key="1", actor="desk")
    assert said.ok
    [post] = desk.bluesky.posts
    shown = str(post) + "".join(map(str, desk.mail.mails)) + said.message.model_dump_json()
    assert "rue Foch" in shown
    assert not re.search(r"\b14 rue|bâtiment", shown)


def test_a_house_number_is_published_where_the_category_allows_it() -> None:
    fire = _message(Stage.OPENING, category="fire", location={"commune": "34172", "street": "14 rue des Lilas"})
    told = _resolved(fire).location
    assert told
    assert (told.street, told.precision) == ("14 rue des Lilas", Precision.EXACT)


# --- an order that is too long for one channel silences no other

ORDER: Final = (
    "Quittez immédiatement les lieux à pied vers le nord. " + "Emportez vos médicaments et vos papiers. " * 12
).strip()


def test_a_text_too_long_for_one_channel_is_shortened_there_and_whole_elsewhere(tmp_path: Path) -> None:
    with open_five(tmp_path) as five:
        publisher = five.publisher()
        order = accident(instruction=ORDER, description="", link="https://police.example/gaz")
        seen = {wording.target.channel: wording for wording in publisher.preview(order).posts}
        said = publisher.publish(order, key="1", actor="desk")
        assert said.ok, "\n".join(map(str, said))
        text = seen["sms"].standalone.text
        assert five.sms.messages[0].text == text
        assert "Quittez immédiatement les lieux" in text
        assert "Suite : https://police.example/gaz" in text
        assert text.count("vos papiers") < ORDER.count("vos papiers")
        assert "the rest of the instruction shortened" in seen["sms"].omitted
        assert ORDER.count("vos papiers") == "".join(post.text for post in five.bluesky.posts).count("vos papiers")


@given(st.integers(1, 14), st.integers(8, 39), EVERYWHERE, st.sampled_from((None, "https://police.example/gaz")))
def test_the_first_sentence_of_an_instruction_is_published_or_the_channel_alone_is_refused(
    count: int, length: int, channel: ChannelConfig, link: str | None
) -> None:
    sentences = [f"N{number} {'mot ' * length}fin." for number in range(count)]
    message = _message(Stage.OPENING, instruction=" ".join(sentences), link=link)
    wording = _render(message, channel)  # the first sentence fits each network
    texts = [" ".join(post.text.split()) for post in (wording.standalone, *wording.continuations)]
    first = " ".join(sentences[0].split())
    assert first.rstrip(".") in " ".join(texts)
    if not wording.continuations and f"N{count - 1} " not in texts[0]:
        assert any("instruction" in str(what) for what in wording.omitted)
        assert (link or SENDER.rstrip(".")) in texts[0] or not channel.capabilities.hashtags


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def test_where_not_even_the_shortest_fits_that_channel_alone_is_refused_with_a_reason(desk: Desk) -> None:
    bluesky = desk.on_bluesky()
    narrow = replace(bluesky.capabilities, replies=False)
    publisher = desk.publisher([bluesky.model_copy(update={"capabilities": narrow}), desk.by_mail()])
    order = accident(instruction="Quittez les lieux " * 30)
    seen = publisher.preview(order)
    assert [(leg.channel, leg.language) for leg in seen.refusals] == [("bluesky", "fr")]
    assert [wording.target.channel for wording in seen.posts] == ["presse"]
    reason = seen.refusals[0].refused
    [refusal] = TypeAdapter(Preview).dump_python(seen, mode="json")["refusals"]
    assert (refusal["channel"], refusal["language"], refusal["refused"]) == ("bluesky", "fr", reason)
    assert "the first thing to do take" in printed(preview_lines(seen, publisher))
    assert "the first thing to do take" in html(draw("preview", [ReportEntry(at=NOW, preview=seen)], publisher))
    said = publisher.publish(order, key="1", actor="desk")
    assert said.on("presse").outcome is Outcome.POSTED
    refused = said.on("bluesky")
    assert refused.outcome is Outcome.REFUSED
    assert re.fullmatch(
        r"Nothing was sent here: what, where and the first thing to do take \d+ of 300\. .*on this channel\.",
        str(refused.reason),
    )
    assert not desk.bluesky.posts
    assert len(desk.mail.mails) == 3
    # The next message goes there again, standalone.
    end = publisher.publish(said.end("Fin d'intervention", description="Circulation rétablie."), key="2", actor="desk")
    assert end.on("bluesky").outcome is Outcome.POSTED
