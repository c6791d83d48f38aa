"""The length of a status on Mastodon."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text import graphemes, mastodon_entities, mastodon_length

VIRAMA = 9  # its combining class
FAMILY = "👨‍👩‍👧‍👦"
REPORT = (
    "🔴 Ongeval A12 richting Utrecht thv afrit 14. Weg afgesloten, volg omleiding. Update volgt. "
    "https://www.politie.nl/nieuws/2025/november/24/ongeval-a12.html #A12 #Utrecht "
    "@rijkswaterstaat@social.overheid.nl"
)


# Counted by the server's own validator.
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Info: https://polizei-münchen.de/presse/2025/11?id=4711#top.", 30),
        ("(https://fr.wikipedia.org/wiki/Police_(France)), https://a.example.com/x.", 51),
        ("https://mastodon.social/@police@social.example/1098", 23),
        ("cc @brandweer.nl@social.example.nl.", 17),
        (f"{FAMILY}👮🏽‍♀️🚓", 3),
        ("https://localhost:3000/abc", 26),
        ("https://meldkamer.intern/abc", 28),
        ("https://example.kids/abc", 24),
        ("https://a.example.com/1https://b.example.com/2", 23),
        ("«https://police.example.fr/avis»", 24),
        ("https://example.com/" + "a" * 4076, 23),
        ("https://example.com/" + "a" * 4077, 4097),
        ("@alice@" + "b" * 249 + ".com", 6),
        ("@alice@" + "b" * 250 + ".com", 261),
        ("@alice@" + "b" * 506 + ".com", 517),
        ("@a@example.com@b@example.org", 28),
        ("https://example.nl/a\r\n@a@b.nl", 26),
        ("https://example.com/🚓 x", 25),
        ("https://example.com🚓", 24),
        ("_https://example.com/a_", 24),
        ("**https://example.com/a**", 27),
        ("@polizei@münchen.example gut", 12),
        ("mail tips@politie.nl of 0800-7000", 33),
        ("Info: www.politie.nl/vermist en politie.nl", 42),
        ("e\u0301e\u0301 = éé", 7),
        ("gemini://example.com/abc", 23),
        ("magnet:?xt=urn:btih:abcdef0123456789", 36),
        ("http://192.0.2.7/abc", 20),
        ("https://user:pw@example.com/a", 29),
        ("#https://example.com", 20),
        (REPORT, 145),
        ("x=@alice@example.com", 20),
        ("a" * 76 + " http://" + "b" * 30 + ".com/example", 100),
        ("a" * 76 + "http://" + "b" * 30 + ".com/example", 125),
        ("http://example.com/valid?" + "#foo?" * 1000, 5025),
        ("a" * 75 + " @alice@" + "b" * 30 + ".com", 82),
        ("✨" * 100, 100),
        ("🏳️‍⚧️" * 100, 100),
        ("a" * 200, 200),
    ],
)
def test_the_length_of_a_status_is_the_limit_of_the_server(text: str, count: int) -> None:
    assert mastodon_length(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("https://example.com/?a=b\u00a0: c", 26),  # a no-break space belongs to a query, not to a path
        ("https://example.com/a\u00a0: c", 27),
        ("https://example.com/a_(日本)", 27),  # in brackets at its end a path has Latin or Cyrillic
        ("https://example.com/(日本)", 27),
        ("https://example.com/(日本)(b)", 23),
        ("https://example.com/(b)…(日本)", 27),
        ("https://example.com/(b),(日本)", 28),
        ("https://t.co/abc/def", 27),
        ("https://t.co/" + "a" * 41, 54),
        ("https://例え.中国/ https://\u0378.fr/", 37),  # an unassigned character is in no domain
        ("https://" + "é" * 70 + ".fr", 81),
        ("https://" + "é" * 60 + ".fr", 71),
        ("https://" + "a" * 64 + ".fr", 75),
        ("https://a\uff61b.fr", 23),
        ("https://xn--é.fr", 16),
        ("@a@b.fré @a://b @aé", 13),
        ("", 0),
    ],
)
def test_a_status_is_as_long_as_the_rules_have_it(text: str, count: int) -> None:
    assert mastodon_length(text) == count


def test_the_spoiler_counts_as_it_is() -> None:
    assert mastodon_length("text", "https://example.com/a/very/long/path/that/is/not/shortened") == 62
    assert mastodon_length("a" * 50, "a" * 55) == 105
    assert mastodon_length(" texte\n\0", "\t@a@b.fr ") == 12


def test_a_spoiler_over_a_blank_text_becomes_the_text() -> None:
    assert mastodon_length(" \u00a0\n", "https://example.com/a/very/long/path ") == 23
    assert mastodon_length("\u00a0", "") == 0


def test_the_server_sets_the_length_of_an_address() -> None:
    assert mastodon_length("Voir https://example.fr", url=32) == 37


def test_gotosocial_counts_every_code_point() -> None:
    assert mastodon_length(FAMILY * 80, code_points=True) == 560
    assert mastodon_length("a" * 474 + " https://example.fr/abcdefgh", "Avis", code_points=True) == 506


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#A12 #112 #2025 #_112 #24november", ["A12", "24november"]),
        ("#NL-Alert #l'Évacuation #A12.", ["NL", "l", "A12"]),
        ('(#A12) "#A12" «#A12» 🔴#A12 A2,#A12', []),
        ("🔴 #A12\n#A13\u00a0#A14", ["A12", "A13", "A14"]),
        ("#A_12 #A·12 #1_1 #a· #·a #", ["A_12", "A·12", "1_1", "a"]),
        ("#Évacuation #Straßensperre", ["Évacuation", "Straßensperre"]),
        ("#ahttps://b.fr #https://b.fr", ["a", "https"]),
    ],
)
def test_hashtags_are_found_as_since_4_6(text: str, tags: list[str]) -> None:
    assert [one.value for one in mastodon_entities(text) if one.kind == "hashtag"] == tags


def test_links_do_not_overlap() -> None:
    found = [(one.kind, one.value) for one in mastodon_entities("#a https://x.fr/#b,@c @d @e@é.fr gemini://f.fr a.fr")]
    assert found == [
        ("hashtag", "a"),
        ("url", "https://x.fr/#b,@c"),
        ("mention", "d"),
        ("mention", "e@é.fr"),
        ("url", "gemini://f.fr"),
    ]


# Counted by Ruby 3.3 (`each_grapheme_cluster`, Unicode 15.0), as servers of its time do; later ones count fewer.
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("\u0915\u094d\u0937\u093f", 2),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", 4),
        ("\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u0937\u093f \u092a\u0941\u0932\u093f\u0938", 11),
        ("\u0915\u094d\u200d\u0937", 2),
        ("\u0995\u09cd\u09b7", 2),
        ("\u0a95\u0acd\u0ab7", 2),
        ("\u0b95\u0bcd\u0bb7", 2),
        ("\u0ba8\u0bbf", 1),
        ("\u0c15\u0c4d\u0c37", 2),
        ("\u0d15\u0d4d\u0d37", 2),
        ("\u0d4e\u0d15", 1),
        ("\u1000\u1039\u1000", 2),
        ("\u1780\u17d2\u1780", 2),
        ("\u1b13\u1b44\u1b13", 2),
        ("\U00011013\U00011046\U00011013", 2),
        ("\u0600\u0661 \u0e01\u0e33 \u1b13\u1b44\u1b13", 6),
        ("\u0600\u0915\u094d\u0937", 2),
        ("a\u094d\u0924", 2),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", 2),
        ("\U0001f1e8\U0001f1ed\U0001f1e9\U0001f1ea\U0001f1eb", 3),
        ("\U0001f469\u200d\u200d\U0001f469", 2),
        ("\xa9\u200d\xae", 1),
        ("1\ufe0f\u20e3e\u0301", 2),
    ],
)
def test_letters_that_only_newer_servers_join_count_as_on_older_ones(text: str, count: int) -> None:
    assert mastodon_length(text) == count
    assert mastodon_length("", text) == count
    assert mastodon_length(f"Police {text} https://police.fr") == 7 + count + 1 + 23


@given(st.text("\u0915\u0937\u0928\u092e\u094d\u093f\u0902\u200da\u092a ", min_size=1))
def test_every_letter_of_an_indian_text_counts(text: str) -> None:
    stripped = text.strip()
    letters = sum(sign not in "\u094d\u093f\u0902\u200d" for sign in stripped)
    assert mastodon_length(text) == letters + (stripped[:1] in "\u094d\u093f\u0902\u200d" and stripped != "")


@given(nasty_text(max_parts=20), nasty_text(max_parts=3))
def test_a_status_is_never_longer_than_what_a_reader_sees_and_23_for_each_address(text: str, spoiler: str) -> None:
    addresses = text.count("://") + spoiler.count("://")
    joined = sum(unicodedata.combining(sign) == VIRAMA for sign in text + spoiler)
    assert mastodon_length(text, spoiler) <= graphemes(spoiler) + graphemes(text) + 23 * addresses + joined
    assert mastodon_length(text, spoiler, code_points=True) == len(text) + len(spoiler)


@given(
    st.lists(st.sampled_from(["a", ".", "@", "#", "://", "https://", "fr", "é", "(", "\ud83d", "🚨", " "])).map("".join)
)
def test_any_string_is_counted(text: str) -> None:
    assert mastodon_length(text) >= 0
    end = 0
    for one in mastodon_entities(text):
        assert end <= one.start < one.end <= len(text)
        end = one.end
