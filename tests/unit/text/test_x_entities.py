"""The entities that X links in a text."""

from __future__ import annotations

import pytest
from hypothesis import given

from policenotify.testing.strategies import nasty_text
from policenotify.text import Entity, x_entities
from policenotify.text._data.tlds import FROZEN
from policenotify.text.x_entities import join_surrogates, to_utf16


def _found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in x_entities(text)]


# As npm twitter-text 3.1.0 finds them.
@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("service-public.fr, 112.be et x.com.", ["service-public.fr", "112.be", "x.com"]),
        ("évry.fr", ["vry.fr"]),
        ("a_b.fr x_y.police.fr", ["y.police.fr"]),
        ("http://a_b.fr https://x_y.police.fr", ["https://x_y.police.fr"]),
        ("contact@police.fr contact@sub.police.fr a-police.fr", ["a-police.fr"]),
        ("https://exemple.fr/été?x=é", ["https://exemple.fr/été?x="]),
        ("exemple.fr?x=1 exemple.fr:80 exemple.fr:80/", ["exemple.fr", "exemple.fr", "exemple.fr:80/"]),
        ("exemple.fr/? https://exemple.fr?! x", ["exemple.fr/", "https://exemple.fr"]),
        ("https://fr.wikipedia.org/wiki/Police_(France)).", ["https://fr.wikipedia.org/wiki/Police_(France)"]),
        ("(exemple.fr/a_(b(c)d)e)", ["exemple.fr/a_(b(c)d)e"]),
        ("exemple.fr/(a exemple.fr/a...", ["exemple.fr/", "exemple.fr/a"]),
        (
            "https://t.co/abc/def https://t.co/abc?x=1! https://t.co/abc?!",
            ["https://t.co/abc", "https://t.co/abc?x=1", "https://t.co/abc"],
        ),
        ("https://t.co/" + "a" * 41, []),
        ("ftp://a.fr http://localhost http://1.2.3.4 user:pw@a.fr", []),
        ("HTTP://POLICE.FR xhttp://police.fr", ["HTTP://POLICE.FR"]),
        ("中国.police.fr中.b.fr/c", ["police.fr", "b.fr/c"]),
        ("http://中文.中国/ 中文.中国", ["http://中文.中国/"]),
        ("police.中国 police.рф police.РФ police.中", ["police.中国", "police.рф", "police.РФ"]),
        ("a.vermögensberater a.VERMÖGENSBERATUNG", ["a.vermögensberater", "a.VERMÖGENSBERATUNG"]),
        ("a.嘉里大酒店 a.嘉里", ["a.嘉里大酒店", "a.嘉里"]),
        ("a.中国b a.frx a.fr+ a.fr-b a.fr@b", []),
        ("xn--vry-9la.fr a.xn--p1ai xn--é.xn--p1ai a.xn b.xn--", ["xn--vry-9la.fr", "a.xn--p1ai", "xn--é.xn--p1ai"]),
        ("https://" + "é" * 60 + ".fr https://" + "a" * 64 + ".fr https://a\x07" + "b" * 58 + ".fr", []),
        ("https://a\uff61b.fr https://" + "é" * 200 + ".fr", ["https://a\uff61b.fr"]),
        ("https://a.fr/" + "b" * 4075, ["https://a.fr/" + "b" * 4075]),
        ("https://a.fr/" + "b" * 4076, []),
        ("http://xn--中.中国 http://xn--é.中国", ["http://xn--é.中国"]),
        ("🚨police.fr \ud83d\udea8police.fr", ["police.fr", "police.fr"]),
        ("1️⃣EXAMPLE.COM2️⃣EXAMPLE.COM", ["EXAMPLE.COM"]),
        ("a..b.fr .a.fr -a.fr a.fr.", ["a.fr"]),
    ],
)
def test_addresses_are_found_as_x_does(text: str, links: list[str]) -> None:
    assert [one for one in _found(text) if one[0] == "url"] == [("url", link) for link in links]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#Sécurité #Évry #alerteEnlèvement #ÇaVa #œuvre", ["Sécurité", "Évry", "alerteEnlèvement", "ÇaVa", "œuvre"]),
        ("#l'été #aujourd'hui #Saint-Étienne", ["l", "aujourd", "Saint"]),
        ("#17 #2024 #A10 #17novembre", ["A10", "17novembre"]),
        ("a#b &#b l'#Isère l’#Isère (#Nice) ＃全角", ["Isère", "Isère", "Nice", "全角"]),
        ("#a#b #c://d #️⃣ #\u20e3 ⚠️#e", ["e"]),
        ("#E\u0301te\u0301 #\U0001d49c #", ["E\u0301te\u0301", "\U0001d49c"]),
        ("\ud83d#a", []),
        ("police.fr/#fin #Fin", ["Fin"]),
    ],
)
def test_hashtags_are_found_as_x_does(text: str, tags: list[str]) -> None:
    assert [one.value for one in x_entities(text) if one.kind == "hashtag"] == tags


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@police75, ＠police RT@police: .@police", ["@police75", "＠police", "@police", "@police"]),
        ("a@b @a@b @aé @a://b !@a", []),
        ("@name_that_is_far_too_long @a/liste-1 @a/1", ["@name_that_is_far_too", "@a/liste-1", "@a"]),
        ("$FR $BRK.A $TOOLONGX a$FR $A.BCD, $É", ["$FR", "$BRK.A", "$A"]),
        ("https://x.com/@police https://x.com/$FR", ["https://x.com/@police", "https://x.com/$FR"]),
    ],
)
def test_mentions_lists_and_cashtags_are_found_as_x_does(text: str, found: list[str]) -> None:
    assert [part for _, part in _found(text)] == found


def test_an_entity_has_its_kind_and_place() -> None:
    assert x_entities("🚨 #Évry @police/liste police.fr/é $FR") == (
        Entity("hashtag", 2, 7, "Évry"),
        Entity("list", 8, 21, "police/liste"),
        Entity("url", 22, 33, "police.fr/é"),
        Entity("cashtag", 34, 37, "FR"),
    )


def test_the_halves_of_a_pair_are_two_characters_of_the_text_and_one_for_x() -> None:
    assert x_entities("\ud83d\udea8 #A\ud835\udc9c") == (Entity("hashtag", 3, 7, "A\U0001d49c"),)


@given(nasty_text(max_parts=20))
def test_entities_are_in_order_do_not_overlap_and_hold_their_value(text: str) -> None:
    end = 0
    for one in x_entities(text, tlds=FROZEN):
        assert end <= one.start < one.end <= len(text)
        assert one.value in text[one.start : one.end]
        end = one.end


@given(nasty_text(max_parts=20))
def test_utf16_is_joined_again(text: str) -> None:
    assert join_surrogates(to_utf16(text)) == text
    assert len(to_utf16(text)) == len(text.encode("utf-16-le", "surrogatepass")) // 2
