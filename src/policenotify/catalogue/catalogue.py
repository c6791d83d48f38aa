"""Catalogues: all translated templates of a language, and the search for that of a text."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from policenotify.catalogue.template import WORD, Slot, Template, is_number, whole_words
from policenotify.translation import Text, text_of, translations_of

_BRACE: Final = re.compile(r"[{}]")
_MARKED: Final = re.compile(r"\s*[,;]")  # texts that have another form at the beginning of a part
_EQUALS, _COLON = '" = ', '": '
_LONGEST: Final = 8  # sentences of one template
_DEEPEST: Final = 8  # values inside values
_LOOKED_INTO: Final = 3  # of these, when templates are compared
_SENTENCES: Final = re.compile(r"(?<=[.!?:…”»\])])(\s+)(?=\S)|(\n+)")
_PATH: Final = re.compile(r"[\w-]+(?:\[\d+\])?(?:\.[\w-]+(?:\[\d+\])?)*\.(?=[a-z_]+: )")  # channels.x. of a setting
_COMMAS: Final = re.compile(r"(, )")
_LISTED: Final = re.compile(r"(; |(?<=\)), | · |  (?=\[)| (?=\()| → | (?=https?://))")
_MARK: Final = re.compile(r"(?:[→✔✘!;]\s+)*")
_BEFORE, _AFTER = " ([“", " )]”;,.:"
_SENTENCE_END: Final = re.compile(r"[.!?\]]\s")  # or the code of a network
_STOPS: Final = re.compile(r"(?<=[\w»)\]])(?=[:;](?:\s|$))", re.MULTILINE)
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_MOMENT: Final = re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d) (?P<clock>\d\d:\d\d(?::\d\d)?)\b")
_CLOSES: Final = re.compile(r"[^“]*”|[^(]*\)")  # a quotation or bracket that began before
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")


_PLACES: Final = re.compile(r"\{[^{}]*\}")


@cache
def _nested() -> Mapping[str, Sequence[str]]:
    """Return the values of each template that are translated, where they are plain texts still."""
    found: Mapping[str, Sequence[str]] = json.loads(
        (files("policenotify") / "locale" / "nested.json").read_text("utf-8")
    )
    return found


class _Match(NamedTuple):
    """A template and its values in a text.

    Attributes:
        sure: No plain value runs over the end of a sentence.
        stop: The full stop behind it is that of the text around it.
    """

    template: Template
    values: tuple[str, ...]
    sure: bool = True
    stop: bool = False


class Catalogue:
    """The translations of one language, by English template.

    The time to translate a text is linear in its length.

    Args:
        language: BCP 47.
        texts: The translation of each template; of one with a number, a list of two: of one, and of several.
        forms: `quoted`: the form of a name in quotes, with `{}`. `moment`: the form of a date with its time, with
            `{day}`, `{month}`, `{year}` and `{clock}`. `before_stop`: what stands before a colon or semicolon.
        metavars: The names of values in a line of usage.
    """

    def __init__(
        self,
        language: str,
        texts: Mapping[str, str | Sequence[str]],
        forms: Mapping[str, str] | None = None,
        metavars: Mapping[str, str] | None = None,
    ) -> None:
        self.language = language
        self._texts = texts
        self._metavars = metavars or {}
        self._metavar = re.compile(rf"\b(?:{'|'.join(sorted(self._metavars, key=len, reverse=True))})\b")
        self._forms = {"quoted": "'{}'", "moment": "{year}-{month}-{day} {clock}", "before_stop": "", **(forms or {})}
        self._known: dict[tuple[str, int], bool] = {}  # of the present text
        self._made: dict[str, Template] = {}
        # A template is made when its text is first found: most are never needed.
        self._exact: dict[str, Template | None] = {}
        valued: list[tuple[str | Template, set[str]]] = []
        for english, translated in texts.items():
            is_plain = not _BRACE.search(english)
            if is_plain:
                self._exact[english] = None
            else:
                valued.append((english, whole_words(english)))
            if _MARKED.match(english) or (is_plain and _BRACE.search(str(translated))):
                self._add_forms(self._template(english), valued)
        # Each is found by its rarest word. One without a whole word is tried on every text.
        count = Counter(word for _, words in valued for word in words)
        self._by_word: dict[str, list[str | Template]] = {}
        for form, words in valued:
            rarest = min(words, key=lambda word: (count[word], word), default="")
            self._by_word.setdefault(rarest, []).append(form)

    def _add_forms(self, template: Template, valued: list[tuple[str | Template, set[str]]]) -> None:
        """Add the forms in which a text begins a part of another one."""
        for form in template.without_mark():
            if len(form.literals) == 1:
                self._exact.setdefault(form.literals[0], form)
            else:
                valued.append((form, form.words))

    @property
    def templates(self) -> Mapping[str, Template]:
        """All templates, by their English text."""
        return {english: self._template(english) for english in self._texts}

    def _template(self, english: str) -> Template:
        if english not in self._made:
            translated = self._texts[english]
            self._made[english] = Template.of(english, (translated,) if isinstance(translated, str) else translated)
        return self._made[english]

    def find(self, text: str) -> Template | None:
        """Return the template of a whole text."""
        found = self._match(text, _DEEPEST)
        return found.template if found else None

    def say(self, text: object) -> str:
        """Return a text in the language: a `Text` exactly, and a plain text as `translate` finds it."""
        own = text_of(text)
        if not isinstance(own, Text):
            return self.translate(str(text))
        translations = translations_of(self.language.partition("-")[0].lower())
        args = {
            name: value if isinstance(value, (int, float)) else self._say_value(own, name, value)
            for name, value in own.args
        }
        if own.plural:
            template = translations.ngettext(own.template, own.plural, int(str(dict(own.args)["count"])))
        else:
            template = translations.gettext(own.template) if own.template else ""
        if template == own.template and _LETTERS.search(_PLACES.sub("", template)):
            return self.translate(str(own))  # not converted yet
        return template.format_map(args)

    def _say_value(self, text: Text, name: str, value: Text | str) -> str:
        if isinstance(value, Text):
            return self.say(value)
        nested = _nested().get(text.template)
        return self.translate(value) if nested is None or name in nested else value

    def translate(self, text: str) -> str:
        """Return a text in the language; what is not in the catalogue stays as it is."""
        self._known.clear()
        return _STOPS.sub(self._forms["before_stop"], self._translate(text, _DEEPEST))

    def metavars(self, text: str) -> str:
        """Return a line of usage with the names of its values in the language: `FICHIER` for `FILE`."""
        return self._metavar.sub(lambda match: self._metavars[match[0]], text) if self._metavars else text

    def moments(self, text: str) -> str:
        """Return a text with its dates in the form of the language."""
        return _MOMENT.sub(lambda match: self._forms["moment"].format_map(match.groupdict()), text)

    def unknown(self, text: str) -> tuple[str, ...]:
        """Return the sentences of a text that the catalogue lacks."""
        return tuple(self._unknown(text))

    def _unknown(self, text: str) -> Iterator[str]:
        for part, known in self._parts(text.strip(), _SENTENCES, _DEEPEST):
            if known is None and _LETTERS.search(part) and self._translate(part, _DEEPEST) == part:
                yield part.strip()

    def _translate(self, text: str, depth: int) -> str:
        core = text.strip()
        if not core or not depth or not _LETTERS.search(core):
            return self.moments(text)
        start = text.index(core)
        mark = _MARK.match(core)
        begin = mark.end() if mark else 0
        return text[:start] + core[:begin] + self._core(core[begin:], depth) + text[start + len(core) :]

    def _core(self, core: str, depth: int) -> str:
        whole = self._match(core, depth)
        ways = (self._as_clause, self._after_path, self._by_sentences, self._by_items, self._inside)
        if whole and whole.sure:
            return self._filled(whole, depth)
        bounds = (_SENTENCES, _LISTED)
        if whole and not any(known for each in bounds for _, known in self._parts(core, each, depth)):
            return self._filled(whole, depth)
        return next((text for way in ways if (text := way(core, depth)) is not None), None) or self.moments(core)

    def _as_clause(self, core: str, depth: int) -> str | None:
        """Translate a sentence that has lent its full stop to the text around it."""
        clause = None if core.endswith(".") else self._match(f"{core}.", depth)
        if clause is None or not clause.sure:
            return None
        if any(map(_SENTENCE_END.search, clause.values)) and any(
            known for _, known in self._parts(core, _SENTENCES, depth)
        ):
            return None  # a value has taken in sentences that are known by themselves
        return self._filled(clause, depth).removesuffix(".")

    def _after_path(self, core: str, depth: int) -> str | None:
        """Translate what follows the path of a setting: `channels.x.handle: …`."""
        path = _PATH.match(core)
        return path[0] + self._translate(core[path.end() :], depth - 1) if path else None

    def _by_sentences(self, core: str, depth: int) -> str | None:
        found = [list(self._parts(core, bounds, depth)) for bounds in (_SENTENCES, _LISTED)]
        several = [parts for parts in found if len(parts) > 1]
        # An item of a list may be a template of several sentences, none of which is known by itself.
        parts = next((parts for parts in several if any(known for _, known in parts)), next(iter(several), None))
        if parts is None:
            return None
        return "".join(
            self._filled(known, depth) if known else self._translate(part, depth - 1) for part, known in parts
        )

    def _by_items(self, core: str, depth: int) -> str | None:
        """Translate a list if all of it is known: names are listed, too."""
        items = _COMMAS.split(core)
        translated = [self._translate(item, depth - 1) for item in items] if len(items) > 1 else items
        known = len(items) > 1 and all(new != old for new, old in zip(translated[::2], items[::2], strict=True))
        return "".join(translated) if known else None

    def _inside(self, core: str, depth: int) -> str | None:
        """Translate what stands in brackets or quotes."""
        text = core.lstrip(_BEFORE)
        before, inner = core[: len(core) - len(text)], text.rstrip(_AFTER)
        if inner in {"", core}:
            return None
        return before + self._translate(inner, depth - 1) + text[len(inner) :]

    def _parts(self, text: str, bounds: re.Pattern[str], depth: int) -> Iterator[tuple[str, _Match | None]]:
        """Yield the parts of a text, as many in one as a template takes, and what is between them."""
        pieces = [piece for piece in bounds.split(text) if piece]
        begun, at = len(pieces), 0
        while at < begun:
            for end in range(min(begun, at + 2 * _LONGEST - 1), at, -1):
                part = "".join(pieces[at:end])
                if part.strip() == part and (known := self._match(part, depth)) and known.sure:
                    yield part, known
                    at = end
                    break
            else:
                yield pieces[at], None
                at += 1

    def _match(self, text: str, depth: int) -> _Match | None:
        if (exact := self._without_values(text)) is not None:
            return _Match(exact, ())
        if text.endswith(".") and (clause := self._without_values(text[:-1])) is not None:
            return _Match(clause, (), stop=True)
        matches = []
        for template in self._candidates(text):
            for shown in (text, text[:-1]) if text.endswith(".") else (text,):
                values = template.values(shown)
                if values is not None:
                    sure = all(self._fits(template, number, value) for number, value in enumerate(values))
                    matches.append(_Match(template, values, sure, stop=shown is not text))
        if len(matches) < 2:
            return next(iter(matches), None)
        return max(matches, key=lambda match: self._explained(match, min(depth, _LOOKED_INTO)))

    def _without_values(self, text: str) -> Template | None:
        """Return the template of a text without values; of `the journal` within a sentence that of `The journal`."""
        if text not in self._exact and text.startswith("the ") and (name := f"T{text[1:]}") in self._exact:
            translated = self._template(name).translations[0]
            self._exact[text] = Template.of(text, (translated[0].lower() + translated[1:],))
        return (self._exact[text] or self._template(text)) if text in self._exact else None

    def _fits(self, template: Template, number: int, value: str) -> bool:
        """Return True if a value does not run into the next sentence, line or column."""
        if _CLOSES.match(value):
            return False
        marks = ("\n",) if number in template.nested else ("\n", " · ", "; ")
        if any(mark in value and mark not in template.english for mark in marks):
            return False
        held = template.may_hold_sentences(number) or not _SENTENCE_END.search(value)
        return held or _QUOTED.fullmatch(value) is not None

    def _candidates(self, text: str) -> Iterator[Template]:
        for word in {"", *WORD.findall(text)}:
            for form in self._by_word.get(word, ()):
                yield self._template(form) if isinstance(form, str) else form

    def _explained(self, match: _Match, depth: int) -> tuple[bool, int, int, str]:
        """Rank the templates of one text: the one that explains most of it is meant."""
        template, values, sure, stop = match
        known = {number for number in template.nested if self._knows(values[number], depth - 1)}
        inside = sum(len(value) if number in known else -len(value) for number, value in enumerate(values))
        return sure, 2 * template.weight + inside - stop, -len(values), template.english

    def _knows(self, text: str, depth: int) -> bool:
        """Return True if something in a text is translated. Each text is tried once, however often it is nested."""
        if depth <= 0:
            return False
        if (text, depth) not in self._known:
            self._known[text, depth] = self._translate(text, depth) != text
        return self._known[text, depth]

    def _filled(self, match: _Match, depth: int) -> str:
        parts = (
            literal + (self._value(match.values, slot, depth, literal) if slot else "")
            for literal, slot in match.template.parts(several=_number(match.values) > 1)
        )
        return "".join(parts) + "." * match.stop

    def _value(self, values: Sequence[str], slot: Slot, depth: int, before: str) -> str:
        value = values[slot.number]
        if slot.nested:
            return self._translate(value, depth - 1)
        # After a sign, as in `follows='2026-4711'`, it is typed so.
        if (quoted := _QUOTED.fullmatch(value)) and (not before or before[-1].isspace() or before[-1] == "'"):
            return self._forms["quoted"].format(quoted[1] or quoted[2] or "")
        return self.moments(value)


def _number(values: Sequence[str]) -> int:
    return next((int(value.replace(",", "")) for value in values if is_number(value)), 1)


@cache
def catalogue_of(language: str) -> Catalogue | None:
    """Return the catalogue of a language, or `None` for English and for a language without one."""
    folder = files(__package__) / language.partition("-")[0]
    if not language.isascii() or not language.replace("-", "").isalnum() or not folder.is_dir():
        return None
    tables = [
        _table(file.read_text(encoding="utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    ]
    tables.append(_of_rules(language.partition("-")[0]))
    special = [next((table.pop(name) for table in tables if name in table), None) for name in ("forms", "metavars")]
    return Catalogue(language, {english: text for table in tables for english, text in table.items()}, *special)


_NAME: Final = re.compile(r"\{(\w+)\}")  # of a value in the texts of a rule


def _table(text: str) -> dict[str, Any]:
    """Return a file of a catalogue.

    Nearly all have one line for each text, in double quotes. The reader of JSON takes a tenth of the time for them.
    """
    rows = [row for row in text.splitlines() if row and not row.startswith("#")]
    if all(row.startswith('"') for row in rows):
        try:
            found: dict[str, Any] = json.loads(f"{{{','.join(row.replace(_EQUALS, _COLON, 1) for row in rows)}}}")
        except ValueError:  # an escape that only TOML has
            pass
        else:
            return found
    return tomllib.loads(text)


def _of_rules(language: str) -> dict[str, str]:
    """Return the texts of the rules of checks.

    They stand beside the rules, where jurists read and mend both languages at once. A finding
    carries both, for programs; a person reads it through the catalogue, as every other text.
    """
    found: dict[str, str] = {}
    folder = files("policenotify") / "checks"
    shared = sorted((folder / "data").iterdir(), key=lambda file: file.name)
    of_law = folder / "fr" / "rules.toml"
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in (*shared, of_law)]
    while tables:
        table = tables.pop()
        if language in table:
            found |= dict(_numbered(table["en"][part], table[language][part]) for part in ("reason", "remedy"))
        tables += [inner for inner in table.values() if isinstance(inner, dict)]
    return found


def _numbered(english: str, text: str) -> tuple[str, str]:
    """Return both texts with numbers for their names in braces, which may be other words in either."""
    names = list(dict.fromkeys(_NAME.findall(english)))
    for number, name in enumerate(names):
        english, text = (each.replace(f"{{{name}}}", f"{{{number}}}") for each in (english, text))
    return english, text


def localized(text: object, language: str) -> str:
    """Return an error, a finding, a receipt or a text of this package in a language.

    Args:
        text: What is shown; `str` of it is English.
        language: `fr`, or `en` for the text as it is. A language without a catalogue is as `en`.
    """
    catalogue = catalogue_of(language)
    return catalogue.translate(str(text)) if catalogue else str(text)
