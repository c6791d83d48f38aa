"""Guards of the presumption of innocence, of secrecy and of respect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.persons import PREVENTION
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category

_NEEDS_BASIS: Final = frozenset({Category.ARREST, Category.WITNESS_APPEAL, Category.MISSING_PERSON})
_ARRESTS_TOLD: Final = frozenset(
    {Category.POLICE_OPERATION, Category.ARMED_THREAT, Category.DEMONSTRATION, Category.FIRE, Category.BOMB_DISPOSAL}
)
_OF_ORIGIN: Final = frozenset(
    {Category.ARREST, Category.WITNESS_APPEAL, Category.POLICE_OPERATION, Category.ARMED_THREAT, Category.DEMONSTRATION}
    | {Category.BOMB_DISPOSAL, Category.FIRE, Category.TRAFFIC_ACCIDENT}
)
_HAVE: Final = frozenset({"a", "ont", "avait", "avaient"})
_ADVERBS: Final = frozenset({"ensuite", "deja", "bien", "aussi", "puis", "encore"})
_AGAINST: Final = frozenset({"aux", "face"})
_ACCUSED: Final = frozenset({"suspect", "suspects", "suspecte", "suspectes", "mis", "mise"})
_SUBJECT: Final = 5  # words before a verb in which its subject stands
_FREE_WORDS: Final = 4  # words before a word of guilt that may keep the presumption


@rule("PN201", basis="Code civil, art. 9-1; CPP, art. 11, al. 3.", levels=(Level.BLOCK, Level.SECOND))
def innocence_presumed(context: CheckContext) -> Iterator[Hit]:
    """Refuse words that call a person guilty who has not been judged."""
    unjudging = PREVENTION | {Category.WEATHER_RELAY, Category.PLANNED_EVENT}
    if context.message.category in unjudging or any(part.has("judged") for part in context.parts):
        return
    of_arrest = context.message.category == Category.ARREST or (
        context.message.category in _ARRESTS_TOLD and any(part.has("held") for part in context.parts)
    )
    for part in context.parts:
        said = (*part.found.get("guilt_said", ()), *(_deeds(part) if of_arrest else ()))
        free = [match for match in part.found.get("guilt", ()) if not _presumed(part, match)]
        for match in (*free, *(match for match in said if not _presumed(part, match, _ACCUSED))):
            yield Hit(part.field, part.span(match))


def _deeds(part: TextPart) -> Iterator[Match]:
    """Yield what a message about an arrest presents as done: `a volontairement renversé`, `volait`."""
    yield from (match for match in part.found.get("shooter", ()) if not part.within("position", _words(match)))
    for match in (*part.found.get("crime_done", ()), *part.found.get("crime_doing", ())):
        first = match.first
        if match in part.found.get("crime_done", ()):
            tokens = part.folded.tokens
            while first and (tokens[first - 1].word.endswith("ment") or tokens[first - 1].word in _ADVERBS):
                first -= 1
            first -= 1
            if first < 0 or tokens[first].word not in _HAVE or part.folded.typed(*tokens[first][1:3]).casefold() == "à":
                continue
        sentence = part.sentence(match.first)
        if not part.within("not_accused", range(max(sentence.start, first - _SUBJECT), max(first, 0))):
            yield Match(first, match.end)


def _words(match: Match) -> range:
    return range(match.first, match.end)


def _presumed(part: TextPart, match: Match, weak: frozenset[str] = frozenset()) -> bool:
    """Return True for `voleurs présumés` and `contre les cambrioleurs`, and not for `présumé coupable`.

    Args:
        part: The text.
        match: What calls a person guilty.
        weak: Words that do not keep the presumption here: `le suspect a volé`.
    """
    word = part.folded.tokens[match.first].word
    if word.startswith(("coupable", "guilty")):
        return False
    sentence = part.sentence(match.first)
    around = range(max(sentence.start, match.first - _FREE_WORDS), min(sentence.stop, match.end + 2))
    return _kept(part, match.first, around, weak)


def _kept(part: TextPart, at: int, around: range, weak: frozenset[str]) -> bool:
    """Return True if words near a token keep the presumption. *Aux* does so directly before it: `face aux voleurs`."""
    tokens = part.folded.tokens
    words = [(tokens[kept.first].word, kept.end) for kept in part.within("presumed", around)]
    return any(word not in weak and (word not in _AGAINST or end == at) for word, end in words)


@rule("PN212", basis="RGPD, art. 9; loi du 29 juillet 1881, art. 24 and 32.", levels=(Level.SECOND,))
def no_origin_told(context: CheckContext) -> Iterator[Hit]:
    """Ask before origin, belief, opinion or orientation are published."""
    if context.message.category not in _OF_ORIGIN:
        return
    for part in context.parts:
        for match in part.found.get("origin", ()):
            yield Hit(part.field, part.span(match))


@rule(
    "PN213",
    basis="CPP, art. 11; Code pénal, art. 226-13 and 434-7-2.",
    levels=(Level.SECOND,),
)
def secrecy_kept(context: CheckContext) -> Iterator[Hit]:
    """Ask before anything of an investigation is published: confessions, records, traces."""
    if context.message.category in PREVENTION:
        return
    covered = context.agreed("prosecutor")
    for part in context.parts:
        for match in part.found.get("secrecy", ()):
            yield Hit(part.field, part.span(match), covered=covered)


@rule(
    "PN214",
    basis="CPP, art. 11, al. 3; circulaire du 19 janvier 2023.",
    levels=(Level.SECOND,),
)
def judicial_basis_given(context: CheckContext) -> Iterator[Hit]:
    """Ask who agreed to a message about an arrest, an appeal or a missing person."""
    message = context.message
    if message.category in _NEEDS_BASIS and message.stage not in {Stage.END, Stage.CANCELLATION} and not message.basis:
        yield Hit("basis")


@rule("PN215", basis="Loi du 29 juillet 1881, art. 35 ter; CPP, art. 803.")
def pictures_lawful(context: CheckContext) -> Iterator[Hit]:
    """Refuse pictures whose description names cuffs, faces, plates or children."""
    for part in context.parts:
        if part.field.startswith("images.") or ".alts." in part.field:
            children = () if part.has("picture_hidden") else part.found.get("picture_child", ())
            for match in (*part.found.get("picture", ()), *children):
                yield Hit(part.field, part.span(match))


@rule("PN216", basis="Loi du 29 juillet 1881, art. 29, 32 and 33.")
def nobody_insulted(context: CheckContext) -> Iterator[Hit]:
    """Refuse insults and slurs."""
    for part in context.parts:
        for match in part.found.get("insult", ()):
            if not part.within("insult_free", range(max(0, match.first - 2), match.end)):
                yield Hit(part.field, part.span(match))


@rule("PN217", basis="A post of 6 March 2021 that blamed victims had to be deleted.", levels=(Level.SECOND,))
def nobody_blamed(context: CheckContext) -> Iterator[Hit]:
    """Ask about words that blame or mock those who suffered."""
    for part in context.parts:
        for match in part.found.get("blame", ()):
            yield Hit(part.field, part.span(match))


@rule(
    "PN218",
    basis="Période de réserve before an election: usage of the prefectures, no law.",
    levels=(Level.SECOND,),
)
def reserve_kept(context: CheckContext) -> Iterator[Hit]:
    """Ask about candidates, parties and praise of those in office."""
    for part in context.parts:
        for match in part.found.get("reserve", ()):
            yield Hit(part.field, part.span(match))
        for match in part.found.get("candidate", ()):
            tokens = part.folded.tokens
            if match.end < len(tokens) and tokens[match.end].capital:
                yield Hit(part.field, part.span(Match(match.first, match.end + 1)))
