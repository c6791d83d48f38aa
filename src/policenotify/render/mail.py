"""Mails: their parts, their subject, and their layout as plain text and as HTML.

The HTML loads nothing from outside: no image, font or script, so that opening it notifies no server. It keeps the
reader's own colours, light or dark, except in the banner, whose pairs of colours have the contrast of WCAG 2.2,
success criterion 1.4.3 (AA: 4.5 to 1). No colour carries information that the text lacks (1.4.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypeAlias

from policenotify.channel import Picture
from policenotify.model.lifecycle import Stage
from policenotify.render.context import RenderContext
from policenotify.render.sentences import upper_first
from policenotify.text.comparison import contains_words
from policenotify.text.links import host_of
from policenotify.text.wrap import wrap

Tone: TypeAlias = Literal["act", "caution", "clear", "info"]
"""How urgent a mail looks (ISO 22324): red for danger, yellow for caution, green for safe, neutral for the rest."""

_COLOURS: Final[dict[Tone, tuple[str, str]]] = {  # background, text
    "act": ("#a3001b", "#ffffff"),
    "caution": ("#ffd23f", "#1a1a1a"),
    "clear": ("#1b6b34", "#ffffff"),
    "info": ("#24405e", "#ffffff"),
}
_EXERCISE_COLOURS: Final = ("#4a2a7a", "#ffffff")
# 17, 112, 114, but no group of a longer number.
_NUMBER: Final = re.compile(r"(?<![\w&#])(?<![0-9]\s)[0-9]{2,3}(?!\s?[0-9])(?![\w;])")
_COLUMN: Final = (
    "max-width:640px;margin:0 auto;word-break:break-word;overflow-wrap:anywhere"  # the former: old programs
)
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="{language}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px;font-family:system-ui,sans-serif;font-size:16px;line-height:1.5">
<div role="article" lang="{language}" dir="{direction}" style="{column}">
{blocks}
</div>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParts:
    """The content of a mail, in the order of reading.

    Attributes:
        banner: Category and stage in words: `Accident – FIN`.
        action_first: The instruction stands before the times.
        facts: Labels and values: `("Depuis", "17h40")`.
        description: The description, with its line breaks.
        context: What the message refers to, in a mail that stands alone.
        pictures: The description of each attached picture.
        exercise: The banner of an exercise, empty otherwise.
        emergency: The emergency numbers.
        colon: What stands behind a label. French puts a no-break space before it.
    """

    language: str
    banner: str
    tone: Tone
    headline: str
    place: str
    action_first: bool
    facts: tuple[tuple[str, str], ...]
    description: str
    instruction: str
    instruction_label: str
    context: str
    link: str
    link_label: str
    pictures: tuple[str, ...]
    exercise: str
    emergency: str
    footer: str
    colon: str


def mail_parts(context: RenderContext, pictures: tuple[Picture, ...], *, standalone: bool) -> MailParts:
    """Return the content of a mail."""
    locale = context.locale
    sources = ((locale.mail_source, context.source),) if context.source else ()
    return MailParts(
        language=context.language,
        colon=locale.typeset(locale.colon).rstrip(),
        banner=context.heading(context.label),
        tone=_tone(context),
        headline=locale.typeset(context.headline),
        place=locale.typeset(context.place.full()),
        action_first=context.is_severe,
        facts=tuple((name, locale.typeset(value)) for name, value in (*context.times.facts(), *sources)),
        description=locale.typeset(context.typed_description),
        instruction=locale.typeset(context.typed_instruction),
        instruction_label=locale.mail_now if context.message.stage is Stage.END else locale.mail_action,
        context=locale.typeset(context.back_reference) if standalone else "",
        link=context.message.link or "",
        link_label=locale.mail_link,
        pictures=tuple(picture.alt for picture in pictures),
        exercise=locale.exercise_notice if context.message.exercise else "",
        emergency=locale.typeset(locale.mail_emergency),
        footer=locale.typeset(locale.mail_footer.format(sender=context.signature)),
    )


def _tone(context: RenderContext) -> Tone:
    if context.message.stage is Stage.END:
        return "clear"
    if context.message.stage is Stage.CANCELLATION or not context.of_incident:
        return "info"
    return "act" if context.is_severe else "caution"


def subject(context: RenderContext) -> str:
    """Return the subject: category, stage, place and headline of this message.

    `[Accident – EN COURS] Montpellier, avenue de Toulouse – Accident de la circulation`. Mailboxes keep an incident
    together by `References`, so the subject may change with the stage. A locked screen shows it, so a discreet
    category leaves the headline out. A cancellation names category and place only.
    """
    return _titled(context, context.heading(context.label))


def lasting_title(context: RenderContext) -> str:
    """Return a title that stays true: the subject, where an opening is not marked as under way."""
    return _titled(context, context.label) if context.is_opening else subject(context)


def _titled(context: RenderContext, heading: str) -> str:
    place = context.place
    if context.profile.discreet or context.message.stage is Stage.CANCELLATION:
        topic = place.one_line()
    else:
        named = context.tagged_headline or (not context.of_incident and contains_words(context.headline, place.name))
        name = "" if named else f"{place.name}{place.qualifier}"
        where = upper_first(", ".join(filter(None, (name, context.place_details))))
        headline = f"{context.open_headline}{place.qualifier if context.tagged_headline else ''}"
        topic = context.locale.dash.join(filter(None, (where, headline)))
    exercise = context.locale.exercise if context.message.exercise else ""
    stem = f"[{heading}] {topic}".rstrip()
    return context.locale.dash.join(filter(None, (exercise, stem)))


def render_mail(parts: MailParts) -> tuple[str, str]:
    """Return the text, in lines of 72 columns where words allow, and the HTML page."""
    blocks = list(_blocks(parts))
    html = _PAGE.format(
        language=escape(parts.language),
        direction=_direction(parts),
        column=_COLUMN,
        title=escape(f"{parts.banner} – {parts.headline}"),
        blocks="\n".join(html for _, html in blocks),
    )
    return "\n\n".join(wrap(text) for text, _ in blocks if text) + "\n", html


def _blocks(parts: MailParts) -> Iterator[tuple[str, str]]:
    """Yield each block as text and as HTML."""
    if parts.exercise:
        yield f"*** {parts.exercise} ***", _banner(parts.exercise, _EXERCISE_COLOURS)
    yield parts.banner, _banner(parts.banner, _COLOURS[parts.tone])
    place = f'\n<p style="margin:0 0 8px"><strong>{escape(parts.place)}</strong></p>' if parts.place else ""
    heading = f'<h1 style="font-size:22px;line-height:1.3;margin:16px 0 4px">{escape(parts.headline)}</h1>'
    yield "\n".join(filter(None, (parts.headline, parts.place))), heading + place
    facts, action = [_facts(parts)] if parts.facts else [], [_action(parts)] if parts.instruction else []
    yield from (*action, *facts) if parts.action_first else (*facts, *action)
    for text in filter(None, (parts.description, parts.context)):
        yield text, _paragraph(text)
    if parts.pictures:
        alts = [f"[{alt}]" for alt in parts.pictures]
        yield "\n".join(alts), "\n".join(map(_paragraph, alts))
    if parts.link:
        link = f'<p style="margin:12px 0">{_anchor(parts.link, parts.link_label)}</p>'
        yield f"{parts.link_label}{parts.colon}\n{parts.link}", link
    if parts.emergency:
        yield parts.emergency, _paragraph(parts.emergency, _NUMBER)
    if parts.footer:
        style = "border-top:1px solid #808080;margin-top:24px;padding-top:8px;font-size:14px"
        yield f"-- \n{parts.footer}", f'<div role="contentinfo" style="{style}">{_paragraph(parts.footer)}</div>'


def _facts(parts: MailParts) -> tuple[str, str]:
    lines = [(f"{label}{parts.colon}", value) for label, value in parts.facts]
    html = (  # not a table: its columns would be too narrow for a date on a telephone
        f'<p style="margin:2px 0"><strong>{escape(label)}</strong> {escape(value)}</p>' for label, value in lines
    )
    return "\n".join(map(" ".join, lines)), f'<div style="margin:12px 0">{"".join(html)}</div>'


def _action(parts: MailParts) -> tuple[str, str]:
    side = "right" if _direction(parts) == "rtl" else "left"
    html = (
        f'<div style="border-{side}:4px solid {_COLOURS[parts.tone][0]};padding:4px 12px;margin:16px 0">'
        f'<h2 style="font-size:16px;margin:0">{escape(parts.instruction_label)}</h2>'
        f"{_paragraph(parts.instruction)}</div>"
    )
    return f"{parts.instruction_label}{parts.colon}\n{parts.instruction}", html


def _banner(text: str, colours: tuple[str, str]) -> str:
    background, colour = colours
    style = (
        f"background-color:{background};color:{colour};padding:12px 16px;font-size:18px;font-weight:bold;margin:0 0 4px"
    )
    return f'<p style="{style}">{escape(text)}</p>'


def _paragraph(text: str, numbers: re.Pattern[str] | None = None) -> str:
    """Return a paragraph, in which these numbers can be called."""
    html = escape(text).replace(chr(10), "<br>")
    html = numbers.sub(r'<a href="tel:\g<0>" style="color:inherit">\g<0></a>', html) if numbers else html
    return f'<p style="margin:8px 0">{html}</p>'


def _anchor(link: str, label: str) -> str:
    if re.match(r"https?://", link, re.IGNORECASE):
        style = "color:inherit;text-decoration:underline"  # a program's own blue may be hard to read on its own black
        # Readers see where it leads before they follow it.
        return f'<a href="{escape(link)}" style="{style}">{escape(label)}</a> ({escape(host_of(link))})'
    return escape(f"{label} {link}")  # no other scheme may be clicked


def _direction(parts: MailParts) -> str:
    """Return the direction of the first letter: Outlook knows no `dir="auto"`, and no program infers it from `lang`."""
    kinds = map(unicodedata.bidirectional, f"{parts.headline}{parts.banner}")
    return "ltr" if next((kind for kind in kinds if kind in {"L", "R", "AL"}), "L") == "L" else "rtl"
