"""Time grows with the length of a text and no faster, for any text.

A piece is repeated up to 10,000 characters, and up to four times as many. Linear growth then takes four times as long,
quadratic growth sixteen times.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from policenotify.text import mastodon_length, sms, to_gsm, x_weight
from policenotify.text.french import set_no_break_spaces
from policenotify.text.house_numbers import remove_house_numbers
from policenotify.text.links import add_missing_spaces, find_links
from policenotify.text.wrap import wrap

pytestmark = pytest.mark.benchmark

SHORT, TIMES, MOST = 10_000, 4, 10
NOISE = 0.005  # seconds: less than that is not measured


def _x(text: str) -> None:
    x_weight(f"{text} a.fr")


def _mastodon(text: str) -> None:
    mastodon_length(f"https://a.fr/{text}")


def _sms(text: str) -> None:
    sms(f"ê{text}🚨x")
    to_gsm(f"ê{text}🚨x")


def _spans(text: str) -> None:
    find_links(text, frozenset({"a"}))
    find_links(f"https://a.fr/{text}")


def _spaces(text: str) -> None:
    set_no_break_spaces(f"https://a.fr/{text} !")


def _house_numbers(text: str) -> None:
    remove_house_numbers(f"12{text}x rue Foch")


PIECES: dict[Callable[[str], object], tuple[str, ...]] = {
    _x: (
        *("a.", "@a", "👨\u200d", "a.fr/(", "https://a.fr/", "a_.b", "é.fr", "a.fr ", "#", "#a", "$a ", "rt", "://"),
        *("a.f-", "a.kids ", "中.", "xn--.", "?", "a.fr/((", "«", "1\u20e3", ".", "_", "a.fr?", "🇫", "e\u0301"),
        *("https://a.fr ", "https://a-", "https://a.fr/a.", "🚨", "\ud83d"),
    ),
    _house_numbers: (" ", "-", "12 bis et ", "a"),
    _mastodon: ("a.", "@a@a.", "https://a.fr/(日本)", "#a ", "@a", "https://a.fr?", "#·", "é.", "(日本)", "é\ufe0f"),
    _sms: (
        *("🚨", "я", "🚨 ", "€", "« ", " »", "1°", " ", "\u00a0", "\n ", "²", "n°", "\0", "e\u0301", "\ud83d"),
        *("é🚨", "–\ufe0f", "["),
    ),
    add_missing_spaces: (
        *("a.LA", "@a", "@a ", "@RT", "@@", "a@", "a:@b", "é.la", "é@a.la", "@a.la ", "x.fr.La ", "a.b.c.la "),
        *("a.la_b.", "RT:@a ", "."),
    ),
    _spans: ("https://a.-", "#a", "@a", "@RT", "-a.fr", "a.fr/", "x.fr.La ", "é.la", "www."),
    _spaces: ("1 ", " !", "« ", "1 200 ", "n° ", "!", "a"),
    wrap: ("a ", "1 ", "! ", "« ", "( ", "é🚨 ", "a", "((", "1.", "- "),
}


def _seconds(measure: Callable[[str], object], text: str) -> float:
    """The best of three."""
    took = []
    for _ in range(3):
        begun = time.thread_time()
        measure(text)
        took.append(time.thread_time() - begun)
    return min(took)


@pytest.mark.parametrize("measure", PIECES, ids=lambda measure: measure.__name__.strip("_"))
def test_the_time_grows_with_the_text_and_no_faster(measure: Callable[[str], object]) -> None:
    growth = {}
    for piece in PIECES[measure]:
        measure(piece)  # the tables are made
        short = _seconds(measure, piece * (SHORT // len(piece)))
        growth[piece] = _seconds(measure, piece * (TIMES * SHORT // len(piece))) / max(short, NOISE)
    print(f"{measure.__name__.strip('_')}: a text {TIMES} times as long takes {max(growth.values()):.1f} times as long")
    assert {piece: times for piece, times in growth.items() if times > MOST} == {}
