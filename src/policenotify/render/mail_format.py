"""The layout of a mail: the same words as plain text and as HTML.

The HTML needs nothing from outside: no remote picture, font or script, so that opening it tells nobody. It keeps the
reader's own colours, light or dark, except in the banner, whose pairs of colours hold the contrast of WCAG 2.2, success
criterion 1.4.3 (AA: 4.5 to 1). A colour never says anything that the words do not say, too (1.4.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Literal, TypeAlias

from policenotify.text.wrap import wrap

Tone: TypeAlias = Literal["act", "caution", "clear", "info"]
"""How urgent a mail looks (ISO 22324): red for danger, yellow for caution, green for safe, neutral for the rest."""

_COLOURS: dict[Tone, tuple[str, str]] = {  # background, text
    "act": ("#a3001b", "#ffffff"),
    "caution": ("#ffd23f", "#1a1a1a"),
    "clear": ("#1b6b34", "#ffffff"),
    "info": ("#24405e", "#ffffff"),
}
_SCRIPT = 4  # letters in a script's code (ISO 15924); a region has fewer
# Languages whose usual script is one of these, and the scripts (CLDR, characterOrder).
_RIGHT_TO_LEFT = frozenset(
    {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"}
    | {"Adlm", "Arab", "Hebr", "Nkoo", "Rohg", "Syrc", "Thaa"}
)
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_COLUMN = "max-width:640px;margin:0 auto;word-break:break-word;overflow-wrap:anywhere"  # the former for older programs
_PAGE = """\
<!DOCTYPE html>
<html lang="{language}"{direction}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px;font-family:system-ui,sans-serif;font-size:16px;line-height:1.5">
<div role="article" lang="{language}"{direction} style="{column}">
{blocks}
</div>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParts:
    """What a mail says, in the order in which a reader wants it.

    Attributes:
        language: BCP 47.
        banner: The category and stage in words: `Accident – TERMINÉ`.
        tone: How urgent it looks.
        headline: What happens.
        place: Where, in short.
        facts: Labels and values: `("Depuis", "17h40")`.
        description: More on what happens. Line breaks are kept.
        instruction: What readers shall do.
        instruction_label: Its heading: `Que faire`.
        context: What the incident is, for a mail that must stand alone.
        link: An `https` page with more.
        link_label: What the page is.
        pictures: What each attached picture shows.
        exercise: A banner that says so, when it is an exercise.
        footer: Who sends this, and why.
    """

    language: str
    banner: str
    tone: Tone
    headline: str
    place: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    description: str = ""
    instruction: str = ""
    instruction_label: str = ""
    context: str = ""
    link: str = ""
    link_label: str = ""
    pictures: tuple[str, ...] = ()
    exercise: str = ""
    footer: str = ""


def render_mail(parts: MailParts) -> tuple[str, str]:
    """Lay a mail out.

    Args:
        parts: What it says.

    Returns:
        The text, in lines of 72 columns where words allow, and the HTML, a whole page.
    """
    text = "\n\n".join(block for block in _text(parts) if block) + "\n"
    html = _PAGE.format(
        language=_html(parts.language),
        direction=' dir="rtl"' if _from_the_right(parts.language) else "",
        column=_COLUMN,
        title=_html(f"{parts.banner} – {parts.headline}"),
        blocks="\n".join(_blocks(parts)),
    )
    return text, html


def _text(parts: MailParts) -> Iterator[str]:
    yield _wrapped(f"*** {parts.exercise} ***") if parts.exercise else ""
    yield _wrapped(parts.banner)
    yield _wrapped("\n".join(filter(None, (parts.headline, parts.place))))
    yield _wrapped("\n".join(f"{label}{_colon(parts.language)} {value}" for label, value in parts.facts))
    yield _wrapped(parts.context)
    yield _wrapped(parts.description)
    if parts.instruction:
        label = f"{parts.instruction_label}{_colon(parts.language)}\n" if parts.instruction_label else ""
        yield _wrapped(label + parts.instruction)
    yield _wrapped("\n".join(f"[{alt}]" for alt in parts.pictures))
    if parts.link:
        yield _wrapped(f"{parts.link_label}{_colon(parts.language)}\n{parts.link}" if parts.link_label else parts.link)
    yield _wrapped(f"-- \n{parts.footer}") if parts.footer else ""


