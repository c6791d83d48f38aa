"""Texts that separate a right measure from a nearly right one: what X, Mastodon or SMS treat specially."""

from __future__ import annotations

import json
import random
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent

# fmt: off
PIECES: Final = (
    "a", "b", "fr", "com", "la", "xn", "xn--", "--", "-", "_", ".", "..", ". ", ",", " ", "  ", "\n",
    "\r\n", "/", "//", "://", "http://", "https://", "HTTPS://", "hTtP://", "ftp://", "t.co/",
    "https://t.co/", "t.co/abc?", "?", "??", "=", "&", "#", "＃", "@", "＠", "$", "$AB", "rt", "RT", "RT:",
    "(", ")", "((", "))", "[", "]", "{", "}", "<", ">", '"', "'", "`", "\\", "|", "~", "^", "+", "*", "%",
    "!", ":", ";", ":80", ":8080/", "é", "É", "œ", "ß", "ſ", "\u212a", "İ", "ı", "ʼ", "ʻ", "ƛ", "ǅ", "я",
    "рф", "РФ", "中国", "中", "香港", "嘉里大酒店", "嘉里", "한국", "भारतम्", "भारत", "vermögensberater",
    "VERMÖGENSBERATER", "ελ", "ΕΛ", "ευς", "みんな", "السعودية", "police", "police.fr", "interieur.gouv.fr",
    "service-public.fr", "évry.fr", "M.Dupont", "fermé.La", "12h.La", "x_y.fr", "a_b", "contact@police.fr",
    "example.com", "EXAMPLE.COM", "exa-mple.co.uk", "foo.bar", "foo.kids", "music", "1", "12", "2025", "0",
    "\u00a0", "\u202f", "\u2009", "\u200b", "\u200d", "\ufe0f", "\ufe0e", "\u20e3", "\ufeff", "\ufffe",
    "\uffff", "\u061c", "\u200e", "\u202a", "\u2066", "\u2069", "\u180e", "\u0085", "\u3000", "\u2028",
    "\x00", "\x07", "\x1c", "\x1f", "\x7f", "\u3002", "\uff0e", "\uff61", "e\u0301", "\u0301", "\u0345",
    "a\u0308", "🚨", "🇫🇷", "🇫", "🇷", "👮🏽‍♀️", "👮", "‍♀️", "👨‍👩‍👧‍👦", "👩‍❤️‍💋‍👩", "❤️", "❤", "©", "©️", "®",
    "®️", "™", "™️", "1️⃣", "#️⃣", "*⃣", "ℹ️", "⚠️", "⚠",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🧑‍🚒", "🏻", "🏿", "👁‍🗨", "👁️‍🗨️",
    "\ud83d", "\udea8", "\ud800", "\U00010400", "\U0001d49c", "\U00020000", "…", "•", "→", "€", "№", "«",
    "»", "’", "“", "”", "–", "—", "·", "#Évry", "#A10", "#17", "#Saint-Étienne", "@police75", "@a/b",
    "@a/liste-1", "@user_name_that_is_far_too_long", "$FR", "$TWTR", "$BRK.A",
    "https://www.service-public.fr/a_(b)_c?d=e#f", "/wiki/Police_(France)", "/a_(b(c)d)e", "/(", "/a.",
    "/@user/", "/été", "?x=é", "?x=1&y=2#z", "/–/", "xn--vry-9la.fr", "xn--p1ai", "localhost", "1.2.3.4",
    "user:pw@", "https:exemple.fr", "a" * 62, "a" * 63, "a" * 64, "é" * 20, "é" * 50, "é" * 60, "A" * 41,
    "abc.def.ghi", "http://évry.fr", "http://中文.中国/", "ー", "・", "_tag", "‿", "٣", "।", "้", "ำ", "🄰",
)
SIGNS: Final = "ab.-_/@#$:?=&()é1 中\u200d🚨"
FRENCH: Final = (
    "Accident", "grave", "sur", "l’A6", "à hauteur de", "Villefranche-sur-Saône", "sens Lyon → Paris",
    "« voie fermée »",
    "Évitez le secteur", "12,5 km", "18h30", "n° 17", "M. Dupont", "les secours sont sur place",
    "fin d’intervention", "🚨", "🇫🇷", "👮‍♀️", "#A6", "#Sécurité", "@PoliceNat69", "service-public.fr",
    "https://www.interieur.gouv.fr/actualités/2026", "police69@interieur.gouv.fr",
    "merci", "œuvre", "500 €", "disparue", "1,72 m", "Élodie",
)
# fmt: on

# The clusters of scripts with conjuncts changed in Unicode 15.1, 16 and 17 (rule GB9c of UAX #29).
CONJUNCTS: Final = (
    (0x0900, 0x109F), (0x1780, 0x17FF), (0x1A20, 0x1CFF), (0xA800, 0xABFF), (0x11000, 0x11FFF),
)  # fmt: skip


def texts(seed: int, count: int) -> Iterator[str]:
    """Invent texts: pieces at random, a few pieces again and again, single signs, any code points, French posts."""
    rnd = random.Random(seed)  # noqa: S311 - the same texts again
    for _ in range(count):
        kind = rnd.random()
        if kind < 0.6:
            yield "".join(rnd.choices(PIECES, k=rnd.randint(1, 14)))
        elif kind < 0.75:
            yield "".join(rnd.choices(rnd.choices(PIECES, k=3), k=rnd.randint(4, 30)))
        elif kind < 0.85:
            yield "".join(rnd.choices(SIGNS, k=rnd.randint(3, 40)))
        elif kind < 0.9:
            codes = [rnd.randint(0, rnd.choice((0x2FF, 0xFFFF, 0x1FFFF))) for _ in range(8)]
            yield "".join(rnd.choices([*map(chr, codes), *rnd.choices(PIECES, k=8)], k=12))
        else:
            yield french(rnd)


def french(rnd: random.Random) -> str:
    """Generate a police post of about 280 characters."""
    said = rnd.choices(FRENCH, k=20)
    return "".join(f"{words}{rnd.choice(('', '', ',', '.', ' :', '.'))} " for words in said)[:280].strip()


def settled(text: str) -> bool:
    """Return whether every version of Unicode since 14 agrees on where graphemes begin."""
    return all(
        unicodedata.category(sign) != "Cn" and not any(first <= ord(sign) <= last for first, last in CONJUNCTS)
        for sign in text
    )


def asked(script: str, given: list[str]) -> Any:
    """Return the answers of an oracle in JavaScript."""
    done = subprocess.run(  # noqa: S603 - our own script
        ["node", str(HERE / script)],  # noqa: S607 - as the machine has it
        input=json.dumps(given),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return json.loads(done.stdout)


def join_surrogates(text: str) -> str:
    """Return a text with the halves of each surrogate pair joined."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
