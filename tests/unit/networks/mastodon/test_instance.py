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
    ("version", "source", "major"),
    [
        ("4.5.2", MAINLINE, 4),
        ("4.6.0+glitch", "https://github.com/glitch-soc/mastodon", 4),
        ("3.5.19", "", 3),
        ("4.5.2", "https://git.police.example/toot", 0),
        ("0.20.0", "https://codeberg.org/superseriousbusiness/gotosocial", 0),
        ("4.0.0 (not true; really snac/2.75)", "", 0),
        ("takahe/0.11.0", "", 0),
        ("2.7.2 (compatible; Pleroma 2.6.0)", "", 0),
        ("", "", 0),
    ],
)
def test_a_server_is_known_by_its_version_and_source(version: str, source: str, major: int) -> None:
    found = read(version, source)
    assert found.major == major
    assert bool(found.capabilities.idempotency_window) is bool(major)
    assert found.capabilities.edits is (major == 4)
    assert found.capabilities.deletes is ("snac" not in version)


def test_limits_are_read_and_nonsense_is_not() -> None:
    found = read(
        "4.6.0",
        statuses={"max_characters": 1000, "max_media_attachments": 6, "characters_reserved_per_url": 25},
    )
    assert (found.max_characters, found.max_media, found.url_length) == (1000, 6, 25)
    odd = read("4.6.0", statuses={"max_characters": "500", "max_media_attachments": 0}, media_attachments={"x": True})
    assert odd == Instance(read_at=NOW, major=4)
    assert read("4.6.0", statuses={"max_characters": True}).max_characters == 500


def test_limits_of_a_hundred_thousand_characters_or_pictures_are_capped() -> None:
    found = read("4.6.0", statuses={"max_characters": 100_000, "max_media_attachments": 99})
    can = found.capabilities
    assert (can.budget.limit, can.images) == (5000, 16)


GOTOSOCIAL = "https://codeberg.org/superseriousbusiness/gotosocial"


def test_mastodon_counts_in_its_own_way_and_for_another_the_longer_count_holds() -> None:
    text = f"{FAMILY} https://www.police.fr/a-long-way/to-say-it @a@b.fr"
    assert read("4.6.0").count(text) == 1 + 23 + 1 + 2 + 1
    for unsure in (read("0.20.0", GOTOSOCIAL), read("takahe/0.11.0"), Instance()):
        assert unsure.count(text) == len(text)
