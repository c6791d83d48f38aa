"""Names of persons in a text: by first name, by title, by initial, by the word for a name before it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from policenotify.checks.folds import Token, with_letters
from policenotify.checks.words import TextPart

YEAR: Final = 2021
"""The last year of birth in the file of first names."""

_PARTICLES: Final = frozenset(
    {"de", "du", "d", "des", "le", "la", "van", "von", "el", "al", "ben", "bin", "da", "di", "dos"}
)
_SAINTS: Final = frozenset({"saint", "sainte", "st", "ste"})
_TITLES: Final = frozenset({"m", "mr", "mme", "mlle", "monsieur", "madame", "mademoiselle", "mrs", "ms", "miss"})
_LETTERED: Final = frozenset(
    {"batiment", "bat", "porte", "ligne", "terminal", "parking", "hall", "vitamine", "plan", "categorie", "permis"}
    | {
        "classe",
        "groupe",
        "zone",
        "hepatite",
        "bloc",
        "entree",
        "quai",
        "voie",
        "lot",
        "serie",
        "tram",
        "bus",
        "secteur",
    }
)
_NEAR: Final = 4  # words before a name in which the word for a street or an office stands
_LONGEST: Final = 5  # words of a name
_SHORTEST: Final = 3  # letters of a last name
_SPELT: Final = 5  # letters that stand apart and may be a name
_LONGEST_TAG: Final = 64  # letters
_IMPERATIVE: Final = "ez"


_REGNAL: Final = frozenset(
    {"ier", "1er", "ii", "iii", "iv", "vi", "vii", "viii", "xii", "xiii", "xiv", "xv", "xvi", "xxiii"}
)
_INTRODUCES: Final = frozenset(
    {
        "certain",
        "certaine",
        "appelle",
        "conducteur",
        "conductrice",
        "suspect",
        "suspecte",
        "victime",
        "identite",
        "signe",
    }
    | {"collegue", "voisin", "voisine", "habitant", "habitante", "proprietaire", "locataire", "ami", "amie", "avec"}
    | {
        "cause",
        "interesse",
        "interessee",
        "agent",
        "brigadier",
        "pilote",
        "passager",
        "passagere",
        "cycliste",
        "motard",
    }
)
_INTRODUCED: Final = frozenset({" ", ", ", " : ", ": ", " (", " « "})
_SMALL: Final = frozenset({"petit", "petite", "jeune", "bebe", "oncle", "tante", "papi", "mamie", "tonton", "tata"})
_HOUSEHOLDS: Final = 4  # words behind `chez Paul` in which the shop is named


class PersonName(NamedTuple):
    """A person's name in a text: its tokens, and whether it is more than a first name."""

    first: int
    end: int
    full: bool


