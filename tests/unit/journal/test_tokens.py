"""Signed names of a person and a delivery."""

from __future__ import annotations

import re
import secrets
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import TokenPurpose
from policenotify.journal.keys import Keys
from policenotify.journal.lists.recipients import recipient_key, suppression_key
from policenotify.journal.persons.tokens import LONGEST, PersonToken, make_token, read_token

KEYS = Keys.create(secrets.token_bytes)
PERSON = "0123456789abcdef" * 2
PURPOSES = get_args(TokenPurpose)
TOKEN = make_token(KEYS, "stop", delivery=4711, recipient=PERSON)


@given(st.integers(0, 2**40), st.binary(min_size=16, max_size=16), st.sampled_from(PURPOSES))
def test_a_token_names_a_person_and_a_delivery_for_one_purpose(delivery: int, person: bytes, purpose: str) -> None:
    token = make_token(KEYS, purpose, delivery=delivery, recipient=person.hex())  # type: ignore[arg-type]
    assert re.fullmatch(r"[a-z2-7]{45,56}", token)
    for other in PURPOSES:
        expected = PersonToken(delivery, person.hex()) if other == purpose else None
        assert read_token(KEYS, other, token) == read_token(KEYS, other, token.upper()) == expected


def test_every_changed_character_is_noticed() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    for at, was in enumerate(TOKEN[:-1]):  # the last one holds bits that count for nothing
        for letter in letters:
            changed = f"{TOKEN[:at]}{letter}{TOKEN[at + 1 :]}"
            assert (read_token(KEYS, "stop", changed) is None) is (letter != was)


@given(st.text(max_size=LONGEST + 10) | st.binary(max_size=50).map(lambda raw: raw.hex()))
def test_nothing_else_is_a_token(text: str) -> None:
    assert read_token(KEYS, "stop", text) is None


@pytest.mark.parametrize(
    "text",
    ["", "a", "7" * 80, "7" * 64, "a" * 64, TOKEN[:-1], TOKEN + "a", f" {TOKEN}", "é" * 48],
    ids=["empty", "letter", "longest", "number", "letters", "short", "long", "space", "accents"],
)
def test_wrong_lengths_and_endless_numbers_are_refused(text: str) -> None:
    assert read_token(KEYS, "stop", text) is None


def test_tokens_of_earlier_keys_stay_and_those_of_later_or_other_keys_are_refused() -> None:
    newer = KEYS.rotated(secrets.token_bytes)
    assert read_token(newer, "stop", TOKEN) == PersonToken(4711, PERSON)
    token = make_token(newer, "stop", delivery=4711, recipient=PERSON)
    assert token != TOKEN
    assert read_token(newer, "stop", token) == PersonToken(4711, PERSON)
    assert read_token(KEYS, "stop", token) is None
    assert read_token(Keys.create(secrets.token_bytes), "stop", TOKEN) is None


def test_only_the_key_of_a_number_takes_long() -> None:
    """All numbers of a country can be tried, and all mail addresses cannot."""
    number, mail = recipient_key(KEYS, "+33 6 12 34 56 78"), recipient_key(KEYS, "ana@journal.example")
    assert number[0] in "89abcdef"
    assert mail[0] in "01234567"
    assert suppression_key(KEYS, number) == KEYS.slow_tag("suppression", number)
    assert suppression_key(KEYS, mail) == KEYS.tag("suppression", mail) != mail
