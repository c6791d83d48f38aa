"""Whether a message may be said: remarks on its content, each with a reason and a remedy.

A check is a value: a code that names it for ever, what it rests on, and a function from a
[`CheckContext`][policenotify.checks.CheckContext] to findings. An installation adds its own by handing another tuple to
[`check`][policenotify.checks.check]. Codes that begin with `PN` are ours.

Where a check says *a warning message's five contents*, it means source, hazard, place, guidance and time (Mileti and
Sorensen, *Communication of Emergency Public Warnings*, ORNL-6609, 1990).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal

from policenotify.findings import Finding, Level
from policenotify.model.cap import CapCategory, Severity
from policenotify.model.history import History
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render.locales import WORDS, Locale, best_match
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.redaction import house_numbers
from policenotify.text.autolinks import Fix, repair
from policenotify.text.characters import clean
from policenotify.text.comparison import affirms, fold

MIN_ALT: Final = 15
"""The shortest description of a picture, in characters, that can describe anything (RGAA 4, criterion 1.3)."""

NEXT_UPDATE: Final = timedelta(hours=1)
"""How soon a desk should say more, where it has not decided otherwise."""

HAZARD_WITHIN: Final = 60
"""How far into the text, in characters, a reader must have met the hazard's name: the first line on a telephone."""

