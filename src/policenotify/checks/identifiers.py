"""Guards of what leads to a person: civil status, plates, telephone numbers, addresses, homes and links."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.identity import JUDICIAL, PREVENTION
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of
from policenotify.text.urls import host_of

_OF_SUSPECTS: Final = frozenset(
    {Category.ARREST, Category.WITNESS_APPEAL, Category.POLICE_OPERATION, Category.ARMED_THREAT}
    | {Category.FIRE, Category.TRAFFIC_ACCIDENT, Category.DEMONSTRATION, Category.BOMB_DISPOSAL}
)
_ACCUSED: Final = ("presumed", "guilt", "secrecy", "held", "shooter", "arrested", "suspected")
_PRONOUNS: Final = frozenset(
    {"il", "elle", "ils", "elles", "celui", "celle", "ceux", "dernier", "derniere", "derniers"}
)
_BORN: Final = lazy_pattern(
    r"(?<!\w)n(?:e|ee|es|ees) (?:le|en|a|un|une|sous x) (?:\d|[a-z])"
    r"|(?<!\w)n(?:e|ee) (?=\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d\d)"
    r"|(?<!\w)venue?s? au monde (?=[aeldu])|(?<!\w)a (?:fete|souffle) ses \d\d (?:ans|bougies) (?:le|ce) (?=\d)"
    r"|(?<!\w)(?:date|lieu|jour|annee) de naissance(?=[^.!?\d]{0,20}\d)"
    r"|(?<!\w)naissance ?:(?=[^.!?\d]{0,30}\d)|(?<!\w)ddn(?!\w)|(?<!\w)born (?:on|in) |(?<!\w)dob(?!\w)|date of birth"
    r"|(?<!\w)(?:vu|voit|vit) le jour (?=[aeildu])|(?<!\w)anniversaire (?:est |tombe )?(?:le|ce) (?=\d)"
)
# What any of them has.
_OF_BIRTH: Final = lazy_pattern(
    r"nee?s? [leaus\d]|naissance|born|ddn|dob|birth|le jour|anniversaire|au monde|bougies|fete ses"
)
# What is not a person and was founded on a day.
_FOUNDED: Final = lazy_pattern(
    r"(?:brigade|service|association|club|equipe|unite|police|operation|application|festival|compagnie|commissariat"
    r"|plateforme|ecole|idee|projet|journee|fondation|poulain|chiot|chien|chienne|cheval|reserve|corps|creation)"
    r"[^.!?]{0,30}\Z"
)
_BEFORE_BIRTH: Final = 45  # letters before a birth in which the subject stands
_OLD_DATE: Final = lazy_pattern(r"(?<![\d/.])[0-3]?\d[/.][01]?\d[/.](?:19\d\d|20(?:0\d|1[0-5]))(?![\d/.]*\d)")
_NIR: Final = lazy_pattern(r"(?<![\d])[12378](?:[ .-]?\d){4}[ .-]?(?:\d|[ab])(?:[ .-]?\d){7}(?:[ .-]?\d{2})?(?!\d)")
_IBAN: Final = lazy_pattern(r"(?<![^\W_])[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){3,7}(?: ?[a-z0-9]{1,3})?(?![^\W_])")
_IP: Final = lazy_pattern(r"(?<![\d.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?!\.?\d)")
_DOCUMENT: Final = lazy_pattern(r"(?<!\w)(?=[a-z0-9]{8,15}(?!\w))[a-z]{0,5}\d[a-z0-9]{2,14}(?!\w)")
_PLATE: Final = lazy_pattern(
    r"(?<![^\W_])(?P<first>[a-hj-np-tv-z]{2})[ .-]?\d{3}[ .-]?(?P<last>[a-hj-np-tv-z]{2})(?![^\W_])"
)
# Words and units around a number, `de 120 km`, which are no plate in small letters.
_WORDS: Final = frozenset({
    "de", "le", "la", "et", "en", "ne", "se", "ce", "sa", "ma", "ta", "te", "me", "je", "km", "kg", "cm", "mm", "ml",
    "cl", "ha", "mg", "dl", "pr", "rd", "rn", "kw", "kv", "ex", "an", "as", "ca", "ai", "va", "by", "at", "to", "st",
})  # fmt: skip
_OLD_PLATE: Final = lazy_pattern(r"(?<![^\W_])\d{1,4}[ .-]?[a-z]{1,3}[ .-]?(?:\d{2,3}|2[ab])(?![^\W_])")
_CODE: Final = lazy_pattern(r"(?<![^\W_])(?=[a-z0-9-]{0,9}\d)(?=[a-z0-9-]{0,9}[a-z])[a-z0-9]+(?:-[a-z0-9]*)*")
# A road, an hour, an ordinal.
_NO_PLATE: Final = lazy_pattern(r"[adnr]{1,2}\d{1,4}|\d{1,2}h\d{0,2}|\d+(?:er?|eme)")
_FOREIGN: Final = lazy_pattern(r"(?<![^\W_])[a-z]{1,3}[ -]\d{1,4}(?:[ -]?[a-z]{1,3})?(?![^\W_])")
_FIGURES_FIRST: Final = lazy_pattern(r"(?<![^\W_])\d{3,4}[ -][a-z]{2,3}(?![^\W_])")  # a Spanish plate
_BEGINNING: Final = lazy_pattern(r"[a-hj-np-tv-z]{2}\d{2,3}[a-z]{0,2}|\d{2,3}[a-z]{2,3}")
# Germany, Great Britain, Belgium, Spain, Romania, the Netherlands, Poland
_PLATE_ABROAD: Final = lazy_pattern(
    r"(?<![^\W_])(?:[a-z]{1,3}-[a-z]{1,2} ?\d{1,4}|[a-z]{2}\d{2} ?[a-z]{3}|\d{4} ?-?[a-z]{3}"
    r"|[a-z]{2,3} \d{4}[a-z]|[a-z]{2} \d{5}|[a-z]{1,2} \d{2,3} [a-z]{3}"
    r"|(?=[a-z-]{0,9}\d)(?=[\d-]{0,9}[a-z])[a-z\d]{1,4}-[a-z\d]{1,4}-[a-z\d]{1,4})"
    r"(?![^\W_]|-\w)"
)
_LETTERS_ONLY: Final = lazy_pattern(r"(?<!\w)(?:par|lettres|contient|en) (?P<code>[a-z]{2,3})(?![^\W_])")
_PHONE: Final = lazy_pattern(r"(?:\+|(?<!\d))\d(?:[ ./,·()_-]{0,3}\d){8,14}(?!\d)")
_BEFORE_NUMBER: Final = lazy_pattern(r"\d{1,2}[ ./,·()_-]{1,3}(?=0[1-9])")
_WRITTEN_DATE: Final = lazy_pattern(r"(?<!\d)\d{1,2}[ ./-]\d{1,2}[ ./-](?:19|20)\d\d(?!\d)")
_MAIL: Final = lazy_pattern(
    r"(?<![^\s<(:,;])[^\s<>(),;:@]{1,64} ?(?:@|[(\[](?:at|a|arobase|chez)[)\]] ?|arobase |chez (?=\w{2,20} point )) ?"
    r"[a-z0-9][a-z0-9-]{0,62}(?:(?:\.| ?[(\[](?:dot|point|pt)[)\]] ?| point )[a-z0-9-]{1,62})+"
)
_AROBASE: Final = lazy_pattern(r"[(\[](?:at|a|arobase|chez)[)\]]|(?:arobase|chez) ")
_DOT_IN_WORDS: Final = lazy_pattern(r" ?[(\[](?:dot|point|pt)[)\]] ?| point ")
_OF_MAIL: Final = ("@", "(at)", "[at]", "(a)", "[a]", "arobase", "chez")  # what any address has
_FREE: Final = (
    "gmail",
    "hotmail",
    "outlook",
    "yahoo",
    "free",
    "orange",
    "sfr",
    "laposte",
    "wanadoo",
    "live",
    "icloud",
    "protonmail",
    "bbox",
    "msn",
)
_UNITS: Final = {
    "zero": 0,
    "un": 1,
    "deux": 2,
    "trois": 3,
    "quatre": 4,
    "cinq": 5,
    "six": 6,
    "sept": 7,
    "huit": 8,
    "neuf": 9,
    "dix": 10,
    "onze": 11,
    "douze": 12,
    "treize": 13,
    "quatorze": 14,
    "quinze": 15,
    "seize": 16,
    "une": 1,
    "vingt": 20,
    "vingts": 20,
    "trente": 30,
    "quarante": 40,
    "cinquante": 50,
    "soixante": 60,
    "septante": 70,
    "huitante": 80,
    "octante": 80,
    "nonante": 90,
}
_CODE_BEFORE: Final = 4  # words before the word for a plate in which a code stands
_CODE_WITHIN: Final = 9  # words behind the word for a plate in which a code stands
_FOUR: Final = 4  # of *quatre-vingts*
_TWENTY: Final = 2  # tens
_JOINED: Final = frozenset(
    {"et", "cent", "puis", "suivi", "de", "ensuite", "enfin", "apres", "point", "tiret", "virgule"}
)
_SPOKEN: Final = frozenset({*_UNITS, "puis", "suivi", "ensuite"})
_JOINING: Final = 2  # such words in a row
_SAID: Final = 5  # words of a telephone number, at least
_NEAR: Final = 3  # words before a word for health in which it is told of one person
_ALL: Final = frozenset({"les", "aux", "personnes", "vos", "people", "persons"})
_DEAF: Final = ("sourd", "malentendant", "deaf")
_BESIDE: Final = 8  # words
_DIGITS: Final = str.maketrans("oil", "011")
_MOBILE: Final = ("06", "07")
_ABROAD: Final = ("+", "00")
# Mobile telephones of Belgium, Spain, Germany, Italy, Great Britain, Switzerland, Portugal, the Netherlands,
# Luxembourg, Morocco, Algeria and Tunisia, and of Guadeloupe, Guyane, Martinique and Réunion.
_MOBILE_ABROAD: Final = lazy_pattern(
    r"324|34[67]|491[567]|393|447|417|3519|316|3526|212[67]|213[567]|216[2459]|590690|594694|596696|26269[23]"
)
_IMITATED: Final = (
    "gouv", "interieur", "policenationale", "devenirpolicier", "gendarmerie", "prefecture", "servicepublic", "antai",
    "17cyber", "masecurite", "moncommissariat", "alerteenlevement", "fralert", "policerecrute", "commissariat",
)  # fmt: skip
"""What the hosts of the State are called, without hyphens."""

_GENUINE: Final = ("devenirpolicier.fr", "lapolicenationalerecrute.fr", "service-public.fr", "service-public.gouv.fr")
_HOST: Final = lazy_pattern(r"(?<![\w@.-])(?:[a-z0-9-]{2,40}\.){1,4}[a-z]{2,10}(?![\w-])")
_MAY_BE_HOST: Final = lazy_pattern(r"\.[a-z0-9-]")  # what any host has
_SHOWN: Final = 4  # figures of a telephone number whose others may be letters
_FEWEST: Final = 10  # figures of an account
_DOTTED: Final = lazy_pattern(r"\d[/.]\d")  # what any IP address has, and any date in figures
_PLATED: Final = 3  # figures of a number plate
_NATIONAL: Final = 10
_FIGURES_OF_CODE: Final = 5
_NIR_LENGTH: Final = 15


def _has_nir_key(text: str) -> bool:
    """Return True if the last two figures are the key of a social security number (RNIPP, 97 less the remainder)."""
    figures = re.sub(r"[ .-]", "", text).replace("2a", "19").replace("2b", "18")
    return figures.isdigit() and len(figures) == _NIR_LENGTH and 97 - int(figures[:13]) % 97 == int(figures[13:])


def _has_iban_key(text: str) -> bool:
    """Return True if the check digits are those of an IBAN (ISO 13616, modulo 97)."""
    code = text.replace(" ", "")
    turned = code[4:] + code[:4]
    return turned.isalnum() and turned.isascii() and int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


@rule("PN206", basis="RGPD, art. 5 (data minimisation).", levels=(Level.BLOCK, Level.SECOND))
def no_civil_status(context: CheckContext) -> Iterator[Hit]:
    """Refuse dates of birth, numbers of papers and accounts, and names beside lost papers."""
    covered = context.message.category == Category.MISSING_PERSON and context.agreed("family", "guardian", "prosecutor")
    of_persons = context.message.category in JUDICIAL | {Category.TRAFFIC_ACCIDENT, Category.FIRE}
    for part in context.parts:
        for start, end in (*_births(part), *(_old_dates(part) if of_persons else ())):
            yield Hit(
                part.field, part.folded.span(start, end), covered=covered and context.message.stage is not Stage.END
            )
        for start, end in _accounts(part):
            yield Hit(part.field, part.folded.span(start, end))
        for name in context.persons[part.field] if part.has("papers") else ():
            yield Hit(part.field, part.span(Match(name.first, name.end)))
        for match in _IP.finditer(part.folded.text) if _DOTTED.search(part.folded.text) else ():
            yield Hit(part.field, part.folded.span(*match.span()), Level.SECOND, "ip")


def _births(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield dates and places of birth. *Ne* in a negation is none."""
    text = part.folded.text
    for match in found(part, _BORN) if any(map(_OF_BIRTH.search, part.folded.readings)) else ():
        if _FOUNDED.search(text[max(0, match.start() - _BEFORE_BIRTH) : match.start()]):
            continue
        # `on ne a 3`, `né à 3`, `ne le doublez pas`
        doubtful = match[0].startswith("ne ") and (match[0][3:4] in {"a", "u"} or match[0][-1].isalpha())
        if not doubtful or "é" in unicodedata.normalize("NFC", part.folded.typed(*match.span()).casefold()):
            date = _DATE.match(text, match.end())
            yield match.start(), date.end() if date else match.end()


