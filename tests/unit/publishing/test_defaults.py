"""What an incident carries on, over generated courses with corrections, withdrawals, ends and ends taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.checks import CheckContext, run_checks
from policenotify.model.cap import Severity
from policenotify.model.history import History, HistoryEntry, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.publishing.defaults import fill_defaults, speak
from policenotify.publishing.preparation import name_place
from policenotify.render.context import RenderContext
from policenotify.render.locales import LOCALES, PROFILES
from policenotify.render.renderer import render
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.strategies import NOW
from policenotify.text.comparison import fold
from tests.support.shipped_files import channel_on, posted_everywhere

INCIDENT: Final = "2026-4711"
STREETS: Final = ("avenue de Lodève", "avenue de Toulouse")
CHANNELS: Final = tuple(
    channel_on(name).model_copy(update={"languages": ("fr", "en")}) for name in ("bluesky", "sms", "email")
)


@dataclass(frozen=True)
class Step:
    """A message of a course: as typed, as resolved, and what was published before it."""

    typed: Message
    resolved: Message
    history: History

    def posts(self) -> Iterator[tuple[str, RenderedPost]]:
        for channel in CHANNELS:
            for language in ("fr", "en"):
                scene = RenderContext(
                    message=self.resolved,
                    language=language,
                    locale=LOCALES[language],
                    profile=PROFILES[self.resolved.category],
                    now=NOW,
                    zone=PARIS,
                    sender=SENDER,
                    history=self.history,
                )
                answers = tuple(entry.publication for entry in self.history.entries)
                target = Target(channel=channel.name, account=channel.account, language=language, reply_to=answers)
                yield language, render(scene, target, channel=channel, key="0" * 64)

    def words(self) -> set[str]:
        """All words of all its posts."""
        rendered = [post for _, post in self.posts()]
        posts = [one for each in rendered for one in (each.standalone, each.reply, *each.continuations) if one]
        return set(fold(" ".join(f"{post.title} {post.text} {post.html}" for post in posts)).split())


def resolve(message: Message, history: History) -> Message:
    profile = PROFILES[message.category]
    filled = fill_defaults(
        name_place(message),
        profile,
        sender=SENDER,
        incident=INCIDENT,
        history=history,
        now=NOW,
    )
    return speak(filled, history, LOCALES)


def _typed_words(message: Message) -> set[str]:
    texts = (f"{words.headline} {words.description} {words.instruction}" for words in message.wordings)
    return {word for word in fold(" ".join(texts)).split() if re.fullmatch(r"[hdi]\d+(?:fr|en)", word)}


def _texts(number: int, language: str, *, instructed: bool) -> dict[str, str]:
    """Return texts whose words occur in no other message."""
    texts = {"headline": f"H{number}{language}", "description": f"D{number}{language}."}
    return {**texts, "instruction": f"I{number}{language}." if instructed else ""}


def entry_of(number: int, message: Message, **fields: Any) -> HistoryEntry:
    at = NOW - timedelta(minutes=100 - number)
    name = f"{number:026d}"
    return HistoryEntry(publication=name, sequence=number, message=message, at=at, posts=posted_everywhere(), **fields)


@st.composite
def courses(draw: st.DrawFn, /, stages: tuple[Stage, ...] = (Stage.UPDATE, Stage.CORRECTION, Stage.END)) -> list[Step]:
    """Generate a course. Between two messages an earlier one may be withdrawn."""
    steps: list[Step] = []
    typed: dict[str, Message] = {}
    history = History(incident=INCIDENT)
    for number in range(1, draw(st.integers(2, 7))):
        allowed = [Stage.OPENING] if number == 1 else [*stages]
        reopens, corrects = False, None
        if history.status is IncidentStatus.ENDED:
            allowed = [Stage.CORRECTION] if Stage.CORRECTION in stages else []
        if not allowed:
            break
        stage = draw(st.sampled_from(allowed))
        if stage is Stage.CORRECTION:
            corrected = draw(st.sampled_from(history.entries))
            corrects = corrected.publication
            reopens = history.status is IncidentStatus.ENDED and history.is_end(corrected) and draw(st.booleans())
        lifecycle = {"stage": stage, "incident": INCIDENT, "corrects": corrects, "reopens": reopens or None}
        texts = _texts(number, "fr", instructed=draw(st.booleans()) or number == 1)
        if corrects and draw(st.booleans()):  # the description was wrong, and nothing else
            texts["headline"] = typed[corrects].headline
        english = _texts(number, "en", instructed=draw(st.booleans()))
        message = Message.model_validate(
            {
                "category": draw(st.sampled_from(("fire", "fire", "fire", "traffic_accident"))),
                "severity": draw(st.none() | st.sampled_from((Severity.MODERATE, Severity.SEVERE))),
                "lifecycle": lifecycle,
                "location": {"commune": "34172", "street": draw(st.sampled_from((STREETS[0], *STREETS)))},
                "translations": [{"language": "en", **english}] if draw(st.booleans()) else [],
                **texts,
            }
        )
        step = Step(message, resolve(message, history), history)
        steps.append(step)
        typed[f"{number:026d}"] = message
        entries = [*history.entries, entry_of(number, step.resolved)]
        if draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, len(entries) - 1))
            entries[at] = replace(entries[at], withdrawn=True)
        history = History(incident=INCIDENT, entries=tuple(entries))
    return steps


@given(courses())
def test_no_word_of_what_was_corrected_or_withdrawn_is_in_anything_later(course: list[Step]) -> None:
    typed = {f"{number:026d}": step.typed for number, step in enumerate(course, 1)}
    for step in course:
        corrects = step.typed.lifecycle.corrects
        gone = {entry.message.lifecycle.corrects for entry in step.history.entries}
        gone |= {entry.publication for entry in step.history.entries if entry.withdrawn}
        if corrects and typed[corrects].headline != step.typed.headline:
            gone.add(corrects)
        wrong, right = set[str](), _typed_words(step.typed)
        for entry in step.history.entries:
            if entry.publication in gone:
                wrong |= _typed_words(typed[entry.publication])
                continue
            right |= _typed_words(typed[entry.publication])
            if entry.stage is Stage.CORRECTION:  # it may repeat what was right in what it corrects
                right |= _typed_words(entry.message)
        assert not (wrong - right) & step.words()


@given(courses())
def test_an_instruction_is_carried_within_one_place_and_category_and_never_after_an_end(course: list[Step]) -> None:
    of_word = {word: step for step in course for word in _typed_words(step.typed)}
    for step in course:
        for words in step.resolved.wordings:
            given_words = step.typed.wording(words.language)
            if not words.instruction or (given_words and given_words.instruction):
                continue
            source = of_word[fold(words.instruction)].typed
            assert (source.category, source.location) == (step.typed.category, step.typed.location)
            assert step.typed.stage in {Stage.UPDATE, Stage.CORRECTION}
            assert source.stage is not Stage.END
            after = History(incident=INCIDENT, entries=(*step.history.entries, entry_of(99, step.resolved)))
            assert after.status is IncidentStatus.OPEN


@given(courses())
def test_severity_is_carried_by_what_gives_none(course: list[Step]) -> None:
    for step in course:
        state = step.history.latest
        usual = PROFILES[step.typed.category].severity
        assert step.resolved.severity is (step.typed.severity or (state.message.severity if state else usual))


@given(courses())
def test_filling_in_again_changes_nothing(course: list[Step]) -> None:
    for step in course:
        assert resolve(step.resolved, step.history) == step.resolved


# --- fields that contradict each other

_KINDS: Final[dict[str, tuple[str, str]]] = {  # a headline and an instruction of each kind
    "avoid": ("Accident entre deux voitures", "Évitez le secteur."),
    "shelter": ("Fumée toxique : restez chez vous", "Restez chez vous, fermez vos fenêtres."),
    "leave": ("Évacuation du quartier", "Quittez les lieux à pied."),
    "clear": ("La rue est rouverte", "Vous pouvez circuler normalement."),
}
_CONTRADICT: Final = {  # headline and instruction
    ("shelter", "leave"): "PN502",
    ("leave", "shelter"): "PN502",
    ("clear", "avoid"): "PN503",
    ("clear", "shelter"): "PN503",
}


@given(st.lists(st.tuples(st.sampled_from(sorted(_KINDS)), st.none() | st.sampled_from(sorted(_KINDS))), max_size=5))
def test_a_headline_against_the_instruction_in_force_is_a_finding(kinds: list[tuple[str, str | None]]) -> None:
    history, in_force = History(incident=INCIDENT), ""
    for number, (headline, instruction) in enumerate(kinds, 1):
        stage = Stage.OPENING if number == 1 else Stage.UPDATE
        message = Message.model_validate(
            {
                "category": "fire",
                "lifecycle": {"stage": stage, "incident": INCIDENT},
                "location": {"commune": "34172", "street": STREETS[0]},
                "headline": _KINDS[headline][0],
                "instruction": _KINDS[instruction][1] if instruction else "",
            }
        )
        resolved = resolve(message, history)
        in_force = instruction or in_force
        expected = _CONTRADICT.get((headline, in_force))
        assert {code for code in _codes(resolved, history) if code.startswith("PN5")} == ({expected} - {None})
        history = replace(history, entries=(*history.entries, entry_of(number, resolved)))


def _codes(message: Message, history: History, **fields: Any) -> set[str]:
    scene = CheckContext(
        message=message,
        profile=PROFILES[message.category],
        history=history,
        is_commune=lambda _: True,
        zone=PARIS,
        now=NOW,
        **fields,
    )
    return {finding.code for finding in run_checks(scene)}


def _opening(**fields: Any) -> Message:
    place = Location(commune="34172", street=STREETS[0])
    usual = {"category": "traffic_accident", "location": place, "headline": "Accident", "instruction": "Évitez-la."}
    lifecycle = {"stage": "opening", "incident": INCIDENT}
    return Message.model_validate({**usual, "lifecycle": lifecycle, **fields})


def _after(*messages: Message, withdrawn: tuple[int, ...] = ()) -> History:
    history = History(incident=INCIDENT)
    for number, message in enumerate(messages, 1):
        entry = entry_of(number, resolve(message, history), withdrawn=number in withdrawn)
        history = History(incident=INCIDENT, entries=(*history.entries, entry))
    return history


def _next(history: History, stage: Stage, headline: str, **fields: Any) -> Message:
    before = history.latest or history.entries[-1]
    return before.message.followed_by(stage, headline=headline, incident=INCIDENT, **fields)


def test_the_correction_of_a_street_does_not_send_readers_there_nor_does_the_next_update() -> None:
    wrong = _opening(instruction="Évitez l'avenue de Lodève, passez par l'avenue de Toulouse.")
    place = {"location": Location(commune="34172", street=STREETS[1])}
    right = _next(
        _after(wrong), Stage.CORRECTION, "L'accident a lieu avenue de Toulouse", corrects="0" * 25 + "1", **place
    )
    history = _after(wrong, right)
    assert history.entries[-1].message.instruction == ""
    update = resolve(_next(history, Stage.UPDATE, "Une voie rouverte"), history)
    assert update.instruction == ""
    assert update.location
    assert update.location.street == STREETS[1]


def test_names_of_places_and_the_sender_are_those_of_the_tables_and_settings() -> None:
    place = {"commune": "34172", "commune_name": "Voir https://evil.example", "department_name": "0 800 12 34 56"}
    resolved = resolve(_opening(location=place, sender="Un autre service"), History())
    assert resolved.location
    assert (resolved.location.commune_name, resolved.location.department_name) == ("Montpellier", "Hérault")
    assert resolved.sender == SENDER


@pytest.mark.parametrize(
    ("headline", "instruction"),
    [
        ("Fuite de gaz : évacuation de l'usine en cours", "Restez chez vous, fermez vos fenêtres."),
        ("Une voie rouverte sur l'A9", "Évitez le secteur."),
        ("La rue Foch est rouverte, la rue Barra reste fermée", "Évitez la rue Barra."),
        ("Incendie maîtrisé", "Évitez le secteur, laissez travailler les pompiers."),
        ("Fumée toxique", "Ne quittez pas votre domicile, fermez vos fenêtres."),
    ],
)
def test_an_honest_message_does_not_contradict_itself(headline: str, instruction: str) -> None:
    message = resolve(_opening(category="fire", headline=headline, instruction=instruction), History())
    assert not {code for code in _codes(message, History()) if code.startswith("PN5")}


def test_the_place_of_a_withdrawn_message_is_remarked_until_another_is_given() -> None:
    history = _after(_opening(), withdrawn=(1,))
    update = _next(history, Stage.UPDATE, "Suite")
    assert "PN507" in _codes(resolve(update, history), history)
    moved = _next(history, Stage.UPDATE, "Suite", location=Location(commune="34172", street=STREETS[1]))
    assert "PN507" not in _codes(resolve(moved, history), history)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"headline": "La circulation devrait être rétablie"}, "PN505"),
        ({"headline": "Circulation rétablie", "starts_at": NOW - timedelta(hours=3)}, "PN506"),
        ({"headline": "Les voies sont dégagées", "starts_at": NOW - timedelta(minutes=5)}, ""),
    ],
)
def test_an_end_that_ends_nothing_is_remarked(fields: dict[str, Any], code: str) -> None:
    history = _after(_opening())
    end = resolve(_next(history, Stage.END, **fields), history)
    assert {each for each in _codes(end, history) if each.startswith("PN5")} == ({code} if code else set())


def test_an_event_that_has_begun_does_not_begin_later() -> None:
    history = _after(_opening(starts_at=NOW - timedelta(minutes=30)))
    later = {"starts_at": NOW + timedelta(minutes=40), "location": history.entries[0].message.location}
    assert "PN506" in _codes(resolve(_next(history, Stage.UPDATE, "Suite", **later), history), history)
    planned = _opening(category="road_closure", starts_at=NOW + timedelta(minutes=10))
    assert "PN506" not in _codes(resolve(planned, History()), History())


def test_a_street_of_an_earlier_headline_has_no_house_number_later() -> None:
    place = {"location": {"commune": "34172"}, "instruction": ""}
    opened = _opening(category="police_operation", headline="Homme retranché rue des Lilas", **place)
    history = _after(opened)
    said = _next(history, Stage.UPDATE, "Opération en cours", description="L'homme est au 14 rue des Lilas.")
    assert "14" not in resolve(said, history).description