_HOUR: Final = timedelta(hours=1)
_NIGHT: Final = timedelta(hours=12)  # a desk may promise news for the morning
_FOLLOWS: Final = frozenset({Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION})
_CALLS: Final = frozenset({Stage.OPENING, Stage.UPDATE, Stage.STANDALONE})
_FILE_NAME: Final = re.compile(
    r"\S+\.(?:jpe?g|png|gif|webp|heic|tiff?|bmp)|(?:IMG|DSC|PXL|image|photo)[\W_]*\d[\w.-]*", re.IGNORECASE
)
_NOTHING: Final = frozenset({"image", "photo", "picture", "illustration", "capture", "screenshot", "logo", "visuel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """A message as it would go out, and what is needed to judge it.

    Attributes:
        message: The resolved message.
        profile: What its category means.
        history: What was said of the incident before.
        is_commune: Whether an INSEE code is that of a commune today.
        zone: The readers' zone.
        now: The time.
        words: The fixed phrases of each language.
        mentions: Handles that some channel may mention, without `@`.
        typed: The message as the desk wrote it; `None`: as the resolved one.
    """

    message: Message
    profile: CategoryProfile
    history: History
    is_commune: Callable[[str], bool]
    zone: tzinfo
    now: datetime
    words: Mapping[str, Locale] = dataclasses.field(default_factory=lambda: WORDS)
    mentions: frozenset[str] = frozenset()
    typed: Message | None = None

    @property
    def of_incident(self) -> bool:
        """Whether it belongs to an incident, or is of a category that does."""
        return self.profile.opens_incident or self.message.incident is not None

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.message.severity or self.profile.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A rule about content.

    Attributes:
        code: Names it for ever.
        title: What it asks for.
        basis: What it rests on.
        find: What it remarks about a draft.
    """

    code: str
    title: str
    basis: str
    find: Callable[[CheckContext], Iterable[Finding]]


def _place_stated(draft: CheckContext) -> Iterator[Finding]:
    place, wide = draft.message.location, CapCategory.MET in draft.profile.cap_categories
    told = place and (place.commune or place.road or place.label or (wide and (place.department or place.epci)))
    if draft.of_incident and not told:
        yield Finding(
            code="PN101",
            level=Level.ERROR,
            field="location",
            reason="Nobody can tell where it is.",
            remedy="Give the commune (its INSEE code), a numbered road, or a label.",
        )


def _commune_exists(draft: CheckContext) -> Iterator[Finding]:
    commune = draft.message.location and draft.message.location.commune
    earlier = {entry.message.location.commune for entry in draft.history.entries if entry.message.location}
    if commune and commune not in earlier and not draft.is_commune(commune):
        yield Finding(
            code="PN102",
            level=Level.ERROR,
            field="location.commune",
            reason=f"No commune has the INSEE code {commune} today.",
            remedy="Give the INSEE code, not the postcode; if communes have merged, give the new commune's.",
        )


def _action_given(draft: CheckContext) -> Iterator[Finding]:
    if not draft.of_incident or draft.message.stage not in _CALLS or not draft.severity.at_least(Severity.MODERATE):
        return
    level = Level.ERROR if draft.severity.at_least(Severity.SEVERE) else Level.WARNING
    spoken = {"instruction": draft.message.instruction}
    spoken |= {f"translations.{words.language}.instruction": words.instruction for words in draft.message.translations}
    for field, instruction in spoken.items():
        if not fold(instruction):
            yield Finding(
                code="PN103",
                level=level,
                field=field,
                reason=f"Severity is {draft.severity}, and readers are not told what to do.",
                remedy="Say it in the imperative: Évitez le secteur. Restez à l'intérieur. Éloignez-vous des fenêtres.",
            )


def _time_stated(draft: CheckContext) -> Iterator[Finding]:
    message = draft.message
    told = message.starts_at or message.expires_at or message.next_update_at
    if draft.of_incident and message.stage in _CALLS and not told:
        # What people must do is never held back for want of an hour.
        advises = bool(fold(message.instruction)) or not draft.severity.at_least(Severity.SEVERE)
        usual = draft.now + NEXT_UPDATE
        yield Finding(
            code="PN104",
            level=Level.WARNING if advises else Level.ERROR,
            field="next_update_at",
            reason="Readers cannot tell since when or until when it holds, nor when they will hear more.",
            remedy=f"Give next_update_at, by default in an hour: {_told(usual, draft)} (--next-update +1h). "
            "Else give starts_at or expires_at.",
        )


def _picture_described(draft: CheckContext) -> Iterator[Finding]:
    for field, alt in _described(draft.message):
        if len(alt) < MIN_ALT or _FILE_NAME.fullmatch(alt) or set(fold(alt).split()) <= _NOTHING:
            yield Finding(
                code="PN105",
                level=Level.ERROR,
                field=field,
                reason="People who cannot see the picture are not told what it shows.",
                remedy=f"Describe it in a sentence of at least {MIN_ALT} characters; a file name is no description.",
            )


def _hazard_named(draft: CheckContext) -> Iterator[Finding]:
    message, profile = draft.message, draft.profile
    if not draft.of_incident or profile.hashtag(message.language, message.severity):
        return
    beginning = fold(message.headline[:HAZARD_WITHIN]).split()
    if not set(fold(profile.label(message.language)).split()) & set(beginning):
        yield Finding(
            code="PN106",
            level=Level.WARNING,
            field="headline",
            reason=f"Its first {HAZARD_WITHIN} characters do not say what the danger is, nor does a hashtag.",
            remedy=f"Begin with it ({profile.label(message.language)}), or give the category a hashtag.",
            span=(0, min(HAZARD_WITHIN, len(message.headline))),
        )


def _follows_something(draft: CheckContext) -> Iterator[Finding]:
    message, history = draft.message, draft.history
    if message.stage in _FOLLOWS and not history.entries:
        yield Finding(
            code="PN107",
            level=Level.ERROR,
            field="lifecycle.incident",
            reason=f"This is an {message.stage}, but nothing was said of it before.",
            remedy="Check the incident's id. If nobody has heard of it yet, publish an opening.",
        )
    corrects = message.lifecycle.corrects
    if corrects and history.entries and history.entry(corrects) is None:
        yield Finding(
            code="PN107",
            level=Level.ERROR,
            field="lifecycle.corrects",
            reason=f"Publication {corrects} does not belong to this incident.",
            remedy="Check the id of the publication that is to be corrected.",
        )


def _not_expired(draft: CheckContext) -> Iterator[Finding]:
    expires_at = draft.message.expires_at
    if expires_at and expires_at <= draft.now:
        yield Finding(
            code="PN108",
            level=Level.ERROR,
            field="expires_at",
            reason=f"It held until {_told(expires_at, draft)}, and that is past.",
            remedy="Give a later time, or do not publish it.",
        )


def _update_is_ahead(draft: CheckContext) -> Iterator[Finding]:
    promised, message = draft.message.next_update_at, draft.message
    if promised and promised <= draft.now:
        yield Finding(
            code="PN109",
            level=Level.ERROR,
            field="next_update_at",
            reason=f"It promises news at {_told(promised, draft)}, and that is past.",
            remedy="Give a time that is still to come.",
        )
    elif promised and message.stage in _CALLS and promised - draft.now > max(_NIGHT, draft.profile.lifetime or _NIGHT):
        yield Finding(
            code="PN109",
            level=Level.WARNING,
            field="next_update_at",
            reason=f"It promises news only at {_told(promised, draft)}, in {(promised - draft.now) // _HOUR} hours.",
            remedy="Check the day: perhaps an earlier one was meant.",
        )
    elif promised and message.stage in {Stage.END, Stage.CANCELLATION}:
        yield Finding(
            code="PN109",
            level=Level.WARNING,
            field="next_update_at",
            reason=f"An {message.stage} is the last message; the promise of news is not shown.",
            remedy="Leave it out, or publish an update instead.",
        )


def _end_gives_clear(draft: CheckContext) -> Iterator[Finding]:
    message = draft.message
    words = best_match(message.language, draft.words)
    if message.stage is not Stage.END or words is None or not words.all_clear:
        return
    said = f"{message.headline}\n{message.description}\n{message.instruction}"
    if True not in _all_clears(said, words).values():
        yield Finding(
            code="PN110",
            level=Level.WARNING,
            field="instruction",
            reason="It says that it is over, not what people may do again.",
            remedy="Say it: Vous pouvez circuler normalement. La circulation est rétablie. Le périmètre est levé.",
        )


def _end_is_the_end(draft: CheckContext) -> Iterator[Finding]:
    if draft.message.stage is not Stage.END:
        return
    for language, field, text in _worded(draft.message):
        words = best_match(language, draft.words)
        denied = [phrase for phrase, said in (_all_clears(text, words) if words else {}).items() if said is False]
        if denied:
            yield Finding(
                code="PN115",
                level=Level.WARNING,
                field=field,
                reason=f"An end says that it is over, and this says the contrary: not “{denied[0]}”.",
                remedy="Publish an update instead, or say what people may do again.",
            )


def _all_clears(text: str, words: Locale) -> dict[str, bool | None]:
    """Return for each all-clear of the language whether the text says it, denies it, or neither."""
    return {
        phrase: affirms(text, phrase, negations=words.negations, conjunctions=words.conjunctions)
        for phrase in words.all_clear
    }


def _exercise_marked_once(draft: CheckContext) -> Iterator[Finding]:
    message = draft.message
    mark = next((words.exercise for words in draft.words.values() if _begins(message.headline, words.exercise)), None)
    if mark and not message.exercise:
        yield Finding(
            code="PN111",
            level=Level.ERROR,
            field="exercise",
            reason=f"It begins with {mark} and would go to the public as a real message.",
            remedy="Set exercise to true, or change the headline.",
            span=(0, len(mark)),
        )
    elif mark:
        yield Finding(
            code="PN111",
            level=Level.WARNING,
            field="headline",
            reason=f"{mark} would stand there twice: every post of an exercise is marked.",
            remedy="Leave it out of the headline.",
            span=(0, len(mark)),
        )


def _headline_read(draft: CheckContext) -> Iterator[Finding]:
    spoken = {"headline": draft.message.headline}
    spoken |= {f"translations.{words.language}.headline": words.headline for words in draft.message.translations}
    for field, headline in spoken.items():
        if not fold(headline):
            yield Finding(
                code="PN112",
                level=Level.ERROR,
                field=field,
                reason="There is no word in it.",
                remedy="Say in a few words what happens.",
            )


def _spaces_after_stops(draft: CheckContext) -> Iterator[Finding]:
    for field, one, span in _mended(draft, "space"):
        typed = one.original[one.original.rfind(".") + 1 :]
        yield Finding(
            code="PN113",
            level=Level.WARNING if typed.islower() else Level.INFO,
            field=field,
            reason=f"In “{one.original}” a space is missing, and networks may make it a link to a stranger's site. "
            f"It goes out as “{one.replacement}”.",
            remedy="Put the space after the full stop; or, if it is an address, write https:// before it.",
            span=span,
        )


def _nobody_called(draft: CheckContext) -> Iterator[Finding]:
    for field, one, span in _mended(draft, "mention"):
        yield Finding(
            code="PN114",
            level=Level.INFO,
            field=field,
            reason=f"“{one.original}” would call that account. It goes out as “{one.replacement.strip()}”.",
            remedy="Leave out the @; or list the account under mentions in the settings of the channel.",
            span=span,
        )


def _mended(
    draft: CheckContext, kind: Literal["space", "mention"]
) -> Iterator[tuple[str, Fix, tuple[int, int] | None]]:
    """What the rendering sets right: the field, what, and where in the field, if it can be told."""
    for field, text in _spoken(draft.message):
        shown = clean(text)
        mentions = frozenset() if field.startswith("location.") else draft.mentions
        for one in repair(shown, mentions).fixes:
            if one.kind == kind:
                # what nobody sees is taken out before: then the place is where the same stands in the text as typed
                start = one.start if shown == text else text.find(one.original)
                yield field, one, (start, start + len(one.original)) if start >= 0 else None


def _spoken(message: Message) -> Iterator[tuple[str, str]]:
    """The fields that readers read, each with its text."""
    yield from ((field, text) for _, field, text in _worded(message))
    if message.location:
        for name in ("label", "street", "district"):
            yield f"location.{name}", getattr(message.location, name) or ""
        if road := message.location.road:
            yield "location.road.direction", road.direction or ""
            yield "location.road.exit", road.exit or ""


def _described(message: Message) -> Iterator[tuple[str, str]]:
    """Yield the field and text of each description of a picture."""
    yield from ((f"images.{number}.alt", image.alt) for number, image in enumerate(message.images))
    for words in message.translations:
        yield from ((f"translations.{words.language}.alts.{number}", alt) for number, alt in enumerate(words.alts))


def _worded(message: Message) -> Iterator[tuple[str, str, str]]:
    """Yield the language, field and text of all that the desk has worded."""
    for name in ("headline", "description", "instruction"):
        yield message.language, name, getattr(message, name)
        for words in message.translations:
            yield words.language, f"translations.{words.language}.{name}", getattr(words, name)


def _house_told(draft: CheckContext) -> Iterator[Finding]:
    typed = draft.typed or draft.message
    was, shown = ({**dict(_spoken(one)), **dict(_described(one))} for one in (typed, draft.message))
    for field, taken in house_numbers(typed, (entry.message for entry in draft.history.entries)):
        if taken and was[field] != shown[field]:
            yield Finding(
                code="PN210",
                level=Level.WARNING,
                field=field,
                reason=f"{', '.join(f'“{one}”' for one in taken)} would tell readers which house it is. "
                "It is taken out before it goes out.",
                remedy="Leave it out. If readers must know the house, allow it for the category: precision = exact.",
            )


def _begins(text: str, mark: str) -> bool:
    """Whether a text begins with a mark in capitals: *Exercice de sécurité civile* is a subject, not a mark."""
    return re.match(rf"\W*{re.escape(mark)}\b", text) is not None


def _told(moment: datetime, draft: CheckContext) -> str:
    return f"{moment.astimezone(draft.zone):%Y-%m-%d %H:%M}"


_FIVE: Final = "A warning message's five contents"

CHECKS: Final = (
    Check(
        code="PN101",
        title="The place is stated",
        basis=f"{_FIVE}: place; repeated at every stage, since each may be the only one that a reader sees.",
        find=_place_stated,
    ),
    Check(
        code="PN102",
        title="The commune exists",
        basis="INSEE, Code officiel géographique. What follows may name the opening's commune even if it has merged.",
        find=_commune_exists,
    ),
    Check(
        code="PN103",
        title="Readers are told what to do",
        basis=f"{_FIVE}: guidance; Sutton, Olson and Waugh, 'The Warning Lexicon', Natural Hazards Review 25(1), 2024.",
        find=_action_given,
    ),
    Check(
        code="PN104",
        title="A time is stated",
        basis=f"{_FIVE}: time, the one most often missing.",
        find=_time_stated,
    ),
    Check(
        code="PN105",
        title="Pictures are described",
        basis="Loi n° 2005-102, art. 47; RGAA 4, criteria 1.1 and 1.3.",
        find=_picture_described,
    ),
    Check(
        code="PN106",
        title="The danger is named first",
        basis=f"{_FIVE}: hazard. A post begins with the category's hashtag; this is for categories without one.",
        find=_hazard_named,
    ),
    Check(
        code="PN107",
        title="What follows has something to follow",
        basis="An end or correction of what nobody has read only alarms.",
        find=_follows_something,
    ),
    Check(
        code="PN108",
        title="It has not expired",
        basis="CAP 1.2, section 3.2.2 (expires): after that time the message does not hold.",
        find=_not_expired,
    ),
    Check(
        code="PN109",
        title="The next update lies ahead",
        basis="A broken promise of news makes people look for it elsewhere.",
        find=_update_is_ahead,
    ),
    Check(
        code="PN110",
        title="An end says what people may do again",
        basis="Sutton, Cain, Waugh and Olson, on all-clear messages, 2024: 'all clear' alone is jargon.",
        find=_end_gives_clear,
    ),
    Check(
        code="PN111",
        title="An exercise is marked, once",
        basis="CAP 1.2, section 3.2.1 (status: Exercise); the mark is put by the rendering.",
        find=_exercise_marked_once,
    ),
    Check(
        code="PN112",
        title="The headline can be read",
        basis=f"{_FIVE}: hazard. Emoji and punctuation alone mean something else to everyone.",
        find=_headline_read,
    ),
    Check(
        code="PN113",
        title="Full stops have a space after them",
        basis="twitter-text 3.1.0 links bare domains, and .la, .de and .au are countries: fermé.La is a link.",
        find=_spaces_after_stops,
    ),
    Check(
        code="PN114",
        title="Nobody is called unasked",
        basis="A mention rings a stranger's bell; X restricts mentions by programs, and hides posts that begin so.",
        find=_nobody_called,
    ),
    Check(
        code="PN115",
        title="An end does not say the contrary",
        basis="An all-clear with a negation before it, such as 'pas encore rétablie', under the mark of an end.",
        find=_end_is_the_end,
    ),
    Check(
        code="PN210",
        title="No house is told where only the street may be",
        basis="Code pénal, art. 223-1-1 and 226-1: what lets people find somebody's home.",
        find=_house_told,
    ),
)
"""The checks shipped, in the order of their codes."""


def check(draft: CheckContext, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """Everything that the checks remark, what forbids the message first, else in the order of the checks.

    Args:
        draft: What is to be said.
        checks: Which checks.
    """
    found = [finding for each in checks for finding in each.find(draft)]
    weights = list(Level)
    return tuple(sorted(found, key=lambda finding: weights.index(finding.level)))
