"""The cost of rendering a message for five networks, with the budgets that their channels claim.

The messages are the twenty-six samples. Later ones of an incident are rendered twice: as a reply and standalone.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Sequence

import pytest

from policenotify.channel import ChannelConfig
from policenotify.model.history import RenderedPost, Target
from policenotify.model.message import Message
from policenotify.render.context import RenderContext
from policenotify.render.locales import LOCALES, PROFILES, profile_of
from policenotify.render.renderer import render
from policenotify.testing.samples import PARIS, SAMPLES, SENDER, Sample
from tests.oracles.texts import FRENCH
from tests.support.figures import report
from tests.support.five_networks import NETWORKS, open_five

pytestmark = pytest.mark.benchmark

LINK = "https://www.police.example/actualites/2026/circulation?source=alerte"
_ROUNDS, _WEIGHED = 7, 7  # posts that the parser weighs in each round
SAID = [words for words in FRENCH if "." not in words or " " in words]
LINKED = " Infos : https://www.interieur.gouv.fr/actualites/2026/accident-a6 #A6 #Lyon"
LONG = (
    "La circulation est très difficile dans les deux sens, les secours sont sur place et deux voies sont fermées. "
) * 12


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ChannelConfig]]:
    """A channel on each network, as an installation has it."""
    with open_five(tmp_path_factory.mktemp("five")) as five:
        yield [five.channel(network) for network in NETWORKS]


def _post(seed: int) -> str:
    """A usual post of about 280 characters: sentences, an emoji or two, a link, hashtags."""
    said = random.Random(seed).choices(SAID, k=24)  # noqa: S311 - the same texts again
    return ". ".join(said)[: 280 - len(LINKED)] + LINKED


def _scene(sample: Sample, message: Message) -> RenderContext:
    return RenderContext(
        message=message,
        language="fr",
        locale=LOCALES["fr"],
        profile=profile_of(message.category, PROFILES),
        now=sample.at,
        zone=PARIS,
        sender=SENDER,
        history=sample.history,
        reference="K7QD",
    )


def _worded(scene: RenderContext, channel: ChannelConfig) -> RenderedPost:
    answers = tuple(entry.publication for entry in scene.history.entries) if channel.capabilities.replies else ()
    leg = Target(channel=channel.name, account=channel.account, language="fr", reply_to=answers)
    return render(scene, leg, channel=channel, key="0" * 64)


def _unique(message: Message, number: int) -> Message:
    """Return the message with new texts, so that no cache applies."""
    fields = {name: getattr(message, name) for name in ("headline", "description", "instruction")}
    return message.model_copy(update={name: f"{words} n° {number}" for name, words in fields.items() if words})


def milliseconds(channels: Sequence[ChannelConfig], said: Sequence[tuple[Sample, Message]]) -> dict[str, float]:
    """For each message on each network the best of some rounds; of these the medians, and that of all five together.

    The first network pays for what the others share. *The parser* is how long `twitter-text-parser` takes to weigh one
    post of 280 characters, in the same rounds. The garbage collector is off: a pass takes longer than a wording.
    """
    weigh, posts = _parser(), [_post(seed) for seed in range(_ROUNDS * _WEIGHED)]
    best: dict[tuple[int, str], float] = {}
    weighed: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for turn in range(_ROUNDS):
            for number, (sample, message) in enumerate(said):
                scene = _scene(sample, _unique(message, 100 * turn + number))
                for channel in channels:
                    took = _took(_worded, scene, channel)
                    place = (number, channel.name)
                    best[place] = min(took, best.get(place, took))
            weighed += [_took(weigh, post) for post in posts[_WEIGHED * turn : _WEIGHED * (turn + 1)]]
    finally:
        gc.enable()
    figures = {
        channel.name: statistics.median(best[number, channel.name] for number in range(len(said)))
        for channel in channels
    }
    whole = [sum(best[number, channel.name] for channel in channels) for number in range(len(said))]
    parser = statistics.quantiles(weighed, n=10)[0]
    return figures | {"all five": statistics.median(whole), "the parser": parser}


def _took(function: Callable[..., object], *args: object) -> float:
    """Return the processor time of a call, in milliseconds."""
    begun = time.thread_time()
    function(*args)
    return 1000 * (time.thread_time() - begun)


def _parser() -> Callable[[str], object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources
        parse: Callable[[str], object] = pytest.importorskip("twitter_text").parse_tweet
    return parse


def test_messages_are_worded_for_five_networks_at_once(channels: list[ChannelConfig]) -> None:
    """One message on five networks, beside one post that a library only weighs."""
    for what, fields, most in (
        ("as the desk writes them", {}, 1.3),
        ("with a link", {"link": LINK}, 2.5),
        ("far too long", {"description": LONG, "link": LINK}, 12),
    ):
        said = [(sample, sample.resolved.model_copy(update=fields)) for sample in SAMPLES]
        figures = milliseconds(channels, said)
        ours, parser = figures["all five"], figures["the parser"]
        print(f"\n{what}: " + ", ".join(f"{name} {took:.2f} ms" for name, took in figures.items()))
        assert ours < most * parser
        if not fields:
            report(
                "words of a message, five networks",
                ours / parser,
                f"{ours:.2f} ms",
                f"{parser:.2f} ms, one post weighed by twitter-text-parser",
            )


def test_messages_leave_nothing_behind(channels: list[ChannelConfig]) -> None:
    """Rendered once, the memory has what is kept for later; rendered again, it has no more."""
    first = [(sample, sample.resolved) for sample in SAMPLES]

    def memory_after(round_: int) -> int:
        for number in range(300):
            sample, message = first[number % len(first)]
            scene = _scene(sample, _unique(message, 10_000 * round_ + number))
            for channel in channels:
                _worded(scene, channel)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        once, twice = memory_after(1), memory_after(2)
    finally:
        tracemalloc.stop()
    print(f"\nkept after 300 messages {once / 1024:.0f} KiB, after 300 others {twice / 1024:.0f} KiB")
    assert twice - once < 256 * 1024  # a kilobyte kept of each wording would be 1.5 megabytes
