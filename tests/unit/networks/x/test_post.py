"""Recognise our own posts on X's timeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policenotify.networks.x.post import TweetBody
from policenotify.networks.x.rules import is_id, posted_at
from policenotify.testing.servers.x import VisibleXPost, post_entity
from policenotify.testing.strategies import prose

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
T1, T2 = "https://t.co/aB3dE5fG7h", "https://t.co/zzz"
LONG = "Inondation à Évian, évitez le centre. " * 12


def a_post(text: str, **other: Any) -> TweetBody:
    return TweetBody(text=text, created_at=NOW, **other)


def urls(**stands_for: str) -> dict[str, Any]:
    shorts = {"t1": T1, "t2": T2}
    return {"entities": {"urls": [{"url": shorts[k], "expanded_url": v} for k, v in stands_for.items()]}}


SAME: list[tuple[str, dict[str, Any]]] = [
    ("Route barrée", {"text": "Route barrée"}),
    ("A9 & D612 <ici>", {"text": "A9 &amp; D612 &lt;ici&gt;"}),
    ("A9 & D612", {"text": "A9 & D612"}),  # should X stop escaping
    ("&amp; en toutes lettres", {"text": "&amp;amp; en toutes lettres"}),
    ("E\u0301vian", {"text": "Évian"}),
    ("Un\n\nDeux ", {"text": "Un\n\nDeux"}),
    (
        "Voir https://police.example/é?a=1&b=2.",
        {"text": f"Voir {T1}.", **urls(t1="https://police.example/%C3%A9?a=1&b=2")},
    ),
    ("Voir https://Police.example/a", {"text": f"Voir {T1}", **urls(t1="https://police.example/A/")}),
    ("Voir https://évry.fr/a", {"text": f"Voir {T1}", **urls(t1="https://xn--vry-9la.fr/a")}),
    ("évry.fr", {"text": f"é{T1}", **urls(t1="http://vry.fr")}),
    (f"Déjà court {T1}", {"text": f"Déjà court {T1}", **urls(t1="https://police.example")}),
    (
        "A https://a.example B https://b.example",
        {"text": f"A {T1} B {T2}", **urls(t1="https://a.example", t2="https://b.example")},
    ),
    ("Voir https://[x", {"text": f"Voir {T1}", **urls(t1="https://[x")}),
    ("Suite", {"text": "@Police34 @police34 Suite"}),
    (LONG, {"text": f"{LONG[:250]}… {T1}"}),
    (LONG, {"text": f"{LONG[:250]}… {T1}", "note_tweet": {"text": LONG}}),
    (LONG, {"text": LONG, "note_tweet": "broken"}),
]
OTHER: list[tuple[str, dict[str, Any]]] = [
    ("Route barrée", {"text": "Route barrée à Évian"}),
    ("Route barrée à Évian", {"text": "Route barrée"}),
    ("Voir https://a.example", {"text": f"Voir {T1}", **urls(t1="https://b.example")}),
    ("Voir https://a.example", {"text": f"Voir {T1}", "entities": {"urls": "broken"}}),
    ("Voir https://a.example", {"text": f"Voir {T1}", "entities": ["broken"]}),
    ("Voir https://a.example/1", {"text": f"Voir {T1}", **urls(t1="https://a.example/2")}),
    ("Route…", {"text": "Rou…"}),  # only a long post is shown cut
    (LONG, {"text": "Autre chose, bien plus longue, dont on ne voit que le début… " + T1}),
    (LONG, {"text": LONG[:250]}),
    (LONG, {"text": f"{LONG[:250]}… {T1}", "note_tweet": {"text": f"{LONG} Fin."}}),
]


@pytest.mark.parametrize(("said", "seen"), SAME)
def test_it_is_the_same(said: str, seen: dict[str, Any]) -> None:
    assert a_post(said).reads_as(seen, "police34")


@pytest.mark.parametrize(("said", "seen"), OTHER)
def test_it_is_another(said: str, seen: dict[str, Any]) -> None:
    assert not a_post(said).reads_as(seen, "police34")


def test_pictures_add_a_link_to_the_text() -> None:
    post = a_post("Voir https://a.example", media_ids=("1",))
    shown = {"text": f"Voir {T1} {T2}", **urls(t1="https://a.example", t2="https://x.com/police34/status/1/photo/1")}
    assert post.reads_as(shown, "police34")
    assert not a_post("Voir https://a.example").reads_as(shown, "police34")


@given(text=prose().filter(lambda text: bool(text.strip())), of_whom=st.sampled_from(["police34", "x"]))
@example("https://police.example/?a=(e)e\u0301\u0301", "x")  # the link ends within a letter
def test_any_text_is_recognised(text: str, of_whom: str) -> None:
    post = VisibleXPost("1" * 19, text, NOW, None, "1" * 19)
    fields = frozenset({"entities", "note_tweet"})
    assert a_post(text).reads_as(post_entity(post, of_whom, fields), of_whom)
    shown = post_entity(post, of_whom, frozenset())
    assert a_post(text).reads_as(shown, of_whom) or "https://t.co/" in shown["text"]


@pytest.mark.parametrize(
    ("parent", "listed", "same"),
    [
        (None, None, True),
        ("7", None, True),  # what X does not show proves nothing
        ("7", [{"type": "replied_to", "id": "7"}], True),
        ("7", [{"type": "replied_to", "id": "8"}], False),
        (None, [{"type": "replied_to", "id": "8"}], False),
        (None, ["broken"], True),
    ],
)
@pytest.mark.parametrize("name", ["referenced_tweets", "referenced_posts"])
def test_parents_are_compared(name: str, parent: str | None, listed: object, *, same: bool) -> None:
    post = a_post("x", in_reply_to_tweet_id=parent)
    assert post.replies_as({name: listed} if listed else {}) is same


def test_the_time_of_a_post_is_in_its_id() -> None:
    # docs.x.com, "X IDs"; the number and time of a post that is often shown
    assert posted_at("1541815603606036480") == datetime(2022, 6, 28, 16, 7, 40, 105000, tzinfo=UTC)


@pytest.mark.parametrize(("value", "yes"), [("1", True), ("9" * 19, True), ("9" * 20, False), ("", False), (7, False)])
def test_valid_ids_of_x(value: object, *, yes: bool) -> None:
    assert is_id(value) is yes
