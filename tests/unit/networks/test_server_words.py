"""The words of a server move no cursor, hide no letter, and take no time to mask."""

from __future__ import annotations

import re
import unicodedata

import pytest

from policenotify.channel import Account, PostRef, RecipientOutcome
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks._redact import redact, words_of
from policenotify.networks.email.replies import Reply

ODD = "no\x1b[2J\x1b]8;;http://evil.example\x07 \x9b1m\u202eyes\u2066 so\u200b\U000e0041\r\nlast\ud800"


def is_plain(text: str) -> bool:
    return not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in text)


@pytest.mark.parametrize("kind", [Refused, Blocked, Unavailable, Unconfirmed])
def test_an_error_of_a_channel_holds_no_control_character(kind: type[ChannelError]) -> None:
    error = kind(f"Refused: {ODD}", code=f"400 {ODD}", remedy=ODD)
    for text in (error.reason, error.code, error.remedy, str(error)):
        assert is_plain(str(text))
        assert "yes so last" in str(text)
    assert str(kind("Route barrée", code="1").reason) == "Route barrée"


def test_an_error_of_a_channel_is_of_limited_length() -> None:
    assert len(str(Refused("a" * 1_000_000, code="b" * 1_000_000))) < 2_500


def test_outcomes_and_accounts_hold_no_control_character() -> None:
    outcome = RecipientOutcome(key="a", outcome="refused", code=ODD, reason=ODD)
    assert is_plain(outcome.code + str(outcome.reason))
    account = Account(id="1", name=ODD, url="javascript:alert(1)")
    assert is_plain(account.name)
    assert account.url is None


@pytest.mark.parametrize(
    "url",
    [
        "https://social.example/@police34/1",
        "https://bsky.app/profile/police.example/post/3k",
        "http://127.0.0.1:8000/@a/1?b=c&d=%20#e",
    ],
)
def test_a_page_of_a_post_is_kept(url: str) -> None:
    assert PostRef(account="a", id="1", url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        'http://x/"><script>alert(1)</script>',
        "javascript:alert(1)",
        "https://police.fr@evil.example/",
        "https://рolice.fr/",
        "https://a.example/\u202egpj.exe",
        "https://a.example/'onclick='",
        "https:///a",
        "https://a.example/" + "a" * 2_000,
    ],
)
def test_what_is_no_page_of_a_post_is_left_out(url: str) -> None:
    assert PostRef(account="a", id="1", url=url).url is None


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "<ana@c.example>",
        "a@b)ana@c.example",
        "mailto:ana@c.example",
        "x@y>ana@c.example",
        "ana@c.example,bob@c.example",
    ],
)
def test_every_address_is_masked(text: str, *, numbers: bool) -> None:
    masked = redact(f"No mail to {text}, please", (), numbers=numbers)
    assert not re.search("ana|c.example", masked)
    assert masked.startswith("No mail to ")


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("ana@c.example is unknown", "… is unknown"),
        ("call +33 6 39 98 00 01 now", "call … now"),
        ("key 12345678abcdefgh12345678ij", "key …"),
    ],
)
def test_the_words_of_a_gateway_show_no_address_number_or_key(words: str, masked: str) -> None:
    assert re.sub(r"(…[ -]?)+", "… ", words_of(words.encode(), ())).strip() == masked


def test_a_long_answer_of_a_gateway_is_cut() -> None:
    assert words_of(b"a" * 1_000_000, ()) == ""
    assert len(words_of(b"no " * 300_000, ())) <= 160


# --- a mail server, which may quote addresses and passwords in any form

PRIVATE = ("alertes@police.example", "marie.martin@hopital.example", "Gr4nd-Secret!")


@pytest.mark.parametrize(
    "words",
    [
        "no user_marie.martin_x",
        "no bWFyaWUubWFydGluQGhvcGl0YWwuZXhhbXBsZQ==",
        "no marie.martin%40hopital.example",
    ],
)
def test_no_form_of_an_address_or_password_is_repeated(words: str) -> None:
    reply = Reply.of("recipient", 550, f"5.1.1 {words}".encode(), private=PRIVATE)
    assert (reply.number, reply.enhanced) == (550, "5.1.1")
    shown = reply.text.lower().split()
    assert shown[0] in {"no", "bad"}
    for form in ("marie", "artin", "secret", "bwfyawu", "6d6172", "4772346e"):
        assert form not in reply.text.lower()
