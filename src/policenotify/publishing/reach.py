"""How many people a message reaches on the channels that write to people, what that costs, and the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from functools import partial

from pydantic import computed_field

from policenotify.audiences.addresses import ChannelAudience
from policenotify.audiences.summary import count_people, most_rows
from policenotify.channel import ChannelConfig
from policenotify.delivery.audience_reader import check_audiences
from policenotify.errors import PolicenotifyError, Unavailable
from policenotify.findings import Finding, audience_too_large, audience_uncounted
from policenotify.model.history import RenderedPost, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render.locales import CategoryProfile
from policenotify.translation import AnyText, Text

_FOLLOWS = frozenset({Stage.END, Stage.CANCELLATION, Stage.CORRECTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The people whom a message reaches on one channel in one language.

    Attributes:
        channel: The name of the channel.
        language: The language.
        people: How many of the audiences the message concerns. Who receives it on another channel of the network, or
            is suppressed, is counted. `None` if the audiences cannot be read.
        messages: The messages to each person: the segments of an SMS, and one for a mail.
        price: What a message costs, in euros, if the channel has a price.
        problem: Why no people were counted. Empty if they were.
    """

    channel: str
    language: str
    people: int | None
    messages: int
    price: float | None = None
    problem: AnyText = ""

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def cost(self) -> float | None:
        """What all messages cost, in euros. `None` if the channel has no price, or no people were counted."""
        if self.price is None or self.people is None:
            return None
        return round(self.people * self.messages * self.price, 2)

    @property
    def text(self) -> Text:
        """The figures in one or two sentences."""
        if self.people is None:
            return Text("Its people cannot be counted. {problem}", problem=self.problem)
        messages = self.people * self.messages
        people = Text.counted("{count} person", "{count} people", count=self.people)
        if self.cost is not None:
            return Text(
                "It goes to {people}: {messages} to pay for, {cost:.2f} €.",
                people=people,
                messages=Text.counted("{count} message", "{count} messages", count=messages),
                cost=self.cost,
            )
        if self.messages > 1:
            return Text(
                "It goes to {people}: {messages} to pay for.",
                people=people,
                messages=Text.counted("{count} message", "{count} messages", count=messages),
            )
        return Text("It goes to {people}.", people=people)

    def __str__(self) -> str:
        return str(self.text)


def with_consent(channel: ChannelConfig, profiles: Mapping[str, CategoryProfile]) -> ChannelConfig:
    """Return a channel that sends messages of some categories only to people who consented to them."""
    needed = frozenset(code for code, profile in profiles.items() if profile.needs_consent)
    audiences = tuple(
        replace(audience, consent_for=needed) if isinstance(audience, ChannelAudience) else audience
        for audience in channel.audiences
    )
    return channel.model_copy(update={"audiences": audiences}) if audiences else channel


def find_reach(
    message: Message,
    posts: Iterable[RenderedPost],
    channels: Mapping[str, ChannelConfig],
    had_recipients: Callable[[str], bool],
) -> tuple[Reach, ...]:
    """Return the people whom the posts of a message reach. Reads the audiences of these channels to their end.

    An end, a cancellation and a correction reach the recipients of the earlier messages, who are not counted.

    Args:
        message: The resolved message.
        posts: Its posts.
        channels: The channels, by name.
        had_recipients: Returns whether a channel had people before, so that an empty list is a problem.
    """
    return tuple(
        reach
        for name, messages in _messages(message, posts, channels).items()
        for reach in _on_channel(channels[name], message, messages, had_recipients)
    )


def _messages(
    message: Message, posts: Iterable[RenderedPost], channels: Mapping[str, ChannelConfig]
) -> dict[str, dict[str, int]]:
    """Return how many messages each person gets, by channel and language."""
    by_channel: dict[str, dict[str, int]] = {}
    for post in posts:
        channel = channels[post.target.channel]
        if channel.audiences and message.stage not in _FOLLOWS:
            budget = channel.capabilities.for_severity(message.severity).budget
            texts = (post.alone, *post.continuations)
            messages = sum(budget.price(text.text) if budget.price else 1 for text in texts)
            languages = by_channel.setdefault(channel.name, {})
            languages[post.target.language] = languages.get(post.target.language, 0) + messages
    return by_channel


def _on_channel(
    channel: ChannelConfig, message: Message, messages: Mapping[str, int], had_recipients: Callable[[str], bool]
) -> Iterator[Reach]:
    people, problem = _counted(
        channel, had_recipients, lambda: count_people(channel.audiences, message, tuple(messages))
    )
    for language, count in messages.items():
        yield Reach(
            channel=channel.name,
            language=language,
            people=people.get(language),
            messages=count,
            price=channel.price,
            problem=problem,
        )


