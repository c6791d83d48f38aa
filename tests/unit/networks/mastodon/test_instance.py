"""How a server is recognised by its own description, and the channel's capabilities that follow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from policenotify.networks.mastodon.instance import Instance

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
MAINLINE = "https://github.com/mastodon/mastodon"
FAMILY = "👨‍👩‍👧‍👦"


def read(version: str, source: str = "", **configuration: dict[str, Any]) -> Instance:
    return Instance.of({"version": version, "source_url": source, "configuration": configuration}, at=NOW)


@pytest.mark.parametrize(
    ("version", "source", "software"),
    [
        ("4.5.2", MAINLINE, "mastodon"),
        ("4.6.0+glitch", "https://github.com/glitch-soc/mastodon", "mastodon"),
        ("3.5.19", "", "mastodon"),
        ("4.5.2", "https://git.police.example/toot", "other"),
        ("0.20.0", "https://codeberg.org/superseriousbusiness/gotosocial", "gotosocial"),
        ("4.0.0 (not true; really snac/2.75)", "", "other"),
        ("takahe/0.11.0", "", "other"),
        ("2.7.2 (compatible; Pleroma 2.6.0)", "", "other"),
        ("", "", "other"),
    ],
)
def test_a_server_is_known_by_its_version_and_source(version: str, source: str, software: str) -> None:
    found = read(version, source)
    assert found.software == software
    assert bool(found.capabilities("").idempotency_window) is (software == "mastodon")
    assert found.capabilities("").edits is (software == "mastodon" and not version.startswith("3"))
    assert found.capabilities("").deletes is (software != "other")


def test_limits_are_read_and_nonsense_is_not() -> None:
    found = read(
        "4.6.0",
        statuses={"max_characters": 1000, "max_media_attachments": 6, "characters_reserved_per_url": 25},
    )
    assert (found.max_characters, found.max_media, found.url_length) == (1000, 6, 25)
    odd = read("4.6.0", statuses={"max_characters": "500", "max_media_attachments": 0}, media_attachments={"x": True})
    assert odd == Instance(read_at=NOW, software="mastodon", major=4)
    assert read("4.6.0", statuses={"max_characters": True}).max_characters == 500


def test_limits_of_a_hundred_thousand_characters_or_pictures_are_capped() -> None:
    found = read("4.6.0", statuses={"max_characters": 100_000, "max_media_attachments": 99})
    can = found.capabilities("Accident")
    assert (can.budget.limit, can.images) == (5000 - 8, 16)


GOTOSOCIAL = "https://codeberg.org/superseriousbusiness/gotosocial"


def test_mastodon_counts_in_its_own_way_and_for_another_the_longer_count_holds() -> None:
    text = f"{FAMILY} https://www.police.fr/a-long-way/to-say-it @a@b.fr"
    assert read("4.6.0").count(text, "é") == 1 + 1 + 23 + 1 + 2 + 1
    for unsure in (read("0.20.0", GOTOSOCIAL), read("takahe/0.11.0"), Instance()):
        assert unsure.count(text, "é") == len(text) + 1
