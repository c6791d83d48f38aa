"""Whole courses of incidents: each post can be read alone, and all forms of it agree.

A course is an opening, updates and corrections, and an end or a cancellation. Only a part of what follows has an
instruction of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import ChannelConfig, Post
from policenotify.model.cap import Severity
from policenotify.model.history import History, HistoryEntry, RenderedPost, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.publishing.defaults import fill_defaults
from policenotify.render import RenderContext, render
from policenotify.render.locales import LOCALES, PROFILES
from policenotify.render.short_post import ACTION_WITHIN
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.strategies import NOW
from policenotify.text.comparison import contains_words, fold
from tests.support.shipped_files import NETWORKS, channel_on, posted_everywhere

INCIDENT: Final = "2026-4711"
INCIDENTS: Final = sorted(code for code, profile in PROFILES.items() if profile.opens_incident)
SHORT: Final = [channel_on(network) for network in NETWORKS if network != "email"]
MAIL: Final = channel_on("email")
LAST: Final = channel_on("x").model_copy(update={"hashtags": "last"})
COLOURS: Final = {
    Severity.MODERATE: ("jaune", "yellow"),
    Severity.SEVERE: ("orange", "orange"),
    Severity.EXTREME: ("rouge", "red"),
}
PLACES: Final = (
    {"commune": "34172", "commune_name": "Montpellier", "street": "avenue de Toulouse"},
    {"commune_name": "Saint-Jean-de-Védas"},
    {"commune_name": "L'Haÿ-les-Roses", "district": "quartier du Val"},
    {"commune_name": "Œuf-en-Ternois", "label": "route de Fillièvres, entre l'école et le pont"},
    {"commune_name": "Sète", "label": "quai de la Résistance, " + "du môle Saint-Louis au pont de la Victoire, " * 3},
    {"department": "34", "department_name": "Hérault"},
)

_SYLLABLES: Final = st.lists(st.sampled_from(("ba", "do", "mi", "lu", "re", "ta")), min_size=2, max_size=4)
_WORD: Final = _SYLLABLES.map("".join)


def _texts(kind: str, most: int) -> st.SearchStrategy[str]:
    """Generate a sentence whose words occur nowhere else."""
    words = st.lists(_WORD, min_size=1, max_size=most)
    return words.map(lambda found: " ".join(f"{kind}{word}" for word in found).capitalize())


@dataclass(frozen=True)
class Step:
    """A message of a course with those before it."""

    message: Message
    entries: tuple[HistoryEntry, ...]
    typed: Message

    def context(self, language: str) -> RenderContext:
        return RenderContext(
            message=self.message,
            language=language,
            locale=LOCALES[language],
            profile=PROFILES[self.message.category],
            now=NOW,
            zone=PARIS,
            sender=SENDER,
            history=History(incident=INCIDENT, entries=self.entries),
            reference="K7Q2M",
        )

    def render(self, channel: ChannelConfig, language: str = "fr") -> RenderedPost:
        answers = tuple(entry.publication for entry in self.entries) if channel.capabilities.replies else ()
        target = Target(channel=channel.name, account=channel.account, language=language, reply_to=answers)
        return render(self.context(language), target, channel=channel, key="0" * 64)

    def posts(self, channel: ChannelConfig, language: str = "fr") -> list[Post]:
        rendered = self.render(channel, language)
        return [post for post in (rendered.standalone, rendered.reply) if post]


def _step(message: Message, earlier: tuple[Step, ...], number: int) -> Step:
    entries = tuple(
        HistoryEntry(
            publication=f"{at:026d}",
            sequence=at,
            message=step.message,
            at=NOW - timedelta(minutes=60 - 10 * at),
            posts=posted_everywhere(),
        )
        for at, step in enumerate(earlier, 1)
    )
    assert len(entries) == number - 1
    resolved = fill_defaults(
        message,
        PROFILES[message.category],
        sender=SENDER,
        commune_name=None,
        department_name="Hérault",
        department="34",
        incident=None,
        history=History(incident=INCIDENT, entries=entries),
        now=NOW,
    )
    return Step(resolved, entries, message)


@st.composite
def courses(draw: st.DrawFn, /, ends: tuple[Stage, ...] = (Stage.END, Stage.CANCELLATION), **fixed: Any) -> list[Step]:
    """Generate a course. The words of each of its messages begin with a letter of its own."""
    opening = Message.model_validate(
        {
            "category": draw(st.sampled_from(INCIDENTS)),
            "lifecycle": {"stage": "opening", "incident": INCIDENT},
            "severity": draw(st.none() | st.sampled_from((Severity.MODERATE, Severity.SEVERE, Severity.EXTREME))),
            "headline": draw(_texts("a", 16))[:80],  # a longer one may give way to the order, see `test_renderer`
            "description": f"{draw(_texts('a', 30))}.",
            "instruction": f"{draw(_texts('ga', 6))}.",
            "location": draw(st.sampled_from(PLACES)),
            "next_update_at": NOW + timedelta(minutes=draw(st.integers(5, 90))),
            "exercise": draw(st.booleans()),
            **fixed,
        }
    )
    steps: tuple[Step, ...] = (_step(opening, (), 1),)
    stages = [
        *draw(st.lists(st.sampled_from((Stage.UPDATE, Stage.CORRECTION)), max_size=2)),
        draw(st.sampled_from(ends)),
    ]
    for number, stage in enumerate(stages, 2):
        letter = "abcd"[number - 1]
        last = stage in {Stage.END, Stage.CANCELLATION}
        message = steps[-1].message.followed_by(
            stage,
            headline=draw(_texts(letter, 12))[:150],
            description=draw(st.just("") | _texts(letter, 20).map(lambda text: f"{text}.")),
            instruction=draw(
                (st.nothing() if last else st.just("")) | _texts(f"g{letter}", 8).map(lambda text: f"{text}.")
            ),
            incident=INCIDENT,
            corrects=f"{number - 1:026d}" if stage is Stage.CORRECTION else None,
            severity=draw(st.sampled_from((Severity.MODERATE, Severity.SEVERE, Severity.EXTREME))),
        )
        steps = (*steps, _step(message, steps, number))
    return list(steps)


def _letters(text: str) -> str:
    return fold(text).replace(" ", "").replace("œ", "oe")


def _plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@given(courses(), st.sampled_from(SHORT), st.sampled_from(("fr", "en")))
def test_bracket_subject_and_body_agree_about_stage_place_and_colour(
    course: list[Step], channel: ChannelConfig, language: str
) -> None:
    for step in course:
        context, message = step.context(language), step.message
        (mail, *_) = step.posts(MAIL, language)
        posts = step.posts(channel, language)
        heading = context.heading(context.label)
        assert f"[{heading}]" in mail.title
        assert f"\n{heading}\n" in f"\n{mail.text}"
        assert f">{context.typeset(heading)}</p>".replace("'", "&#x27;") in mail.html
        for post in posts:
            bracket = re.search(r"\[(.*?)\]", post.text)
            assert bracket
            assert fold(bracket[1]).endswith(fold(context.mark))
            assert _letters(context.place.name) in _letters(post.text)
        assert context.place.name in mail.title
        assert context.place.name in mail.text
        if message.category == "weather_relay":
            for name, (french, english) in COLOURS.items():
                word = french if language == "fr" else english
                shown = [
                    contains_words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text), word) for text in (mail.title, mail.text)
                ]
                assert set(shown) == {name is message.severity}
                for post in posts:
                    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", post.text)
                    assert contains_words(split, word) is (name is message.severity)


@given(courses(), st.sampled_from([*SHORT, MAIL, LAST]), st.sampled_from(("fr", "en")))
def test_each_post_read_alone_tells_what_to_do_now(course: list[Step], channel: ChannelConfig, language: str) -> None:
    in_force = ""
    for step in course:
        in_force = step.typed.instruction or ("" if step.message.stage is Stage.CORRECTION else in_force)
        assert step.message.instruction == in_force
        for post in step.posts(channel, language):
            assert in_force in " ".join(_plain(post.text).split())


@given(courses(ends=(Stage.CANCELLATION,)), st.sampled_from([*SHORT, MAIL, LAST]), st.sampled_from(("fr", "en")))
def test_a_cancellation_has_no_word_of_what_it_cancels(
    course: list[Step], channel: ChannelConfig, language: str
) -> None:
    *earlier, last = course
    withdrawn = {
        word
        for step in earlier
        for text in (step.typed.headline, step.typed.description, step.typed.instruction)
        for word in fold(text).split()
    }
    own = set(fold(f"{last.typed.headline} {last.typed.description} {last.typed.instruction}").split())
    rendered = last.render(channel, language)
    for post in filter(None, (rendered.standalone, rendered.reply, *rendered.continuations)):
        read = set(fold(f"{post.title} {post.text} {post.html}").split())
        assert not (withdrawn - own) & read
    assert last.message.next_update_at is None


@given(courses(), st.sampled_from([*SHORT, LAST]), st.sampled_from(("fr", "en")))
def test_what_happened_stands_before_what_to_do_and_only_time_and_source_give_way(
    course: list[Step], channel: ChannelConfig, language: str
) -> None:
    for step in course:
        context = step.context(language)
        final = step.message.stage in {Stage.END, Stage.CANCELLATION}
        for post in step.posts(channel, language):
            lead, *below = _plain(post.text).split("\n")
            assert fold(step.message.headline) in fold(lead)
            assert not step.message.instruction or below[0].startswith(step.message.instruction)
            moved = context.period and fold(context.period) not in fold(lead)
            assert not (moved and final)
            if moved and len(lead) < ACTION_WITHIN:  # it had no space for the time
                assert len(f"{lead}{context.period}") >= ACTION_WITHIN


@given(courses(), st.sampled_from([*SHORT, LAST]))
def test_what_to_do_stands_on_the_second_line_and_the_next_update_on_its_own(
    course: list[Step], channel: ChannelConfig
) -> None:
    for step in course:
        context = step.context("fr")
        for post in step.posts(channel):
            lines = re.sub(r" \(1/\d\)\Z", "", _plain(post.text)).split("\n")
            assert all(lines)
            assert not step.message.instruction or lines[1] == step.message.instruction
            more = [line for post in step.render(channel, "fr").continuations for line in _plain(post.text).split("\n")]
            if context.times.validity("", ""):
                assert sum("Prochain point" in line for line in (*lines, *more)) == 1


# --- single rules


def _course(category: str, *stages: tuple[Stage, dict[str, Any]], **opening: Any) -> list[Step]:
    fields = {"headline": "Premier", "instruction": "Restez.", "location": PLACES[0], **opening}
    first = Message.model_validate(
        {"category": category, "lifecycle": {"stage": "opening", "incident": INCIDENT}, **fields}
    )
    steps: tuple[Step, ...] = (_step(first, (), 1),)
    for number, (stage, changes) in enumerate(stages, 2):
        message = steps[-1].message.followed_by(stage, incident=INCIDENT, **{"headline": "Second", **changes})
        steps = (*steps, _step(message, steps, number))
    return list(steps)


def test_a_vigilance_that_rises_keeps_the_sign_of_its_colour() -> None:
    course = _course("weather_relay", (Stage.UPDATE, {"severity": "Extreme"}), (Stage.END, {}), location=PLACES[-1])
    signs = [step.posts(channel_on("x"))[0].text.split(" ")[0] for step in course]
    assert signs == ["🟠", "🔴", "✅"]


def test_a_vigilance_that_rises_does_not_repeat_its_former_colour() -> None:
    red = (Stage.UPDATE, {"headline": "Vigilance rouge crues", "severity": "Extreme"})
    _, update = _course("weather_relay", red, headline="Vigilance orange crues", location=PLACES[-1])
    for channel in (*SHORT, MAIL):
        for post in update.posts(channel):
            assert "orange" not in f"{post.title} {post.text} {post.html}".casefold()


@pytest.mark.parametrize(
    ("category", "fields", "heading"),
    [
        ("fire", {}, "Incendie – EN COURS"),
        ("fire", {"starts_at": NOW + timedelta(hours=1)}, "Incendie"),
        ("police_operation", {"urgency": "Expected"}, "Intervention de police"),
        ("missing_person", {}, "Disparition inquiétante"),
        ("weather_relay", {"severity": "Extreme"}, "Vigilance rouge"),
        ("weather_relay", {"severity": "Minor"}, "Vigilance météo"),
    ],
)
def test_an_opening_is_marked_as_under_way_where_it_is(category: str, fields: dict[str, Any], heading: str) -> None:
    (step,) = _course(category, **fields)
    context = step.context("fr")
    assert context.heading(context.label) == heading


@pytest.mark.parametrize(
    ("category", "mark"),
    [
        ("traffic_accident", "FIN"),
        ("road_closure", "RÉOUVERTURE"),
        ("bomb_disposal", "LEVÉE DE DOUTE"),
        ("missing_person", "FIN DES RECHERCHES"),
        ("weather_relay", "FIN DE VIGILANCE"),
    ],
)
def test_an_end_has_the_word_of_its_category(category: str, mark: str) -> None:
    *_, end = _course(category, (Stage.END, {}))
    assert end.context("fr").mark == mark
    assert f"– {mark}]" in end.posts(channel_on("x"))[0].text


def test_a_language_without_a_word_of_its_own_does_not_borrow_one() -> None:
    german = LOCALES["en"].model_copy(update={"language": "de", "marks": {Stage.END: "BEENDET"}})
    *_, end = _course("road_closure", (Stage.END, {}))
    assert replace(end.context("en"), language="de", locale=german).mark == "BEENDET"


def test_a_correction_of_neither_headline_nor_place_carries_instruction_and_next_update() -> None:
    later = NOW + timedelta(minutes=30)
    correction = (Stage.CORRECTION, {"corrects": "0" * 25 + "1", "headline": "Premier"})
    _, carried = _course("fire", correction, next_update_at=later)
    assert (carried.message.instruction, carried.message.next_update_at) == ("Restez.", later)
    new = {"instruction": "Partez.", "next_update_at": later + timedelta(hours=1)}
    _, replaced = _course("fire", (Stage.CORRECTION, {"corrects": "0" * 25 + "1", **new}), next_update_at=later)
    assert replaced.message.instruction == "Partez."
    assert replaced.message.next_update_at == later + timedelta(hours=1)
    _, past = _course("fire", correction, next_update_at=NOW - timedelta(minutes=1))
    assert past.message.next_update_at is None


def test_what_an_end_has_lifted_is_not_repeated_by_its_correction() -> None:
    *_, correction = _course("fire", (Stage.END, {}), (Stage.CORRECTION, {"corrects": "0" * 25 + "2"}))
    assert correction.message.instruction == ""


def test_each_translation_carries_its_own_instruction() -> None:
    english = {"language": "en", "headline": "First", "instruction": "Stay."}
    update = {"translations": [{"language": "en", "headline": "Second"}]}
    *_, step = _course("fire", (Stage.UPDATE, update), translations=[english])
    assert [words.instruction for words in step.message.wordings] == ["Restez.", "Stay."]


def test_hashtags_of_a_campaign_stand_last_too() -> None:
    message = Message.model_validate(
        {
            "category": "burglary_prevention",
            "headline": "À Sète, fermez vos volets",
            "instruction": "Appelez le poste de Sète.",
            "location": {"commune": "34301", "commune_name": "Sète"},
        }
    )
    (post,) = _step(message, (), 1).posts(LAST)
    assert post.text.split("\n")[1:] == ["Appelez le poste de Sète.", "#Cambriolage #Sète"]
    assert "#" not in post.text.partition("\n")[0]


def test_hashtags_stand_last_where_the_channel_puts_them_last() -> None:
    (step,) = _course("fire", hashtags=["Hérault"])
    (post,) = step.posts(LAST)
    assert post.text.split("\n") == [
        "🔥 [Incendie – EN COURS] Montpellier – Premier, avenue de Toulouse.",
        "Restez.",
        "#Incendie #Montpellier #Hérault",
    ]


def test_a_correction_that_names_the_time_of_the_wrong_message_names_it_once() -> None:
    first, _ = _course("fire", (Stage.CORRECTION, {"corrects": "0" * 25 + "1"}))
    at = LOCALES["fr"].time(NOW - timedelta(minutes=50), PARIS)
    headline = f"Le feu annoncé à {at} est dans la rue voisine"
    _, correction = _course("fire", (Stage.CORRECTION, {"corrects": "0" * 25 + "1", "headline": headline}))
    assert first.message.stage is Stage.OPENING
    for channel in SHORT:
        assert all(post.text.count(at) == 1 for post in correction.posts(channel))


def test_a_language_without_a_mark_for_openings_refers_to_them_in_their_own_words() -> None:
    _, update = _course("fire", (Stage.UPDATE, {"headline": "Le feu est maîtrisé"}))
    marks = {stage: mark for stage, mark in LOCALES["fr"].marks.items() if stage is not Stage.OPENING}
    plain = replace(update.context("fr"), locale=LOCALES["fr"].model_copy(update={"marks": marks}))
    target = Target(channel="sms", account=channel_on("sms").account, language="fr")
    text = render(plain, target, channel=channel_on("sms"), key="0" * 64).standalone.text
    assert "Fait suite" in text


def test_a_long_headline_of_a_campaign_stands_above_what_to_do() -> None:
    fields = {"category": "scam_cyber", "severity": "Severe", "lifecycle": {"stage": "standalone"}}
    texts = {"headline": "Des appels de faux conseillers bancaires " * 3, "instruction": "Raccrochez."}
    [post] = _step(Message.model_validate({**fields, **texts}), (), 1).posts(channel_on("mastodon"))
    assert post.text.index("faux conseillers") < post.text.index("Raccrochez")
