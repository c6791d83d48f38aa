"""The speed of measuring texts, beside `twitter-text-parser` where it is installed (with setuptools before 80)."""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable

import pytest

from policenotify.text import graphemes, mastodon_length, sms, to_gsm, x_weight
from policenotify.text.links import find_links
from tests.oracles.texts import FRENCH

pytestmark = pytest.mark.benchmark

SAID = [words for words in FRENCH if "." not in words or " " in words]
LINKED = " Infos : https://www.interieur.gouv.fr/actualites/2026/accident-a6 #A6 #Lyon"


def _post(seed: int) -> str:
    """A usual post of about 280 characters: sentences, an emoji or two, a link, hashtags."""
    said = random.Random(seed).choices(SAID, k=24)  # noqa: S311 - the same texts again
    return ". ".join(said)[: 280 - len(LINKED)] + LINKED


POSTS = [_post(seed) for seed in range(300)]


def _per_second(measure: Callable[[str], object], posts: list[str]) -> float:
    """The best of three rounds."""
    rounds = []
    for _ in range(3):
        begun = time.perf_counter()
        for post in posts:
            measure(post)
        rounds.append(len(posts) / (time.perf_counter() - begun))
    return max(rounds)


@pytest.mark.parametrize("measure", [x_weight, find_links, mastodon_length, graphemes, sms, to_gsm])
def test_posts_are_measured_fast(measure: Callable[[str], object]) -> None:
    speed = _per_second(measure, POSTS)
    print(f"{measure.__name__}: {speed:,.0f} posts of 280 characters a second")
    assert speed > 1_000  # a text is made to fit by some dozen measures


def test_posts_are_weighed_25_times_as_fast_as_by_twitter_text_parser() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources
        twitter_text = pytest.importorskip("twitter_text")
    ours = _per_second(x_weight, POSTS)
    theirs = _per_second(twitter_text.parse_tweet, POSTS[:40])
    print(f"x_weight: {ours:,.0f} a second, twitter-text-parser {theirs:,.0f}: {ours / theirs:.0f} times as fast")
    assert ours > 25 * theirs


def test_a_hundred_thousand_characters_are_measured_at_once() -> None:
    for piece in ("a.", "@a", "👨\u200d", "https://a.fr/", "a.fr/("):
        text = piece * (100_000 // len(piece))
        begun = time.perf_counter()
        x_weight(text)
        print(f"x_weight of {piece!r} again and again: {1000 * (time.perf_counter() - begun):.0f} ms for 100,000")
        assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("measure", [graphemes, mastodon_length, to_gsm])
@pytest.mark.parametrize("piece", ["👨\u200d", "e\u0301", "\u0915\u094d"])
def test_a_chain_of_signs_that_join_is_counted_at_once(measure: Callable[[str], object], piece: str) -> None:
    text = piece * (100_000 // len(piece))
    begun = time.perf_counter()
    measure(text)
    print(f"{measure.__name__} of {piece!r} again and again: {1000 * (time.perf_counter() - begun):.0f} ms for 100,000")
    assert time.perf_counter() - begun < 5
