"""The links and hashtags that we find, beside those of the networks."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text.links import MAX_TAG, Link, find_links, find_mentions, hashtag, host_of

ALLOWED = frozenset({"PompiersHerault", "@prefet34.bsky.social", "police@social.example"})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Infos : 17Cyber.gouv.fr, puis service-public.fr.", ["17Cyber.gouv.fr", "service-public.fr"]),
        ("Voir police34.fr/alerte (et M6.fr) !", ["police34.fr/alerte", "M6.fr"]),
        ("exemple.fr/été_(2026).", ["exemple.fr/été_(2026)"]),
        ("https://exemple.fr/?q=été&p=1, puis", ["https://exemple.fr/?q=été&p=1"]),
        ("https://nom:mot@exemple.fr https://nom@exemple.fr http:/x https://-a.fr", []),
        ("fermé.La terminée.De A10.Au 12.Sa etc.Il Lyon.Me rue.Au 12h.La carte.Ne travaux.Si", []),
        ("voir http://évry.fr", ["http://évry.fr"]),
        ("https://x.fr/#fin", ["https://x.fr/#fin"]),
    ],
)
def test_an_intended_address_is_linked(text: str, shown: list[str]) -> None:
    spans = find_links(text)
    assert [text[one.start : one.end] for one in spans] == shown
    assert [one.value for one in spans] == [one if "://" in one else f"https://{one}" for one in shown]


def test_only_allowed_accounts_are_mentioned() -> None:
    text = "Merci à @pompiersherault, @PoliceNat34, @prefet34.bsky.social et @police@social.example"
    assert [one.value for one in find_mentions(text)] == [
        "pompiersherault",
        "PoliceNat34",
        "prefet34.bsky.social",
        "police@social.example",
    ]
    assert [(one.kind, one.value) for one in find_links(text, ALLOWED)] == [
        ("mention", "pompiersherault"),
        ("mention", "prefet34.bsky.social"),
        ("mention", "police@social.example"),
    ]
    assert find_links(text) == ()


LINKS = (
    "https://www.interieur.gouv.fr/actualites/2026/accident-a6",
    "https://police.fr/a?b=c&d=1",
    "http://évry.fr/été/",
    "https://x.fr/a_(b)",
    "service-public.fr",
    "17Cyber.gouv.fr",
    "police34.fr/alerte",
    "t.me/police34",
    "www.police.paris",
)
TAGS = ("#Hérault", "#A9", "#OTV", "#SaintÉtienne", "#Accident")
WORDS = ("(voir", "Évitez le secteur", "18:30", "M. Dupont", "fin.", "🔴", "n°12")
BEFORE = st.sampled_from(("", "(", "[", "«\u00a0", "🔴 "))
AFTER = st.sampled_from(("", ".", ",", " !", "\u00a0!", ")", "…", " : voir", ".)", " –"))


@given(st.lists(st.tuples(BEFORE, st.sampled_from((*LINKS, *TAGS, *WORDS)), AFTER), max_size=8))
def test_links_and_tags_are_found_between_any_words(pieces: list[tuple[str, str, str]]) -> None:
    text = " ".join(map("".join, pieces))
    found = [text[one.start : one.end] for one in find_links(text)]
    assert found == [said for _, said, _ in pieces if said not in WORDS]


# --- hashtags that are made


@given(st.one_of(st.text(max_size=90), nasty_text(), st.text(st.characters(categories=("L", "M", "N", "P")))))
@example("villeneuve-lès-maguelone")
@example("ŉ ß ǰ ﬁ ᾳ")
@example("1\ufe0f\u20e3 A")
@example("e\u0301 \u0301a Ⅷ x² _ ‿ · ・")
@example("می\u200cخواهم 𝔘𝔫𝔦 𐐨 नमस्ते")
@example("a" * 63 + "e\u0301\u0323\u0327")
def test_a_hashtag_that_is_made_is_linked_whole_everywhere(name: str) -> None:
    tag = hashtag(name)
    if not tag:
        return
    assert len(tag) <= MAX_TAG
    assert hashtag(tag) == tag == unicodedata.normalize("NFC", tag)
    for before, after in (("🚨 [", "] Feu"), ("🚨 [", " – TERMINÉ] Feu"), ("Feu à ", ""), ("", ""), ("Feu ", ", rue")):
        text = f"{before}#{tag}{after}"
        span = (len(before), len(before) + 1 + len(tag), tag)
        assert [(one.start, one.end, one.value) for one in find_links(text) if one.kind == "tag"] == [span]


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("Villeneuve-lès-Maguelone", "VilleneuveLèsMaguelone"),
        ("1\ufe0f\u20e3", ""),
        ("A" + "e\u0323\u0301" * 64, "A" + "ẹ\u0301" * 31),
    ],
)
def test_a_hashtag_has_a_letter_and_only_what_all_link(name: str, tag: str) -> None:
    assert hashtag(name) == tag
    assert not tag or Link("tag", 0, len(tag) + 1, tag) in find_links(f"#{tag}")


@pytest.mark.parametrize(
    ("link", "host"),
    [("https://Police.Example./a", "police.example"), ("police.example/a", "police.example"), ("https://[::1", "")],
)
def test_a_host_is_read_from_a_link(link: str, host: str) -> None:
    assert host_of(link) == host
