"""Mails: their subject, and their layout as plain text and as HTML.

The HTML loads nothing from outside: no image, font or script, so that opening it notifies no server. It keeps the
reader's own colours, light or dark, except in the banner, whose pairs of colours have the contrast of WCAG 2.2,
success criterion 1.4.3 (AA: 4.5 to 1). No colour carries information that the text lacks (1.4.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from policenotify.channel import Picture
from policenotify.model.lifecycle import Stage
from policenotify.model.locale import Locale
from policenotify.render.context import RenderContext
from policenotify.render.sentences import upper_first
from policenotify.text.comparison import contains_words
from policenotify.text.links import host_of
from policenotify.text.wrap import wrap

# Background and text. How urgent a mail looks (ISO 22324): red for danger, yellow for caution, green for safe, neutral
# for the rest.
_ACT: Final = ("#a3001b", "#ffffff")
_CAUTION: Final = ("#ffd23f", "#1a1a1a")
_CLEAR: Final = ("#1b6b34", "#ffffff")
_INFO: Final = ("#24405e", "#ffffff")
_EXERCISE: Final = ("#4a2a7a", "#ffffff")
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


def subject(context: RenderContext, *, lasting: bool = False) -> str:
    """Return the subject: category, stage, place and headline of this message.

    `[Accident – EN COURS] Montpellier, avenue de Toulouse – Accident de la circulation`. Mailboxes keep an incident
    together by `References`, so the subject may change with the stage. A locked screen shows it, so a discreet
    category leaves the headline out. A cancellation names category and place only. A *lasting* one stays true: an
    opening is not marked as under way.
    """
    heading = context.label if lasting and context.is_opening else context.heading(context.label)
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


def render_mail(context: RenderContext, pictures: Sequence[Picture], *, standalone: bool) -> tuple[str, str]:
    """Return the text, in lines of 72 columns where words allow, and the HTML page."""
    blocks = list(_blocks(context, pictures, standalone=standalone))
    html = _PAGE.format(
        language=escape(context.language),
        direction=_direction(context),
        column=_COLUMN,
        title=escape(f"{context.heading(context.label)} – {context.locale.typeset(context.headline)}"),
        blocks="\n".join(html for _, html in blocks),
    )
    return "\n\n".join(wrap(text) for text, _ in blocks) + "\n", html


def _blocks(context: RenderContext, pictures: Sequence[Picture], *, standalone: bool) -> Iterator[tuple[str, str]]:
    """Yield each block as text and as HTML, in the order of reading."""
    locale, message = context.locale, context.message
    typeset, banner = locale.typeset, context.heading(context.label)
    if message.exercise:
        yield f"*** {locale.exercise_notice} ***", _banner(locale.exercise_notice, _EXERCISE)
    yield banner, _banner(banner, _colours(context))
    headline, place = typeset(context.headline), typeset(context.place.full())
    heading = f'<h1 style="font-size:22px;line-height:1.3;margin:16px 0 4px">{escape(headline)}</h1>'
    where = f'\n<p style="margin:0 0 8px"><strong>{escape(place)}</strong></p>' if place else ""
    yield "\n".join(filter(None, (headline, place))), heading + where
    action = [_action(context)] if context.typed_instruction else []
    yield from (*action, _facts(context)) if context.is_severe else (_facts(context), *action)
    reference = context.back_reference if standalone else ""
    for text in map(typeset, filter(None, (context.typed_description, reference))):
        yield text, _paragraph(text)
    if pictures:
        alts = [f"[{picture.alt}]" for picture in pictures]
        yield "\n".join(alts), "\n".join(map(_paragraph, alts))
    if link := message.link:
        html = f'<p style="margin:12px 0">{_anchor(link, locale.mail_link)}</p>'
        yield f"{locale.mail_link}{_colon(locale)}\n{link}", html
    emergency = typeset(locale.mail_emergency)
    yield emergency, _paragraph(emergency, _NUMBER)
    footer = typeset(locale.mail_footer.format(sender=context.signature))
    style = "border-top:1px solid #808080;margin-top:24px;padding-top:8px;font-size:14px"
    yield f"-- \n{footer}", f'<div role="contentinfo" style="{style}">{_paragraph(footer)}</div>'


def _colours(context: RenderContext) -> tuple[str, str]:
    if context.message.stage is Stage.END:
        return _CLEAR
    if context.message.stage is Stage.CANCELLATION or not context.of_incident:
        return _INFO
    return _ACT if context.is_severe else _CAUTION


def _colon(locale: Locale) -> str:
    """Return what stands behind a label. French puts a no-break space before it."""
    return locale.typeset(locale.colon).rstrip()


def _facts(context: RenderContext) -> tuple[str, str]:
    locale = context.locale
    sources = ((locale.mail_source, context.source),) if context.source else ()
    facts = (*context.times.facts(), *sources)
    lines = [(f"{label}{_colon(locale)}", locale.typeset(value)) for label, value in facts]
    html = (  # not a table: its columns would be too narrow for a date on a telephone
        f'<p style="margin:2px 0"><strong>{escape(label)}</strong> {escape(value)}</p>' for label, value in lines
    )
    return "\n".join(map(" ".join, lines)), f'<div style="margin:12px 0">{"".join(html)}</div>'


def _action(context: RenderContext) -> tuple[str, str]:
    locale, instruction = context.locale, context.locale.typeset(context.typed_instruction)
    label = locale.mail_now if context.message.stage is Stage.END else locale.mail_action
    side = "right" if _direction(context) == "rtl" else "left"
    html = (
        f'<div style="border-{side}:4px solid {_colours(context)[0]};padding:4px 12px;margin:16px 0">'
        f'<h2 style="font-size:16px;margin:0">{escape(label)}</h2>'
        f"{_paragraph(instruction)}</div>"
    )
    return f"{label}{_colon(locale)}\n{instruction}", html


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


def _direction(context: RenderContext) -> str:
    """Return the direction of the first letter: Outlook knows no `dir="auto"`, and no program infers it from `lang`."""
    kinds = map(unicodedata.bidirectional, f"{context.headline}{context.label}")
    return "ltr" if next((kind for kind in kinds if kind in {"L", "R", "AL"}), "L") == "L" else "rtl"