@cache
def first_names() -> Mapping[str, bool]:
    """Return the first names in plain small letters: False if they are common words, too."""
    packed = (files("policenotify") / "data" / f"first_names_{YEAR}.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().split()
    return {line.removesuffix("?"): not line.endswith("?") for line in lines}


def names_in(part: TextPart, is_commune: Callable[[str], bool], known: frozenset[str]) -> list[PersonName]:
    """Return the names of persons in a text, in order.

    Args:
        part: The text.
        is_commune: Returns True for the name of a commune.
        known: Words of the street and the district that the message names.
    """
    found: list[PersonName] = []
    places: dict[str, bool] = {}  # each is looked up once
    excluded = _namesakes(part)
    tokens = part.folded.tokens
    introduced = {match.end for match in part.found.get("called", ())}
    may_begin = _beginnings(part)
    at = 0
    while at < len(tokens):
        if at in excluded or not (may_begin[at] or at in introduced):
            at += 1
            continue
        name = _name_at(part, at, known)
        sure = name is not None and (_is_called(part, at) or _follows_title(part, at))
        if name is None or (not sure and (_is_of_a_place(part, name) or _is_place(part, name, is_commune, places))):
            at += 1
            continue
        found.append(name)
        at = name.end
    return found


def _beginnings(part: TextPart) -> list[bool]:
    """Return for each token False if it begins no name for sure, as most do."""
    folded, known = part.folded, first_names()
    before = ["", *(token.word for token in folded.tokens)]
    return [
        token.capital
        or word in known
        or not word.isalpha()
        or len(word) == 1
        or earlier in _BEFORE
        or (folded.may_be_apart and folded.is_apart(token))
        for token, word, earlier in zip(folded.tokens, before[1:], before, strict=False)
    ]


def _is_place(part: TextPart, name: PersonName, is_commune: Callable[[str], bool], places: dict[str, bool]) -> bool:
    tokens = part.folded.tokens
    text = part.folded.typed(tokens[name.first].start, tokens[name.end - 1].end)
    if text not in places:
        places[text] = is_commune(text)
    return places[text]


def _namesakes(part: TextPart) -> set[int]:
    """Return the tokens of names that streets and schools bear."""
    return {at for match in part.found.get("namesake", ()) for at in range(match.first, match.end)}


def _name_at(part: TextPart, at: int, known: frozenset[str]) -> PersonName | None:
    """Return the name that begins at a token."""
    tokens = part.folded.tokens
    token = tokens[at]
    if _is_called(part, at):
        end = at + 1
        while end < min(len(tokens), at + 3) and _gap(part, end - 1) in _JOINS and tokens[end].word not in CLOSING:
            end += 1
        return PersonName(at, end, full=True)
    if _follows_title(part, at):
        return PersonName(at, _end(part, at), full=True)
    if token.word in known or token.word in _SAINTS or _is_regnal(part, at):
        return None
    sure = _first_name(part, at)
    if sure is not None:
        return _by_first_name(part, at, sure=sure) if token.capital else _in_small_letters(part, at, sure=sure)
    return _without_first_name(part, at)


def _without_first_name(part: TextPart, at: int) -> PersonName | None:
    """Return the name that begins at a token that is not a first name."""
    token = part.folded.tokens[at]
    if len(token.word) == 1 and _is_initial(part, at):
        return PersonName(at, _end(part, at + 1), full=True)
    if part.folded.is_apart(token):
        return _in_one_word(part, at)
    return _by_last_name(part, at) or _by_what_is_told(part, at)


def _is_regnal(part: TextPart, at: int) -> bool:
    """Return True for a king or a boat: `Albert-Ier`, `Jean-Marie II`."""
    return any(token.capital and token.word in _REGNAL for token in part.folded.tokens[at + 1 : at + 3])


def _by_what_is_told(part: TextPart, at: int) -> PersonName | None:
    """Return a name that no list knows, by its two capitals and what is stated of it: `Oumou Sacramento, 40 ans`."""
    tokens, end = part.folded.tokens, at + 2
    if end > len(tokens) or not (tokens[at].capital and tokens[at + 1].capital):
        return None
    if part.in_capitals or _gap(part, at) not in {" ", "-"}:
        return None
    both = tokens[at:end]
    plain = all(token.word.isalpha() and len(token.word) >= _SHORTEST for token in both)
    known = ("no_surname", "street", "unit", "body", "rank", "office", "service_rank")
    if not plain or any(part.words.holds(name, token.word) for name in known for token in both):
        return None
    before = tokens[at - 1].word if at and _gap(part, at - 1) in _INTRODUCED else ""
    if "\n" in part.folded.typed(both[0].start, both[1].end):
        return None
    introduced = before in _INTRODUCES or bool(before and part.words.holds("job", before))
    told = not (both[0].capitals or both[1].capitals) and _is_followed(part, end)
    return PersonName(at, _end(part, at), full=True) if introduced or told else None


def _first_name(part: TextPart, at: int) -> bool | None:
    """Return True for a first name, False for one that is a common word, too, and `None` for any other word."""
    token, known = part.folded.tokens[at], first_names()
    typed = part.folded.text[token.start : token.end]
    if token.word in known or typed.isalpha():
        return known.get(token.word)
    return next((known[reading] for reading in with_letters(typed) if reading in known), None)


_RELATED: Final = frozenset({"epoux", "freres", "soeurs", "fratrie", "couple", "clan", "jumeaux"})
_BEFORE: Final = _TITLES | _RELATED | {"famille", "family"}
_BEFORE_CALLED: Final = frozenset({" ", "'", ' "', " « ", " «", " '", ": ", " : "})
_CALLING: Final = _SMALL | _RELATED | {"famille", "family", "de", "d"}  # besides the list `called`
_JOINS: Final = frozenset({" ", "-", " -", "- ", "'", ". "})
_ARTICLES: Final = frozenset(
    {
        "le",
        "la",
        "les",
        "l",
        "un",
        "une",
        "des",
        "du",
        "en",
        "au",
        "aux",
        "ce",
        "cette",
        "ces",
        "chaque",
        "leurs",
        "deux",
        "the",
        "a",
        "an",
        "this",
    }
)
CLOSING: Final = frozenset(
    {"a", "est", "et", "ou", "qui", "que", "dans", "de", "du", "des", "en", "par", "pour", "sur", "avec", "au", "aux"}
    | {"hier", "se", "le", "la", "les", "ne", "ont", "etait", "sera", "serait", "is", "was", "has", "and", "who", "in"}
)


def _gap(part: TextPart, at: int) -> str:
    """Return what stands between a token and the next one."""
    tokens = part.folded.tokens
    return part.folded.text[tokens[at].end : tokens[at + 1].start] if at + 1 < len(tokens) else ""


def _end(part: TextPart, at: int) -> int:
    """Return one past the last token of a name that begins at a token."""
    tokens, end = part.folded.tokens, at + 1
    while end < min(len(tokens), at + _LONGEST) and _gap(part, end - 1) in _JOINS | {""}:
        if tokens[end].capital and not _is_sentence(part, end):
            end += 1
        elif (
            tokens[end].word in _PARTICLES
            and end + 1 < len(tokens)
            and tokens[end + 1].capital
            and _gap(part, end) in _JOINS
            and tokens[end].word not in {"des", "du"}
            and end == at + 1
        ):
            end += 2
        else:
            break
    return end


def _is_sentence(part: TextPart, at: int) -> bool:
    """Return True if a full stop ends a sentence before a token: the one after an initial does not."""
    return _gap(part, at - 1) == ". " and len(part.folded.tokens[at - 1].word) > 1


def _by_first_name(part: TextPart, at: int, *, sure: bool) -> PersonName | None:
    tokens = part.folded.tokens
    token = tokens[at]
    end = _end(part, at)
    # In a line of capitals, every word has one.
    if end > at + 1 and not (token.capitals and part.in_capitals):
        following = tokens[at + 1]
        if _is_no_surname(part, following) and end == at + 2:
            end = at + 1
    if token.capitals and part.in_capitals:
        end = min(end, at + 2)
    if end == at + 1 and (told := _in_small_letters(part, at, sure=False)):  # `Pierre vidal`
        return told
    return PersonName(at, end, full=end > at + 1) if sure or end > at + 1 else None


def _in_small_letters(part: TextPart, at: int, *, sure: bool) -> PersonName | None:
    """Return a name without capitals. If it may be a common word, what stands beside it must show a person."""
    tokens = part.folded.tokens
    double = at + 1 < len(tokens) and _gap(part, at) == "-" and _first_name(part, at + 1) is not None
    if part.folded.text[tokens[at].start - 1 : tokens[at].start] == "-" or (not double and _is_in_address(part, at)):
        return None
    first = end = at + 1 + double
    if end < len(tokens) and _gap(part, end - 1) == " " and tokens[end].word not in CLOSING:
        end += 1
    if (sure or double) and part.language.partition("-")[0] == "fr":
        return PersonName(at, end, full=end > at + 1)
    lettered = end > first and len(tokens[first].word) == 1 and _gap(part, first)[:1] == "."
    for last in (end, first):
        if (lettered and last == end) or _is_told(part, at, last):
            return PersonName(at, last, full=last > at + 1)
    return None


def _is_told(part: TextPart, at: int, end: int) -> bool:
    """Return True if words of a person stand beside these tokens: `pierre vidal, 50 ans`, `arrestation de rose`."""
    tokens = part.folded.tokens
    words = range(at + 1, end)
    if any(_is_no_surname(part, tokens[place]) or part.within("told", range(place, place + 1)) for place in words):
        return False
    before = tokens[at - 1].word if at and _gap(part, at - 1) == " " else ""
    if any(match.end == at for match in part.within("of_person", range(max(0, at - 3), at))):
        return True
    # A word alone that is a name, too, is one at the beginning: not in `une voiture blanche renversée`.
    free = not before if end == at + 1 else not (before in _ARTICLES or before.isdigit())
    return free and _is_followed(part, end)


def _is_followed(part: TextPart, end: int) -> bool:
    """Return True if an age or what happened to a person follows: `, 50 ans`, ` a été interpellé`."""
    tokens = part.folded.tokens
    if end >= len(tokens) or _gap(part, end - 1) not in {" ", ", ", " (", " - "}:
        return False
    words = [token.word for token in tokens[end : end + 3]]
    aged = words[0].isdigit() and words[1:2] in (["ans"], ["years"]) and words[2:] not in (["de"], ["d"], ["of"])
    return aged or bool(part.within("told", range(end, end + 1)))


def _in_one_word(part: TextPart, at: int) -> PersonName | None:
    """Return the name in `J e a n D u p o n t`, or in a hashtag without capitals: `#karimbensalah interpellé`."""
    tokens, end = part.folded.tokens, at + 1
    if part.folded.is_spelt(tokens[at]):
        spelt = len(tokens[at].word) >= _SPELT and _begins_with_name(tokens[at].word, _SPELT - 1)
        return PersonName(at, end, full=True) if spelt else None
    while end < len(tokens) and tokens[end].start == tokens[end - 1].end:  # `#kARIMbENSALAH`
        end += 1
    word = "".join(token.word for token in tokens[at : min(end, at + _LONGEST_TAG)])
    return PersonName(at, end, full=True) if _begins_with_name(word) and _is_followed(part, end) else None


def _begins_with_name(word: str, shortest: int = _SHORTEST) -> bool:
    """Return True if a word begins with a first name, or ends with one: `karimbensalah`."""
    word, known = word[:_LONGEST_TAG], first_names()
    lengths = range(shortest, len(word))
    return any(word[:length] in known or word[-length:] in known for length in lengths)


def _is_no_surname(part: TextPart, token: Token) -> bool:
    return (
        part.words.holds("no_surname", token.word)
        or token.word.isdigit()
        or (token.word.endswith("er") and token.word[0].isdigit())
    )


def _by_last_name(part: TextPart, at: int) -> PersonName | None:
    """Return a name in the order `DUPONT Jean`."""
    tokens = part.folded.tokens
    token = tokens[at]
    if not (token.capitals and len(token.word) >= _SHORTEST and token.word.isalpha()) or at + 1 >= len(tokens):
        return None
    following = tokens[at + 1]
    if _gap(part, at) == " " and following.capital and not following.capitals and first_names().get(following.word):
        return None if _is_no_surname(part, token) else PersonName(at, at + 2, full=True)
    return None


def _is_initial(part: TextPart, at: int) -> bool:
    """Return True for the letter of `K. Benrahma`."""
    tokens = part.folded.tokens
    if at + 1 >= len(tokens) or _gap(part, at) not in {". ", "."}:
        return False
    following = tokens[at + 1]
    before = tokens[at - 1].word if at else ""
    begins = not at or bool(set(_gap(part, at - 1)) & set(".!?:"))
    of_person = begins or part.words.holds("job", before) or _is_told(part, at, at)
    return (
        (of_person or (tokens[at].capital and following.capital))
        and len(following.word) >= _SHORTEST
        and following.word.isalpha()
        and before not in _LETTERED
        and following.word not in CLOSING
        and not following.word.endswith(_IMPERATIVE)
        and not part.words.holds("no_surname", following.word)
        and (at == 0 or _gap(part, at - 1)[-1:] in {" ", "(", ""})
    )


def _follows_title(part: TextPart, at: int) -> bool:
    tokens = part.folded.tokens
    if not at or tokens[at - 1].word not in _TITLES or not tokens[at].word.isalpha():
        return False
    if len(tokens[at].word) == 1 and not (tokens[at].capital and _gap(part, at)[:1] == "."):
        return False
    title, gap = tokens[at - 1], _gap(part, at - 1)
    metres = title.word == "m" and (not gap.startswith(".") or (at > 1 and tokens[at - 2].word.isdigit()))
    return not metres and gap in {" ", ". ", "."} and not part.words.holds("no_surname", tokens[at].word)


def _is_called(part: TextPart, at: int) -> bool:
    """Return True after a word for a name: `le nommé dupont jean`, `la famille Cazalis`."""
    before = part.folded.tokens[at - 1].word if at else ""
    calls = before in _CALLING or (before and part.words.holds("called", before))
    return bool(calls) and _gap(part, at - 1) in _BEFORE_CALLED and _is_named(part, at, before)


def _is_named(part: TextPart, at: int, before: str) -> bool:
    """Return True if the word before a token makes it a name."""
    tokens = part.folded.tokens
    if before in {"de", "d"} and at > 1 and tokens[at - 2].word in {"nom", "prenom"}:
        named = tokens[at].capital and not part.words.holds("no_surname", tokens[at].word)
        return named and not part.within("animal", part.sentence(at))
    if before in _SMALL:
        free = tokens[at].capital and tokens[at].word in first_names() and not tokens[at - 1].capital
        return free and not part.in_capitals
    if part.words.holds("called", before):
        return tokens[at].word.isalpha() and len(tokens[at].word) > 1 and tokens[at].word not in CLOSING
    if before in _RELATED:
        article = at > 1 and tokens[at - 2].word in _ARTICLES
        return (
            article and tokens[at].capital and not (part.in_capitals or part.words.holds("no_surname", tokens[at].word))
        )
    return (
        before in {"famille", "family"}
        and (tokens[at].capital or _is_family(part, at))
        and not part.words.holds("no_surname", tokens[at].word)
    )


def _is_family(part: TextPart, at: int) -> bool:
    """Return True for a name of a family in small letters. What agrees with *famille* or is its verb ends with an e."""
    token, tokens = part.folded.tokens[at], part.folded.tokens
    if not (token.word.isalpha() and len(token.word) >= _SHORTEST) or token.word in CLOSING:
        return False
    if _is_followed(part, at + 1):
        return True
    home = at + 1 < len(tokens) and tokens[at + 1].word == "a" and at > 2 and tokens[at - 3].word in {"de", "chez"}  # noqa: PLR2004 - `de la famille`
    closes = _gap(part, at).strip()[:1] in set(",.;:!?)") if at + 1 < len(tokens) else True
    return (home or closes) and part.folded.typed(token.start, token.end).casefold()[-1] != "e"


def _is_in_address(part: TextPart, at: int) -> bool:
    """Return True if a token is part of an address, a site or an account."""
    text, token = part.folded.text, part.folded.tokens[at]
    return (
        text[token.start - 1 : token.start] in set("@./_-") - {""}
        or text[token.end : token.end + 1] in {"@", "/", "_"}
        or (text[token.end : token.end + 1] == "." and text[token.end + 1 : token.end + 2].isalnum())
    )


def _is_of_a_place(part: TextPart, name: PersonName) -> bool:
    """Return True if a street, a school or an office bears the name: `rue Jean-Moulin`, `le préfet Jean Martin`."""
    tokens = part.folded.tokens
    boat = name.first and tokens[name.first - 1].word in {"le", "la"} and _gap(part, name.first) == "-"
    if boat and not tokens[name.first - 1].capital:  # `le Marie-Fernand`
        return True
    if not name.full and name.first and tokens[name.first - 1].word == "chez":  # `chez Paul, galerie du Polygone`
        behind = tokens[name.end : name.end + _HOUSEHOLDS]
        if any(part.words.holds("street", token.word) or part.words.holds("body", token.word) for token in behind):
            return True
    before = tokens[max(0, name.first - _NEAR) : name.first]
    for number, token in enumerate(reversed(before), 1):
        gap = _gap(part, name.first - number)
        stops = set(gap) & set(".;!?:\n") and not (len(token.word) <= _SHORTEST and gap == ". ")
        if stops or ("," in gap and number > 1):
            return False
        if token.word in _SAINTS or part.words.holds("street", token.word) or part.words.holds("office", token.word):
            return True
        if not (token.word in _PARTICLES or token.capital or part.words.holds("rank", token.word)):
            return False
    return False
