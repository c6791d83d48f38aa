"""Signed names of a person and a delivery."""

from __future__ import annotations

import re
import secrets
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import TokenPurpose
from policenotify.journal.keys import Keys
from policenotify.journal.persons.tokens import PersonToken, make_token, read_token

KEYS = Keys.create(secrets.token_bytes)
PERSON = "0123456789abcdef" * 2
PURPOSES = get_args(TokenPurpose)
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
TOKEN = make_token(KEYS, "stop", delivery=4711, recipient=PERSON)


@given(st.integers(0, 2**32 - 1), st.binary(min_size=16, max_size=16), st.sampled_from(PURPOSES))
def test_a_token_names_a_person_and_a_delivery_for_one_purpose(delivery: int, person: bytes, purpose: str) -> None:
    token = make_token(KEYS, purpose, delivery=delivery, recipient=person.hex())  # type: ignore[arg-type]
    assert re.fullmatch(r"[a-z2-7]{48}", token)
    for other in PURPOSES:
        expected = PersonToken(delivery, person.hex()) if other == purpose else None
        assert read_token(KEYS, other, token) == read_token(KEYS, other, token.upper()) == expected


def test_every_changed_character_is_noticed() -> None:
    for at, was in enumerate(TOKEN):
        for letter in _LETTERS:
            changed = f"{TOKEN[:at]}{letter}{TOKEN[at + 1 :]}"
            assert (read_token(KEYS, "stop", changed) is None) is (letter != was)


@given(
    st.text(max_size=60)
    | st.text(_LETTERS, min_size=48, max_size=48)
    | st.binary(max_size=50).map(lambda raw: raw.hex())
)
def test_nothing_else_is_a_token(text: str) -> None:
    assert read_token(KEYS, "stop", text) is None


def test_tokens_outlive_a_rotation_and_those_of_other_keys_are_refused() -> None:
    newer = KEYS.rotated(secrets.token_bytes)
    assert read_token(newer, "stop", TOKEN) == PersonToken(4711, PERSON)
    assert make_token(newer, "stop", delivery=4711, recipient=PERSON) == TOKEN
    assert read_token(Keys.create(secrets.token_bytes), "stop", TOKEN) is None
