from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policenotify.audiences.model import Subscriber
from policenotify.channel import ChannelConfig, Post
from policenotify.model.history import RenderedPost, Target
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message, Translation
from policenotify.networks.registry import configure_channel
from policenotify.publishing.reach import Reach, check_limits, find_reach
from tests.support.audiences import listed

MESSAGE = Message(
    category="fire",
    headline="Feu de forêt",
    lifecycle=Lifecycle(stage=Stage.OPENING, incident="i1"),
    translations=(Translation(language="en", headline="Fire"),),
)
URL = "octopush://POLICE34:desk@police.example/s3cret/{recipient}"
NUMBERS = ("+33639980001", "+33639980002", "+33639980003")


def channel(people: Callable[[], Iterable[str]] = lambda: NUMBERS, **settings: Any) -> ChannelConfig:
    audiences = listed("sms", people)
    return configure_channel("sms", "sms", {"url": URL}, audiences=audiences, languages=("fr", "en"), **settings)


def never(_name: str) -> bool:
    return False


def post(language: str, *texts: str, name: str = "sms") -> RenderedPost:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    posts = [
        Post(
            key="0" * 64, account="POLICE34", text=text, language=language, stage=Stage.OPENING, category="fire",
            created_at=at,
        )
        for text in texts
    ]  # fmt: skip
    target = Target(channel=name, account="POLICE34", language=language)
    return RenderedPost(target=target, standalone=posts[0], continuations=tuple(posts[1:]))


def test_segments_people_and_cost() -> None:
    posts = [post("fr", "a" * 200, "b"), post("en", "c")]
    french, english = find_reach(MESSAGE, posts, {"sms": channel(price=0.04)}, never)
    assert french == Reach(channel="sms", language="fr", people=3, messages=3, price=0.04)
    assert french.cost == 0.36
    assert (english.people, english.messages, english.cost) == (0, 1, 0.0)


@pytest.mark.parametrize("stage", [Stage.END, Stage.UPDATE])
def test_what_ends_an_incident_is_not_counted(stage: Stage) -> None:
    message = MESSAGE.model_copy(update={"lifecycle": Lifecycle(stage=stage, incident="i1")})
    channels = {"sms": channel(most_people=1)}
    follows = stage is Stage.END
    assert bool(list(find_reach(message, [post("fr", "a")], channels, never))) is not follows
    assert bool(list(check_limits(message, [post("fr", "a")], channels, never))) is not follows


@pytest.mark.parametrize("error", [OSError("+33639980001"), SystemExit("+33639980001")])
def test_a_list_that_fails_quotes_no_address(error: BaseException) -> None:
    def people() -> Iterable[str]:
        raise error

    channels = {"sms": channel(people, most_people=1)}
    [reach] = find_reach(MESSAGE, [post("fr", "a")], channels, never)
    assert (reach.people, reach.cost, str(reach.problem)) == (
        None,
        None,
        f"The list of recipients of 'sms' cannot be read: audiences.sms: the function failed: {type(error).__name__}.",
    )
    [finding] = check_limits(MESSAGE, [post("fr", "a")], channels, never)
    assert (finding.code, finding.blocks) == ("PN604", False)
    assert "+336" not in f"{finding} {reach}"


def test_only_lists_with_a_limit_are_read_for_it() -> None:
    read = []

    def people() -> Iterable[str]:
        read.append(1)
        return NUMBERS

    assert not list(check_limits(MESSAGE, [post("fr", "a")], {"sms": channel(people)}, never))
    assert not read


class Counted:
    """An audience of people by their languages."""

    def __init__(self, *languages: str) -> None:
        self.name, self.languages = "app", languages

    def revision(self) -> str:
        return "1"

    def rows(self, *, start: int = 0) -> Iterator[Subscriber]:
        for position, language in enumerate(self.languages[start:], start):
            yield Subscriber(position=position, address=f"+336399{position:05}", language=language)


def limited(audience: Counted, **limits: Any) -> dict[str, ChannelConfig]:
    return {"sms": channel().model_copy(update={"audiences": (audience,), **limits})}


@given(
    languages=st.lists(st.sampled_from(["fr", "en", ""]), max_size=8),
    price=st.sampled_from([None, 0.02, 0.1, 1 / 3]),
    people=st.one_of(st.none(), st.integers(1, 8)),
    cost=st.sampled_from([None, 0.02, 0.3, 0.4, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_a_limit_is_passed_exactly_if_the_whole_list_passes_it(
    languages: list[str], price: float | None, people: int | None, cost: float | None
) -> None:
    posts, limits = [post("fr", "a" * 200), post("en", "b")], {"price": price, "most_people": people, "most_cost": cost}
    audience = Counted(*languages)
    english = languages.count("en")
    money = Decimal(str(price or 0)) * (2 * (len(languages) - english) + english)
    passed = (people is not None and len(languages) > people) or (cost is not None and money > Decimal(str(cost)))
    assert len(list(check_limits(MESSAGE, posts, limited(audience, **limits), never))) == passed
