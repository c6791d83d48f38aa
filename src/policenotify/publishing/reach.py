"""How many people a message reaches on the channels that write to people, what that costs, and the limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter

from pydantic import computed_field

from policenotify.audiences.selection import ChannelAudience, count_people
from policenotify.channel import ChannelConfig
from policenotify.delivery.audience_reader import check_audiences
from policenotify.errors import PolicenotifyError, Unavailable
from policenotify.findings import Finding, audience_too_large, audience_uncounted
from policenotify.journal.records import NewPublication
from policenotify.model.history import RenderedPost, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.status import Problem
from policenotify.publishing.routing import BEGINNINGS
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
        people = Text.counted("{count} person", "{count} people", count=self.people)
        messages = self.people * self.messages
        if self.cost is None and self.messages == 1:
            return Text("It goes to {people}.", people=people)
        cost = "" if self.cost is None else f", {self.cost:.2f} €"
        paid = Text.counted("{count} message", "{count} messages", count=messages)
        return Text("It goes to {people}: {messages} to pay for{cost}.", people=people, messages=paid, cost=cost)

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
) -> Iterator[Reach]:
    """Yield the people whom the posts of a message reach. Reads the audiences of these channels to their end.

    An end, a cancellation and a correction reach the recipients of the earlier messages, who are not counted. An empty
    list is a problem if *had_recipients* returns that its channel had people before.
    """
    messages: dict[str, Counter[str]] = {}
    for post in posts:
        channel = channels[post.target.channel]
        if channel.audiences and message.stage not in _FOLLOWS:
            budget = channel.capabilities.for_severity(message.severity).budget
            texts = (post.alone, *post.continuations)
            count = sum(budget.price(text.text) if budget.price else 1 for text in texts)
            messages.setdefault(channel.name, Counter())[post.target.language] += count
    for name, by_language in messages.items():
        people: Mapping[str, int] = {}
        problem: AnyText = ""
        try:
            check_audiences(channels[name], had_recipients)
            people = count_people(channels[name].audiences, message, tuple(by_language))
        except Unavailable as error:
            problem = error.reason
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a host's own function may fail, and quote an address
            problem = error.text if isinstance(error, PolicenotifyError) else f"{type(error).__name__}."
        for language, count in by_language.items():
            yield Reach(
                channel=name,
                language=language,
                people=people.get(language),
                messages=count,
                price=channels[name].price,
                problem=problem,
            )


def check_limits(
    message: Message,
    posts: Iterable[RenderedPost],
    channels: Mapping[str, ChannelConfig],
    had_recipients: Callable[[str], bool],
) -> Iterator[Finding]:
    """Yield a finding for each channel on which the message would reach more people, or cost more, than it may.

    Only the audiences of channels with a limit are read.
    """
    limited = {name for name, each in channels.items() if each.most_people is not None or each.most_cost is not None}
    chosen = [post for post in posts if post.target.channel in limited]
    for name, group in groupby(find_reach(message, chosen, channels, had_recipients), key=attrgetter("channel")):
        channel, reach = channels[name], list(group)
        people = sum(each.people or 0 for each in reach)
        cost = round(sum(each.cost or 0 for each in reach), 2)
        if reach[0].problem:
            yield audience_uncounted(name, reach[0].problem)
        elif channel.most_people is not None and people > channel.most_people:
            yield audience_too_large(name, f"most_people = {channel.most_people}")
        elif channel.most_cost is not None and cost > channel.most_cost:
            yield audience_too_large(name, f"most_cost = {channel.most_cost:.2f}")


def sentences(reach: Iterable[Reach], channel: str, language: str) -> Iterator[Text]:
    """Yield how many people a message reaches on a channel in a language, in words."""
    return (each.text for each in reach if (each.channel, each.language) == (channel, language))


def course_of(new: NewPublication) -> Text:
    """Return why a message goes to its channels, in sentences. Empty for a beginning that the routes send."""
    follows = new.message.stage not in BEGINNINGS
    by: dict[str, list[str]] = {}
    for target in (*(post.target for post in new.posts), *new.targets):
        if not target.skip and target.channel not in by.setdefault(target.added_by, []):
            by[target.added_by].append(target.channel)
    on = {added_by: Text.join(", ", names) for added_by, names in by.items()}
    sentences = [Text("It goes where its beginning went: {channels}.", channels=on[""])] if follows and "" in on else []
    if "routes" in on:
        sentences.append(Text("The routes add: {channels}.", channels=on["routes"]))
    if "to" in on:
        sentences.append(Text("'to' adds: {channels}.", channels=on["to"]))
    if new.narrowed_to is not None:
        names = Text.join(", ", new.narrowed_to)
        sentences.append(
            Text("Its beginning was only for {channels}, and nothing but 'to' adds others.", channels=names)
            if follows
            else Text("What follows goes only to {channels}, too, unless 'to' adds others.", channels=names)
        )
    return Text.join(" ", sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `publish` would send.

    Attributes:
        message: The message as it would be stored.
        findings: What the checks remark. A blocking finding would keep the message from being sent.
        posts: The posts, on each channel and in each language.
        deletions: The earlier posts that would be deleted.
        blocked: The channels among them that are blocked, so that it would wait there.
        refusals: Where not even the shortest form fits, with the reason in `refused`.
        reach: How many people it reaches on the channels that write to people, if they were counted.
        course: Why it goes to these channels, if it follows something, or the caller named them.
    """

    message: Message
    findings: tuple[Finding, ...] = ()
    posts: tuple[RenderedPost, ...] = ()
    deletions: tuple[Target, ...] = ()
    blocked: Mapping[str, Problem] = field(default_factory=dict)
    refusals: tuple[Target, ...] = ()
    reach: tuple[Reach, ...] = ()
    course: AnyText = ""

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def allowed(self) -> bool:
        """Whether no finding blocks."""
        return not any(finding.blocks for finding in self.findings)
