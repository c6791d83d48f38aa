"""Messages as they read on a short network, in a text message and in a mail."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, StateStore
from policenotify.model.history import History, RenderedPost, Target
from policenotify.model.message import Message
from policenotify.render.context import RenderContext
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, Locale
from policenotify.render.renderer import render
from policenotify.testing.samples import ACCOUNTS, PARIS, SENDER
from policenotify.text import Budget, graphemes

KEY: Final = "0" * 64
AT: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)


def _never(_clock: Clock, _keep: StateStore) -> Channel:
    raise AssertionError("rendering opens no channel")


def channel_with(name: str, capabilities: Capabilities) -> ChannelConfig:
    """Return a channel with these capabilities."""
    return ChannelConfig(
        name=name, network=name, account=ACCOUNTS.get(name, name), capabilities=capabilities, open=_never
    )


BLUESKY: Final = channel_with("bluesky", Capabilities(budget=Budget(300, graphemes, 3000), replies=True, images=4))
PHONE: Final = channel_with("phone", Capabilities(budget=Budget(459), recipients=True, hashtags=False))
MAIL: Final = channel_with("mail", Capabilities(budget=Budget(50_000), title=True, html=True, replies=True, images=10))


def accident(stage: str = "opening", **fields: Any) -> Message:
    """Return a message about an accident."""
    lifecycle = {"stage": stage} if stage == "standalone" else {"stage": stage, "incident": "i1"}
    if stage == "correction":
        lifecycle["corrects"] = "0" * 26
    usual = {
        "category": "traffic_accident",
        "severity": "Moderate",
        "lifecycle": lifecycle,
        "headline": "Accident de la circulation",
        "location": {"commune": "34172", "commune_name": "Montpellier", "street": "avenue de Toulouse"},
        "instruction": "Évitez le secteur.",
    }
    return Message.model_validate({**usual, **fields})


def render_post(
    message: Message,
    channel: ChannelConfig = BLUESKY,
    *,
    history: History | None = None,
    at: datetime = AT,
    language: str = "fr",
    locale: Locale | None = None,
    profile: CategoryProfile | None = None,
    **more: Any,
) -> RenderedPost:
    """Return the wording of a message on a channel. What else the context has is named."""
    history = history or History()
    answers = tuple(entry.publication for entry in history.entries) if channel.capabilities.replies else ()
    return render(
        RenderContext(
            message=message,
            language=language,
            locale=locale or LOCALES[language],
            profile=profile or PROFILES[message.category],
            now=at,
            history=history,
            **{"zone": PARIS, "sender": SENDER, **more},
        ),
        Target(channel=channel.name, account=channel.account, language=language, reply_to=answers),
        channel=channel,
        key=KEY,
    )


def text_of(stage: str = "opening", profile: CategoryProfile | None = None, **fields: Any) -> str:
    """Return the text of a message about an accident on the short network."""
    return render_post(accident(stage, **fields), profile=profile).standalone.text
