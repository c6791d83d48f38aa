"""CAP alerts: those of other services, and those of our feed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import ParseError, fromstring, tostring

from hypothesis import strategies as st

from policenotify.formats.cap.reader import MAX_BYTES, NAMESPACE
from policenotify.formats.feed import Thread
from policenotify.formats.item import Item
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.post import EventInfo
from policenotify.render.locales import PROFILES
from policenotify.testing.strategies import messages
from tests.support.feed_items import NOW, SITE, THREAD, make_item

CORPUS = Path(__file__).parent.parent / "corpus" / "cap"
SCHEMAS = (CORPUS / "schema" / "CAP-v1.2.xsd", CORPUS / "schema" / "cap12_extended.xsd")
SENDER = "alerte@police34.example"
ALERT_SITE = replace(SITE, cap_sender=SENDER)
VIGILANCE = CORPUS / "kde-multi-area.xml"
BOMB = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><alert xmlns="' + NAMESPACE.encode() + b'">&d;</alert>'


def with_info(*parts: str, **texts: str) -> str:
    """Return the alert of Météo-France with one part only, in French, and other texts in it.

    Args:
        parts: Elements that stand in place of all of their names.
        texts: The texts of other elements. An empty one leaves the element out.
    """
    start, _, rest = VIGILANCE.read_text("utf-8").partition("<info>")
    own = rest.partition("</info>")[0]
    for name in (*texts, *(re.match(r"<(\w+)", part)[1] for part in parts if part)):  # type: ignore[index]  # elements
        own = re.sub(rf"<{name}>.*?</{name}>", "", own, flags=re.DOTALL)
    written = (f"<{name}>{text}</{name}>" for name, text in texts.items() if text)
    return f"{start}<info>{own}{''.join((*written, *parts))}</info></alert>"


def foreign_alerts() -> Iterator[tuple[str, bytes]]:
    """Yield every alert in the corpus, also in an envelope, with its name, and each file that cannot be parsed."""
    for file in sorted(CORPUS.glob("*.*")):
        if file.suffix == ".md":
            continue
        content = file.read_bytes()
        try:
            top = None if b"<!doctype" in content.lower() or len(content) >= MAX_BYTES else fromstring(content)  # noqa: S314 - our own files
        except (ParseError, ValueError, LookupError):
            top = None
        if top is None:
            yield file.name, content
            continue
        within = [top] if top.tag.endswith("}alert") else [each for each in top.iter() if each.tag.endswith("}alert")]
        for number, element in enumerate(within):
            yield f"{file.name}#{number}", tostring(element)


def event_of(category: str) -> EventInfo:
    """Return what a shipped category means, as the renderer has it."""
    profile = PROFILES[category]
    return EventInfo(
        labels={language: profile.label(language) for language in ("fr", "en")},
        categories=profile.cap_categories,
        code=profile.event_code,
        responses=profile.response_types,
        lifetime=profile.lifetime,
    )


def alert_item(message: Message, *, name: str = "first", at: datetime = NOW) -> Item:
    """Return the item of a message that may have an alert."""
    return make_item(message, name=name, at=at, event=event_of(message.category))


def stages(message: Message, *order: Stage) -> Thread:
    """Return a thread of one message in several stages, ten minutes apart."""
    items = []
    for number, stage in enumerate(order):
        corrects = "0" * 26 if stage is Stage.CORRECTION else None
        lifecycle = Lifecycle(stage=stage, incident=THREAD, corrects=corrects)
        changed = message.model_copy(update={"lifecycle": lifecycle})
        items.append(alert_item(changed, name=f"{stage}{number}", at=NOW + timedelta(minutes=10 * number)))
    return Thread(THREAD, tuple(items))


@st.composite
def threads(draw: st.DrawFn) -> Thread:
    """Generate incidents of generated messages, in legal orders."""
    later = st.lists(st.sampled_from((Stage.UPDATE, Stage.CORRECTION)), max_size=3)
    final = draw(st.sampled_from(((), (Stage.END,), (Stage.CANCELLATION,))))
    return stages(draw(messages(exercise=False)), Stage.OPENING, *draw(later), *final)