def _blocks(parts: MailParts) -> Iterator[str]:
    if parts.exercise:
        yield _banner(parts.exercise, ("#4a2a7a", "#ffffff"))
    yield _banner(parts.banner, _COLOURS[parts.tone])
    yield f'<h1 style="font-size:22px;line-height:1.3;margin:16px 0 4px">{_html(parts.headline)}</h1>'
    if parts.place:
        yield f'<p style="margin:0 0 8px"><strong>{_html(parts.place)}</strong></p>'
    if parts.facts:  # no table: its columns would be too narrow for a date on a telephone
        told = (
            f'<p style="margin:2px 0"><strong>{_html(label + _colon(parts.language))}</strong> {_html(value)}</p>'
            for label, value in parts.facts
        )
        yield f'<div style="margin:12px 0">{"".join(told)}</div>'
    if parts.context:
        yield _paragraph(parts.context)
    if parts.description:
        yield _paragraph(parts.description)
    if parts.instruction:
        side = "right" if _from_the_right(parts.language) else "left"
        label = f'<h2 style="font-size:16px;margin:0">{_html(parts.instruction_label)}</h2>'
        yield (
            f'<div style="border-{side}:4px solid {_COLOURS[parts.tone][0]};padding:4px 12px;margin:16px 0">'
            f"{label if parts.instruction_label else ''}{_paragraph(parts.instruction)}</div>"
        )
    yield from (_paragraph(f"[{alt}]") for alt in parts.pictures)
    if parts.link:
        yield f'<p style="margin:12px 0">{_anchor(parts.link, parts.link_label)}</p>'
    if parts.footer:
        style = "border-top:1px solid #808080;margin-top:24px;padding-top:8px;font-size:14px"
        yield f'<div role="contentinfo" style="{style}">{_paragraph(parts.footer)}</div>'


def _banner(words: str, colours: tuple[str, str]) -> str:
    background, text = colours
    style = (
        f"background-color:{background};color:{text};padding:12px 16px;font-size:18px;font-weight:bold;margin:0 0 4px"
    )
    return f'<p style="{style}">{_html(words)}</p>'


def _paragraph(text: str) -> str:
    return f'<p style="margin:8px 0">{_html(text).replace(chr(10), "<br>")}</p>'


def _anchor(link: str, label: str) -> str:
    if re.match(r"https?://", link, re.IGNORECASE):
        style = "color:inherit;text-decoration:underline"  # a program's own blue may be hard to read on its own black
        return f'<a href="{_html(link)}" style="{style}">{_html(label or link)}</a>'
    return _html(f"{label} {link}".strip())  # whatever else it is, nobody shall click it


def _html(text: str) -> str:
    return escape(_plain(text))


def _plain(text: str) -> str:
    return _NO_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _from_the_right(language: str) -> bool:
    """Whether it is written from right to left: pages do not take that from their language (HTML, section 3.2.6.4)."""
    tongue, _, more = language.partition("-")
    script = more.partition("-")[0]
    return script in _RIGHT_TO_LEFT if len(script) == _SCRIPT else tongue in _RIGHT_TO_LEFT


def _colon(language: str) -> str:
    """How a colon is set: French puts a no-break space before it."""
    return "\N{NO-BREAK SPACE}:" if language.partition("-")[0].lower() == "fr" else ":"


@lru_cache(maxsize=32)  # the blocks of a mail, which is laid out once more for those who have its thread
def _wrapped(text: str) -> str:
    return wrap(_plain(text))
