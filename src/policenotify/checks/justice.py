"""Guards of the presumption of innocence, of secrecy and of respect."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.folds import Token
from policenotify.checks.identity import BUILT_IN, PREVENTION
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
_UNJUDGING: Final = PREVENTION | {Category.FACT_CHECK, Category.WEATHER_RELAY, Category.PLANNED_EVENT}
_FICTION: Final = frozenset({Category.WEATHER_RELAY, Category.PLANNED_EVENT})
_HAVE: Final = frozenset({"a", "ont", "avait", "avaient"})
_HAVING: Final = frozenset({"ayant"})
_ADVERBS: Final = frozenset(
    {
        "ensuite",
        "deja",
        "bien",
        "aussi",
        "puis",
        "encore",
        "bel",
        "et",
        "donc",
        "alors",
        "meme",
        "tous",
        "toutes",
        "tout",
    }
    | {"pourtant", "ainsi", "lui", "leur", "en", "y", "l", "les", "la", "le", "t", "il", "elle", "plus", "fois", "deux"}
    | {"auparavant", "depuis", "hier", "ensemble"}
)
_ALL: Final = frozenset({"les", "des", "aux", "de", "d", "ces"})
_AUTHORS: Final = frozenset({"auteur", "auteurs", "autrice", "autrices", "auteure", "auteures"})
_INSERTED: Final = 8  # words between commas
_SOON: Final = 4  # words behind `venait de` in which the offence stands
_AGAINST: Final = frozenset({"aux", "face"})
_ACCUSED: Final = frozenset({"suspect", "suspects", "suspecte", "suspectes", "mis", "mise"})
_SUBJECT: Final = 5  # words before a verb in which its subject stands
_FREE_WORDS: Final = 4  # words before a word of guilt that may keep the presumption


@rule("PN201", basis="Code civil, art. 9-1; CPP, art. 11, al. 3.", levels=(Level.BLOCK, Level.SECOND))
def innocence_presumed(context: CheckContext) -> Iterator[Hit]:
    """Refuse words that call a person guilty who has not been judged."""
    category = context.message.category
    arrested = any(part.has("arrested") for part in context.parts)
    if any(part.has("judged") for part in context.parts):
        return
    if category in _UNJUDGING and (category in _FICTION or not arrested):
        return
    of_arrest = arrested or category == Category.ARREST or _holds(context, category)
    own = category not in BUILT_IN  # a category of the desk, which may speak to everyone
    for part in context.parts:
        said = (*part.found.get("guilt_said", ()), *(chain(_deeds(part), _authors(part)) if of_arrest else ()))
        free = [match for match in part.found.get("guilt", ()) if not _presumed(part, match)]
        if own and not of_arrest:
            free = [match for match in free if not _is_of_everyone(part, match)]
        for match in (*free, *(match for match in said if not _presumed(part, match, _ACCUSED))):
            yield Hit(part.field, part.span(match))


def _holds(context: CheckContext, category: str) -> bool:
    return category in _ARRESTS_TOLD and any(part.has("held") for part in context.parts)


def _authors(part: TextPart) -> Iterator[Match]:
    """Yield *auteur* as a label or a person: `Auteur : un homme de 37 ans`, `l'auteur a été retrouvé`."""
    for at, token in enumerate(part.folded.tokens):
        if token.word in _AUTHORS and not part.within("guilt", range(at, at + 1)):
            sentence = part.sentence(at)
            if not _kept(part, at, range(sentence.start, min(sentence.stop, at + _SOON)), frozenset()):
                yield Match(at, at + 1)


def _is_of_everyone(part: TextPart, match: Match) -> bool:
    """Return True for offenders in general: `les cambrioleurs repèrent`, and not for `trois cambrioleurs`."""
    tokens = part.folded.tokens
    before = tokens[match.first - 1].word if match.first else ""
    return tokens[match.first].word.endswith(("s", "x")) and before in _ALL


def _deeds(part: TextPart) -> Iterator[Match]:
    """Yield what a message about an arrest presents as done: `a volontairement renversé`, `volait`."""
    tokens = part.folded.tokens
    yield from (match for match in part.found.get("shooter", ()) if not part.within("position", _words(match)))
    for match in _stated(part):
        first = match.first
        sentence = part.sentence(first)
        subject = range(max(sentence.start, first - _SUBJECT), max(first, 0))
        if not part.within("not_accused", subject) and not _is_passive(tokens, first):
            yield match


def _stated(part: TextPart) -> Iterator[Match]:
    """Yield forms of verbs that state an offence."""
    tokens = part.folded.tokens
    for match in part.found.get("crime_done", ()):
        first = match.first
        while first and match.first - first < _SUBJECT and _is_adverb(tokens[first - 1].word):
            first -= 1
        first = _before_commas(part, first)
        before = tokens[first - 1].word if first else ""
        if (
            (before in _HAVE and part.folded.typed(*tokens[first - 1][1:3]).casefold() != "à")
            or before in _HAVING
            or (before == "pour" and match.first == first)
        ):
            yield Match(first - 1, match.end)
    for match in part.found.get("crime_doing", ()):
        yield match
    for lead in part.found.get("about_to", ()):
        behind = range(lead.end, lead.end + _SOON)
        for match in (*part.within("crime_verb", behind), *part.within("crime_done", behind)):
            yield Match(lead.first, match.end)


def _before_commas(part: TextPart, at: int) -> int:
    """Return the token before which an insertion begins: `ils avaient, en trois nuits, éventré`."""
    tokens = part.folded.tokens
    gaps = [place for place in range(max(1, at - _INSERTED), at + 1) if "," in _gap_before(part, place)]
    return gaps[-2] if len(gaps) > 1 and gaps[-1] == at and tokens[gaps[-2] - 1].word in _HAVE else at


def _gap_before(part: TextPart, at: int) -> str:
    tokens = part.folded.tokens
    return part.folded.text[tokens[at - 1].end : tokens[at].start] if at < len(tokens) else ""


def _is_adverb(word: str) -> bool:
    return word.endswith("ment") or word in _ADVERBS


def _is_passive(tokens: tuple[Token, ...], first: int) -> bool:
    """Return True for `a été`, whose subject suffered."""
    return first + 1 < len(tokens) and tokens[first].word in _HAVE and tokens[first + 1].word == "ete"


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
    category = context.message.category
    if category not in _OF_ORIGIN and (
        category in PREVENTION or not any(part.has("arrested") for part in context.parts)
    ):
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
            shown = () if part.has("picture_hidden") else ("picture_child", "face", "readable")
            found = (match for kind in ("picture", *shown) for match in part.found.get(kind, ()))
            for match in sorted(set(found)):
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