def _counted(
    channel: ChannelConfig, had_recipients: Callable[[str], bool], count: Callable[[], Mapping[str, int]]
) -> tuple[Mapping[str, int], AnyText]:
    """Return what *count* returns, and no problem, or no people, and why the audiences cannot be read."""
    try:
        check_audiences(channel, had_recipients)
        return count(), ""
    except Unavailable as error:
        return {}, error.reason
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
        return {}, error.text if isinstance(error, PolicenotifyError) else f"{type(error).__name__}."


def sentences(reach: Iterable[Reach], channel: str, language: str) -> Iterator[Text]:
    """Yield how many people a message reaches on a channel in a language, in words."""
    return (each.text for each in reach if (each.channel, each.language) == (channel, language))


def check_limits(
    message: Message,
    posts: Sequence[RenderedPost],
    channels: Mapping[str, ChannelConfig],
    had_recipients: Callable[[str], bool],
) -> Iterator[Finding]:
    """Yield a finding for each channel on which the message would reach more people, or cost more, than it may.

    Only the audiences of channels with a limit are read, and only if they have more rows than the limit allows. Reading
    ends with the first person beyond it.
    """
    limited = {
        name: channel
        for name, channel in channels.items()
        if channel.most_people is not None or channel.most_cost is not None
    }
    limited_posts = [post for post in posts if post.target.channel in limited]
    for name, messages in _messages(message, limited_posts, limited).items():
        limit = _Limit(limited[name], messages)
        people, problem = _counted(limited[name], had_recipients, partial(limit.count, message))
        if problem:
            yield audience_uncounted(name, problem)
        elif limit.people_left(people) < 0:
            yield audience_too_large(name, most_people=limited[name].most_people)
        elif limit.cost_left(people) < 0:
            yield audience_too_large(name, most_cost=limited[name].most_cost)


class _Limit:
    """The limits of a channel for a publication with so many messages to each person, by language."""

    def __init__(self, channel: ChannelConfig, messages: Mapping[str, int]) -> None:
        self._channel, self._messages = channel, messages
        price = Decimal(str(channel.price or 0))  # exact, so that 3 × 0.10 is not more than 0.30
        self._prices = {language: count * price for language, count in messages.items()}

    def people_left(self, people: Mapping[str, int]) -> Decimal:
        """Return how many more people it may reach."""
        most = self._channel.most_people
        return Decimal("Infinity" if most is None else most) - sum(people.values())

    def cost_left(self, people: Mapping[str, int]) -> Decimal:
        """Return how many more euros it may cost."""
        most = self._channel.most_cost
        cost = sum(count * self._prices[language] for language, count in people.items())
        return Decimal("Infinity" if most is None else str(most)) - cost

    def allows(self, people: Mapping[str, int], language: str) -> float:
        """Return how many people may get it in a language, besides some in others."""
        price = self._prices[language]
        by_cost = self.cost_left(people) / price if price else Decimal("Infinity")
        return float(min(self.people_left(people), by_cost.to_integral_value(ROUND_FLOOR)))

    def count(self, message: Message) -> Mapping[str, int]:
        """Return how many people get it, up to the first beyond a limit. Empty if the rows are no more than it."""
        rows = most_rows(self._channel.audiences)
        if rows is not None and all(rows <= self.allows({}, language) for language in self._messages):
            return {}
        return count_people(self._channel.audiences, message, tuple(self._messages), most=self.allows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `publish` would send.

    Attributes:
        message: The message as it would be stored.
        findings: What the checks remark. A blocking finding would keep the message from being sent.
        posts: The posts, on each channel and in each language.
        deletions: The earlier posts that would be deleted.
        pending: Where the message would wait, with the channel's `problem` and its `remedy`.
        refusals: Where not even the shortest form fits, with the reason in `refused`.
        reach: How many people it reaches on the channels that write to people. Their lists are read for it.
    """

    message: Message
    findings: tuple[Finding, ...] = ()
    posts: tuple[RenderedPost, ...] = ()
    deletions: tuple[Target, ...] = ()
    pending: tuple[Target, ...] = ()
    refusals: tuple[Target, ...] = ()
    reach: tuple[Reach, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def allowed(self) -> bool:
        """Whether no finding blocks."""
        return not any(finding.blocks for finding in self.findings)
