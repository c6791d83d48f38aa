"""Guard of minors: what leads to a person under eighteen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.identity import ADULT, PREVENTION, SEARCHES, ages, holders, in_text, named_places
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category

_PUPILS: Final = frozenset(
    {"eleves", "classe", "classes", "collegiens", "collegiennes", "lyceens", "lyceennes", "ecoliers"}
    | {"ados", "adolescents", "adolescentes", "enfants", "jeunes", "mineurs", "fillettes", "juniors", "minimes"}
)
_FEW: Final = frozenset({"deux", "trois", "quatre", "2", "3", "4"})
_GENERAL: Final = PREVENTION | {Category.WEATHER_RELAY, Category.PLANNED_EVENT}


@rule(
    "PN203",
    basis="Code de la justice pénale des mineurs, art. L13-3 and L513-4; loi du 29 juillet 1881, art. 39 bis.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_minor_identified(context: CheckContext) -> Iterator[Hit]:
    """Refuse what identifies a minor: a name, a school, a form, relatives, a quarter or a photo."""
    message = context.message
    aged = [part for part in context.parts if ages(part, below=ADULT)]
    named = any(context.persons[part.field] for part in context.parts if in_text(part))
    minor = aged or [part for part in context.parts if _tells_of_minors(part)]
    young = aged or any(part.has("form") for part in context.parts)
    if not minor or (message.category in _GENERAL and not (young and named)):
        return
    searched = message.category in SEARCHES | {Category.WITNESS_APPEAL} and context.agreed("prosecutor")
    covered = (searched or context.agreed("guardian", "family")) and message.stage is not Stage.END
    for part in filter(in_text, context.parts):
        for name in context.persons[part.field]:
            yield Hit(part.field, part.span(Match(name.first, name.end)), covered=covered)
        judicial = message.category in SEARCHES | {Category.ARREST, Category.WITNESS_APPEAL, Category.POLICE_OPERATION}
        judicial = judicial or part.has("arrested")
        elements = [*named_places(part, quarters=judicial), *part.found.get("form", ()), *part.found.get("pupil", ())]
        elements += [match for kind in ("kin", "relation") for match in _relatives(part, kind)]
        elements += [*holders(part, "function")] if judicial else []
        elements += part.found.get("home", ()) if judicial and aged else ()
        for match in dict.fromkeys(elements):
            yield Hit(part.field, part.span(match), covered=covered)
        for match in part.found.get("runaway", ()):
            yield Hit(part.field, part.span(match), Level.SECOND, "runaway", covered)
    for number, _ in enumerate(message.images if message.category in SEARCHES else ()):
        yield Hit(f"images.{number}", None, Level.BLOCK, "photo", covered)


def _relatives(part: TextPart, kind: str) -> Iterator[Match]:
    """Yield relatives, but not `fille de 12 ans`."""
    aged = {match.first for match in ages(part)}
    yield from (match for match in part.found.get(kind, ()) if match.end not in aged)


def _tells_of_minors(part: TextPart) -> bool:
    """Return True if a text is about single minors, and not about many pupils: `400 élèves de CM2`."""
    return any(not _is_crowd(part, match) for kind in ("minor", "form") for match in part.found.get(kind, ()))


def _is_crowd(part: TextPart, match: Match) -> bool:
    """Return True for a class, for `les élèves` and for five pupils or more, to whom nothing happened."""
    tokens = part.folded.tokens
    if part.near(match, "suffered", "victim", "hurt") or part.has("held"):
        return False
    at = match.first
    while at < match.end and tokens[at].word not in _PUPILS:
        at += 1
    if at == match.end or not tokens[at].word.endswith(("s", "classe")):
        return False
    before = [token.word for token in tokens[max(0, at - 3) : at]]
    return tokens[at].word.startswith("classe") or not any(word in _FEW for word in before[-1:])