def _old_dates(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield dates in figures so long ago that they are those of births, where no birth is stated."""
    if not _DOTTED.search(part.folded.text):
        return
    births = list(_births(part))
    for match in _OLD_DATE.finditer(part.folded.text):
        if not any(start < match.end() and match.start() < end for start, end in births):
            yield match.span()


def found(part: TextPart, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """Return where a pattern is in a text, also where figures stand for letters, one match at a place."""
    readings = part.folded.readings
    if len(readings) == 1:
        return list(pattern.finditer(readings[0]))
    matches = {match.start(): match for text in reversed(readings) for match in pattern.finditer(text)}
    return [matches[start] for start in sorted(matches)]


def _accounts(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield numbers of papers, accounts and social security."""
    text, papers = part.folded.text, part.has("papers")
    if not papers and part.folded.digits < _FEWEST:
        return
    yield from (match.span() for match in _NIR.finditer(text) if papers or _has_nir_key(match[0]))
    yield from (match.span() for match in _IBAN.finditer(text) if papers or _has_iban_key(match[0]))
    yield from (match.span() for match in _DOCUMENT.finditer(text) if papers and _is_code(part, match))


def _is_code(part: TextPart, match: re.Match[str]) -> bool:
    """Return True for `19CT83562` and `880692310285`, not for a road, an hour or a word with a figure."""
    figures = sum(map(str.isdigit, match[0]))
    return figures >= _FIGURES_OF_CODE or (figures > 1 and part.folded.typed(*match.span()).isupper())


_DATE: Final = lazy_pattern(r"[\w/.-]*(?: (?:er )?[a-z]{3,9} \d{4}| \d{4})?")


@rule("PN207", basis="RGPD, art. 4; CPP, art. 11.", levels=(Level.BLOCK, Level.SECOND))
def no_number_plate(context: CheckContext) -> Iterator[Hit]:
    """Refuse a number plate, whole or in part."""
    category = context.message.category
    if category == Category.CHILD_ABDUCTION_RELAY:
        return
    covered = category == Category.WITNESS_APPEAL and context.agreed("prosecutor")
    for part in context.parts:
        text = part.folded.text
        spans = []
        for match in found(part, _PLATE) if part.folded.digits >= _PLATED else ():
            hyphens = text[match.start() : match.end()].count("-") > 1
            pair = {match["first"], match["last"]}
            lane = pair & {"vl", "pl"}
            typed = part.folded.typed(*match.span())
            marked = typed.isupper() or part.has("vehicle", "plate") or not pair & _WORDS
            if hyphens or (not lane and marked and not (pair & _WORDS and typed.islower())):
                spans.append(match.span())
        if part.has("vehicle", "plate"):
            spans += [
                match.span()
                for match in _OLD_PLATE.finditer(text)
                if part.has("plate") or part.folded.typed(*match.span()).isupper()
            ]
        spans += [*_parts_of_plates(part), *_foreign_plates(part)]
        end = 0
        for first, last in sorted(set(spans)):
            if first >= end:
                yield Hit(part.field, part.folded.span(first, last), covered=covered)
                end = last


def _foreign_plates(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield plates of other countries near the word for a vehicle: `M-KL 4821`, `LK19 XDM`, `1-ABC-234`."""
    for match in _PLATE_ABROAD.finditer(part.folded.text) if part.has("vehicle", "plate") else ():
        if part.folded.typed(*match.span()).isupper():
            yield match.span()


def _code_before(part: TextPart, word: Match) -> Iterator[tuple[int, int]]:
    """Yield a code before the word for a plate: `EZ482 (début de plaque)`."""
    for token in part.folded.tokens[max(0, word.first - _CODE_BEFORE) : word.first]:
        code = _BEGINNING.fullmatch(part.folded.text, token.start, token.end)
        if code and part.folded.typed(token.start, token.end).isupper():
            yield token.start, token.end


def _parts_of_plates(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield codes of letters and figures soon after the word for a plate: `plaque commençant par EL-7`."""
    tokens, text = part.folded.tokens, part.folded.text
    for word in part.found.get("plate", ()):
        last = tokens[min(part.sentence(word.first).stop, word.end + _CODE_WITHIN) - 1].end
        yield from _code_before(part, word)
        for match in _FOREIGN.finditer(text, tokens[word.end - 1].end, last):
            if match[0][-1].isalpha() or part.folded.typed(*match.span()).isupper():
                yield match.span()
        for match in _FIGURES_FIRST.finditer(text, tokens[word.end - 1].end, last):
            if part.folded.typed(*match.span()).isupper():
                yield match.span()
        for match in _LETTERS_ONLY.finditer(text, tokens[word.end - 1].end, last):
            if part.folded.typed(*match.span("code")).isupper():
                yield match.span("code")
        for match in _CODE.finditer(text, tokens[word.end - 1].end, last):
            code = match[0].strip("-")
            if len(code) > 1 and any(map(str.isdigit, code)) and not _NO_PLATE.fullmatch(code):
                yield match.start(), match.start() + len(code)


@rule("PN208", basis="RGPD, art. 5; spoofed and premium numbers cost people money.", levels=(Level.BLOCK, Level.SECOND))
def no_private_number(context: CheckContext) -> Iterator[Hit]:
    """Refuse private telephone numbers, and premium ones that cost extra."""
    for part in context.parts:
        services = {re.sub(r"\D", "", each) for each in part.words.entries.get("service_numbers", ())}
        for start, end, figures in (*_numbers_in_figures(part), *_numbers_in_words(part)):
            number = _national(figures)
            if number in services:
                continue
            if figures.startswith(_ABROAD) and number == figures:
                mobile = _MOBILE_ABROAD.match(figures.removeprefix("+").removeprefix("00"))
                yield Hit(part.field, part.folded.span(start, end), None if mobile else Level.SECOND)
            if len(number) != _NATIONAL:
                continue
            if number.startswith(_MOBILE):
                yield Hit(part.field, part.folded.span(start, end))
            elif number.startswith("089"):
                yield Hit(part.field, part.folded.span(start, end), Level.SECOND, "premium")


def _national(figures: str) -> str:
    """Return the national form of a French number: `0612345678` for `+33 (0)6 12 34 56 78`."""
    for prefix in ("0033", "+33", "33"):
        if figures.startswith(prefix) and len(figures) > _NATIONAL:
            rest = figures.removeprefix(prefix)
            return rest if rest.startswith("0") else f"0{rest}"
    return figures


def _numbers_in_figures(part: TextPart) -> Iterator[tuple[int, int, str]]:
    text = part.folded.text
    if part.folded.digits < _SHOWN:
        return
    if "o" in text or "l" in text or "i" in text:
        # A letter beside a figure may stand for a figure: `O6 l2`.
        text = re.sub(r"(?<=\d)[oil](?=\d|\W|$)|(?<!\w)[oil](?=\d)", lambda letter: letter[0].translate(_DIGITS), text)
    for match in _PHONE.finditer(text):
        if _WRITTEN_DATE.search(match[0]):
            continue
        figures = ("+" if match[0].startswith("+") else "") + re.sub(r"\D", "", match[0])
        # What stands before a number belongs to the text: `le 17, 06 12 34 56 78`.
        after = _BEFORE_NUMBER.match(match[0]) if _NATIONAL < len(figures) <= _NATIONAL + 2 else None
        start = after.end() if after else 0
        yield match.start() + start, match.end(), figures[-_NATIONAL:] if after else figures


def _numbers_in_words(part: TextPart) -> Iterator[tuple[int, int, str]]:
    """Yield telephone numbers written in words: `zéro six douze trente-quatre …`."""
    tokens, at = part.folded.tokens, 0
    if part.vocabulary.isdisjoint(_SPOKEN):
        return
    while at < len(tokens):
        end, words = at, list[str]()
        while end < len(tokens) and (_is_number(tokens[end].word) or (words and _joins(part, end))):
            words += [tokens[end].word] if _is_number(tokens[end].word) else []
            end += 1
        broken = len(words) < end - at
        if len(words) >= _SAID and (broken or any(word in _UNITS for word in words)):
            yield tokens[at].start, tokens[end - 1].end, _figures(words)
        at = max(end, at + 1)


def _is_number(word: str) -> bool:
    return word in _UNITS or word.isdigit()


def _joins(part: TextPart, at: int) -> bool:
    """Return True for a word between the parts of a number: `06 98 45, puis 12 30`, `soixante et un`."""
    following = part.folded.tokens[at : at + _JOINING + 1]
    number = next((place for place, token in enumerate(following) if _is_number(token.word)), 0)
    return number > 0 and all(token.word in _JOINED for token in following[:number])


def _figures(words: list[str]) -> str:
    """Return the figures of numbers written in pairs."""
    figures: list[str] = []
    value: int | None = None
    for word in words:
        number = None if word.isdigit() else _UNITS[word]
        if value == 0 and number is not None and 0 < number < 10:  # noqa: PLR2004 - `zéro neuf` is one pair
            value = number
            continue
        if number is not None and value is not None and (both := _sum(value, number)):
            value = both
            continue
        figures += [] if value is None else [_pair(value)]
        figures += [word] if number is None else []
        value = number
    figures += [] if value is None else [_pair(value)]
    text = "".join(figures)
    # `zéro six` is 06, and not 0 06.
    return text[1:] if text.startswith("00") else text


def _sum(value: int, number: int) -> int:
    """Return what two words for numbers make together, 0 for two numbers: `soixante dix`, `quatre vingts`."""
    tens, ones = divmod(value, 10)
    if (value, number) == (_FOUR, 20):
        return 80
    follows = number and not ones and tens >= _TWENTY and number < (20 if value in {60, 80} else 10)
    return value + number if follows else 0


def _pair(value: int) -> str:
    return f"{value:02d}" if value else "0"


@rule(
    "PN209",
    basis="RGPD, art. 5; an appeal for witnesses gave a Gmail address in 2023.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_private_mail(context: CheckContext) -> Iterator[Hit]:
    """Refuse private mail addresses, and ask about any that is not the service's."""
    from policenotify.checks.names import first_names  # noqa: PLC0415 - read only where there is an address

    for part in context.parts:
        if not any(sign in reading for reading in part.folded.readings for sign in _OF_MAIL):
            continue
        services = part.words.entries.get("service_domains", ())
        for match in found(part, _MAIL):
            address = _DOT_IN_WORDS.sub(".", match[0])
            local, _, host = _AROBASE.sub("@", address, count="@" not in address).replace(" ", "").partition("@")
            if any(host == domain or host.endswith(f".{domain}") for domain in services):
                continue
            words = re.split(r"[\W\d_]+", local)
            named = any(word in first_names() for word in words)
            personal = named or not any(part.words.holds("mailbox", word) for word in words)
            level = Level.BLOCK if personal and host.split(".")[0] in _FREE else Level.SECOND
            yield Hit(part.field, part.folded.span(*match.span()), level)


@rule(
    "PN310",
    basis="Numbers and sites of services change; look-alikes are the trade of fraudsters. Checked on 2026-06-01.",
    levels=(Level.SECOND, Level.ADVISE),
)
def numbers_and_links_right(context: CheckContext) -> Iterator[Hit]:
    """Ask about numbers that are out of use, look-alike sites and short links."""
    link = context.message.link
    if link and (level := _doubt(host_of(link))):
        yield Hit("link", None, level, "link")
    for part in context.parts:
        wrong, usurped = (part.words.entries.get(name, ()) for name in ("wrong_numbers", "usurped_numbers"))
        for start, end, figures in _numbers_in_figures(part):
            if (number := _national(figures)) in wrong or number in usurped:
                yield Hit(part.field, part.folded.span(start, end), None if number in usurped else Level.ADVISE)
        for match in part.found.get("short_links", ()):
            yield Hit(part.field, part.span(match), Level.ADVISE, "short")
        linked = [span for span in spans_of(part.folded.original) if span.kind == "url"]
        for span in linked:
            if level := _doubt(host_of(span.value)):
                yield Hit(part.field, (span.start, span.end), level, "link")
        for host in _HOST.finditer(part.folded.text) if _MAY_BE_HOST.search(part.folded.text) else ():
            start, end = part.folded.span(*host.span())
            free = not any(span.start < end and start < span.end for span in linked)
            if free and (level := _doubt(host[0])):
                yield Hit(part.field, (start, end), level, "link")


def _doubt(host: str) -> Level | None:
    """Return a level for a host that looks like one of the State's and is none."""
    labels = [label.replace("-", "") for label in host.lower().split(".")]
    if any(host == one or host.endswith(f".{one}") for one in _GENUINE):
        return None
    if host.endswith((".gouv.fr", "gouvernement.fr")) or host == "gouv.fr" or len(labels) < 2:  # noqa: PLR2004 - a name and a top level
        return None
    imitates = any(name in label for name in _IMITATED for label in labels)
    return Level.SECOND if imitates else None


@rule(
    "PN211",
    basis="RGPD, art. 9 (health).",
    levels=(Level.SECOND, Level.BLOCK),
)
def no_health_told(context: CheckContext) -> Iterator[Hit]:
    """Ask before a person's health, disability or treatment is published."""
    category = context.message.category
    general = PREVENTION | {Category.WEATHER_RELAY, Category.PLANNED_EVENT, Category.ROAD_CLOSURE}
    everyone = category in general
    covered = category == Category.MISSING_PERSON and context.agreed("family", "guardian", "prosecutor", "consent")
    for part in context.parts:
        for match in part.found.get("health", ()):
            if part.folded.tokens[match.first].word.startswith("depression") and part.has("storm"):
                continue
            accused = part.near(match, *_ACCUSED) or (_goes_on(part, match) and part.has(*_ACCUSED))
            suspect = (category == Category.ARREST or accused) and category in _OF_SUSPECTS
            suspect = suspect and not _is_of_another(part, match)
            if _is_of_everyone(part, match, suspect=suspect):
                continue  # *les femmes enceintes restent à l'intérieur*, *personnes sourdes : 114*
            if everyone and not (part.near(match, "one_person") and part.near(match, "befell")):
                continue
            yield Hit(part.field, part.span(match), Level.BLOCK if suspect else Level.SECOND, "", covered)


def _is_of_everyone(part: TextPart, match: Match, *, suspect: bool) -> bool:
    """Return True for the health of a group that is not counted, or of readers: `les asthmatiques`, `si vous êtes`."""
    tokens = part.folded.tokens
    start = max(part.sentence(match.first).start, match.first - _NEAR)
    words = [token.word for token in tokens[start : match.end]]
    spoken = not {"vous", "etes", "you"}.isdisjoint(words)
    deaf = words[-1].startswith(_DEAF) and any(token.word == "114" for token in tokens[match.end : match.end + _BESIDE])
    group = (
        not _ALL.isdisjoint(words)
        and words[-1].endswith("s")
        and not any(word in _UNITS or word.isdigit() for word in words)
    )
    return deaf or (not suspect and (spoken or group))


def _goes_on(part: TextPart, match: Match) -> bool:
    """Return True if the sentence of a match begins with a pronoun for the person of the one before."""
    words = [token.word for token in part.folded.tokens[part.sentence(match.first).start :][:2]]
    return not _PRONOUNS.isdisjoint(words)


def _is_of_another(part: TextPart, match: Match) -> bool:
    """Return True for the health of one who suffered: `agression d'une femme enceinte`."""
    sentence = part.sentence(match.first)
    near = range(max(sentence.start, match.first - _BESIDE), match.first)
    last = max((one.end for kind in ("suffered", "victim") for one in part.within(kind, near)), default=0)
    tokens = part.folded.tokens
    return bool(last) and "," not in part.folded.text[tokens[last - 1].end : tokens[match.first].start]
