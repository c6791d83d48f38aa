"""Items of a feed, as the renderer makes them from the samples or as a test puts them together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from policenotify.channel import Capabilities, ChannelConfig, Picture, PostRef
from policenotify.formats.drawing import FORMATS
from policenotify.formats.feed import Feed, Site
from policenotify.formats.item import Item
from policenotify.model.history import History, Target
from policenotify.model.message import Message
from policenotify.render.context import RenderContext
from policenotify.render.locales import LOCALES, PROFILES
from policenotify.render.places import place_of
from policenotify.render.renderer import public_message, render
from policenotify.testing.samples import PARIS, SAMPLES, SENDER
from policenotify.text import Budget

NOW = datetime(2026, 6, 5, 16, 0, tzinfo=UTC)
THREAD = "0123456789abcdef"
SITE = Site(
    url="https://alerte.police34.example/",
    title="Alertes de la police de l'Hérault",
    publisher=SENDER,
    language="fr",
    zone=PARIS,
    locales=LOCALES,
    formats=frozenset(FORMATS),
)
_CHANNEL = ChannelConfig(
    name="feed",
    network="feed",
    account="feed",
    capabilities=Capabilities(budget=Budget(20_000), structured=True, replies=True, images=10),
    open=lambda *_: None,
)


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def make_item(
    message: Message,
    *,
    name: str = "first",
    at: datetime = NOW,
    thread: str = THREAD,
    answers: Item | None = None,
    **fields: Any,
) -> Item:
    """Return an item with the words of the message as its text."""
    public = public_message(message, thread=thread, label="Police")
    given = {"title": public.headline, "text": "\n\n".join(filter(None, (public.headline, public.description)))}
    return Item(
        key=digest(name),
        thread=thread,
        answers=answers.id if answers else None,
        language=public.language,
        published_at=at,
        sender=SENDER,
        place=place_of(public.location, LOCALES["fr"]).full(),
        message=public,
        **{**given, **fields},
    )


def make_feed(*items: Item, now: datetime | None = None, site: Site = SITE) -> Feed:
    """Return a feed that is drawn an hour after its last item."""
    last = max((item.published_at for item in items), default=NOW)
    return Feed(site, items, now=now or last + timedelta(hours=1))


def sample_items(*names: str, changes: dict[str, Any] | None = None, pictures: Iterable[Picture] = ()) -> list[Item]:
    """Return the items of samples, in the renderer's words.

    Args:
        names: The names of the samples.
        changes: Other values of their messages.
        pictures: Pictures of the first one.
    """
    samples = sorted((each for each in SAMPLES if each.id in names), key=lambda each: each.at)
    threads: dict[str, list[PostRef]] = {}
    items: list[Item] = []
    for sample in samples:
        incident = sample.message.incident or sample.id
        earlier = threads.setdefault(incident, [])
        message = sample.resolved.model_copy(update=changes or {})
        context = RenderContext(
            message=message,
            language=message.language,
            locale=LOCALES[message.language],
            profile=PROFILES[message.category],
            now=sample.at,
            zone=PARIS,
            sender=SENDER,
            history=sample.history if earlier else History(),
            thread=digest(incident)[:16],
            pictures=tuple(pictures) if not items else (),
        )
        target = Target(channel="feed", account="feed", language=message.language)
        post = render(context, target, channel=_CHANNEL, key=digest(sample.id)).standalone
        items.append(Item.of(post, tuple(earlier), account="feed"))
        earlier.append(PostRef(account="feed", id=items[-1].id))
    return items
