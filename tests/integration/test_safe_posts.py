"""No network turns typed text into an unintended link or mention."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, StateStore
from policenotify.errors import MessageTooLong
from policenotify.model.history import History, RenderedPost, Target
from policenotify.model.message import Message
from policenotify.render.context import RenderContext
from policenotify.render.locales import LOCALES, PROFILES, Locale
from policenotify.render.places import place_of
from policenotify.render.renderer import render
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.strategies import histories, messages
from policenotify.text import Budget, graphemes
from policenotify.text.links import add_missing_spaces, find_mentions

AT: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
FR: Final = LOCALES["fr"]
EN: Final = LOCALES["en"]


def _never(_clock: Clock, _keep: StateStore) -> Channel:
    raise AssertionError("rendering opens no channel")


def _channel(name: str, capabilities: Capabilities) -> ChannelConfig:
    return ChannelConfig(name=name, network=name, account=name, capabilities=capabilities, open=_never)


SHORT: Final = _channel("bluesky", Capabilities(budget=Budget(300, graphemes, 3000), replies=True, images=4))
MAIL: Final = _channel("mail", Capabilities(budget=Budget(50_000), title=True, html=True, replies=True, images=10))


def _render(message: Message, channel: ChannelConfig = SHORT, history: History | None = None) -> RenderedPost:
    return render(
        _scene(message, history=history),
        Target(channel=channel.name, account=channel.account, language="fr"),
        channel=channel,
        key="0" * 64,
    )


def _message(**fields: Any) -> Message:
    accident = {"category": "traffic_accident", "lifecycle": {"stage": "opening", "incident": "i1"}, "headline": "Choc"}
    return Message.model_validate({**accident, **fields})


def _scene(
    message: Message, words: Locale = FR, mentions: frozenset[str] = frozenset(), history: History | None = None
) -> RenderContext:
    return RenderContext(
        message=message,
        language=words.language,
        locale=words,
        profile=PROFILES[message.category],
        now=AT,
        zone=PARIS,
        history=history or History(),
        sender=SENDER,
        mentions=mentions,
    )


def test_a_channel_mentions_its_own_accounts_and_no_other_channels() -> None:
    scene = _scene(_message(headline="Avec @SDIS34 et @SDIS51"))
    capabilities = Capabilities(budget=Budget(300, graphemes))
    told = {}
    for mentions in (frozenset[str](), frozenset({"sdis34"}), frozenset({"SDIS34", "SDIS51"})):
        channel = _channel("short", capabilities).model_copy(update={"mentions": mentions})
        leg = Target(channel=channel.name, account=channel.account, language="fr")
        post = render(scene, leg, channel=channel, key="0" * 64).standalone
        told[post.text] = [span.value for span in post.spans if span.kind == "mention"]
    assert told == {
        "🚨 [#Accident – EN COURS] Avec SDIS34 et SDIS51.": [],
        "🚨 [#Accident – EN COURS] Avec @SDIS34 et SDIS51.": ["SDIS34"],
        "🚨 [#Accident – EN COURS] Avec @SDIS34 et @SDIS51.": ["SDIS34", "SDIS51"],
    }


@given(st.data())
def test_no_post_contains_an_unintended_link_or_mention(data: st.DataObject) -> None:
    message = data.draw(messages(link=None))
    history = data.draw(histories(message, (SHORT,)))
    try:
        wording = _render(message, SHORT, history)
    except MessageTooLong:
        return
    for post in (wording.standalone, *wording.continuations):
        assert not post.text.lstrip().startswith(("@", "＠"))
        assert not set(post.text) & {"\ufffe", "\uffff"}
        assert find_mentions(post.text) == ()
        assert add_missing_spaces(post.text) == post.text


def test_a_place_holds_no_links() -> None:
    place = _message(
        location={
            "commune_name": "Lattes",
            "department_name": "Hérault",
            "district": "Maurin.La gare",
            "road": {"road": "A9", "exit": "sortie 31.Au sud", "direction": "Lyon.Me"},
        }
    ).location
    assert place_of(place, FR).one_line() == "Lattes, Maurin. La gare, A9, sortie 31. Au sud, en direction de Lyon. Me"
