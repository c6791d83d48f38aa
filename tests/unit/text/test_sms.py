"""SMS: alphabet, segments, and French in that alphabet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text import SmsText, find_losses, sms, to_gsm
from policenotify.text.sms import ALPHABET, EXTENSION

QUOTED = "Incendie : «\u00a0fin d\u2019intervention\u00a0»\u202f!"


# All agree: smsutil, sms-toolkit, npm sms-segments-calculator and split-sms.
@pytest.mark.parametrize(
    ("text", "encoding", "units", "sizes"),
    [
        ("Évacuation levée à Bron, accès rétabli, où vous voulez.", "GSM-7", 55, [55]),
        ("ê" + "a" * 159, "UCS-2", 160, [67, 67, 26]),
        ("a" * 159 + "€", "GSM-7", 161, [153, 7]),
        ("a" * 152 + "€" + "b" * 10, "GSM-7", 164, [152, 11]),
        ("[]{}~^|\\€€" * 8 + "€", "GSM-7", 162, [76, 5]),
        ("L’accès est fermé. " + "x" * 52, "UCS-2", 71, [67, 4]),
        ("ç" * 66 + "🚨" + "z" * 10, "UCS-2", 78, [66, 11]),
        ("🚨" * 36, "UCS-2", 72, [33, 3]),
        ("De\u0301but d'intervention", "UCS-2", 21, [21]),
        ("a" * 152 + "€" + "b" * 150 + "€", "GSM-7", 306, [152, 151, 1]),
        (QUOTED, "UCS-2", 35, [35]),
        ("Titre\r\n" + "a" * 154, "GSM-7", 161, [153, 8]),
        ("a" * 160, "GSM-7", 160, [160]),
        ("ê" * 70, "UCS-2", 70, [70]),
        ("ê" * 71, "UCS-2", 71, [67, 4]),
        ("", "GSM-7", 0, []),
        ("\x1b", "UCS-2", 1, [1]),
        ("ê" * 66 + "\ud83d\udea8" + "ê" * 66, "UCS-2", 134, [66, 67, 1]),
        ("\ud83d", "UCS-2", 1, [1]),
    ],
)
def test_a_text_is_cut_as_handsets_receive_it(text: str, encoding: str, units: int, sizes: list[int]) -> None:
    sent = sms(text)
    assert (sent.encoding, sent.units, sent.segments) == (encoding, units, len(sizes))
    assert [len(part) for part in sent.parts] == sizes
    assert "".join(sent.parts) == text


def test_the_alphabet_is_that_of_the_standard() -> None:
    assert len(ALPHABET) == 127  # and the escape
    assert len(set(ALPHABET + EXTENSION)) == 137
    assert sms("€") == SmsText("GSM-7", 2, 1, ("€",))


@given(st.text(st.sampled_from(ALPHABET + EXTENSION + "🚨ê\ud83d\udea8"), max_size=500))
def test_parts_make_up_the_text_and_none_is_too_long(text: str) -> None:
    sent = sms(text)
    assert "".join(sent.parts) == text
    assert sent.segments == len(sent.parts)
    room = {("GSM-7", True): 160, ("GSM-7", False): 153, ("UCS-2", True): 70, ("UCS-2", False): 67}
    for part in sent.parts:
        wide = [sign in EXTENSION if sent.encoding == "GSM-7" else sign > "\uffff" for sign in part]
        size = len(part) + sum(wide)
        assert 0 < size <= room[sent.encoding, sent.segments == 1]
    if sent.encoding == "UCS-2":
        assert sent.units == len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (QUOTED, 'Incendie : "fin d\'intervention" !'),
        ("Évacuation à Bron, où ? é è à ù É Ç ä ö ü ñ", "Évacuation à Bron, où ? é è à ù É Ç ä ö ü ñ"),
        ("ê ë î ï ô û â ç À È Ê œuvre Œuvre", "e e i i o u a c A E E oeuvre Oeuvre"),
        ("‘a’ “b” « c » ‹ d › a–b — c…", "'a' \"b\" \"c\" 'd' a-b - c..."),
        ("n°5, n° 7, N°3", "no5, no 7, No3"),
        ("20°C, 20 °C, 68\u202f°F, 48°51'N, 45°", "20 C, 20 C, 68 F, 48 deg 51'N, 45 deg"),
        ("m², 1½ h, ¼", "m2, 1 1/2 h, 1/4"),
        ("a\u00a0b\u202fc\u2009d\te", "a b c d e"),
        ("ê a\u200bb\u00adc\ufeff\x00d\x1be", "e abcde"),
        ("De\u0301but x\u0302", "Début x"),
        ("un\u2028deux\x85trois", "un\ndeux\ntrois"),
        ("5 × 3 ÷ 2 ± 1 ≤ 5 ≥ 4 → fin ← µ ‰", "5 x 3 / 2 +/- 1 <= 5 >= 4 -> fin <- u o/oo"),
        ("© ®️ ™ №5 • ﬁn", "(c) (R) (TM) No5 - fin"),
        ("Łódź, Đorđe, Þór, Ð ð þ ł ı", "Lodz, Dorde, Thor, D d th l i"),
        ("1️⃣7️⃣ ＡＢ ①", "17 AB 1"),
        ("Déjà [écrit] ~ €\r\n", "Déjà [écrit] ~ €\r\n"),
        ("", ""),
    ],
)
def test_french_is_written_without_loss(text: str, written: str) -> None:
    assert (to_gsm(text), find_losses(text)) == (written, ())


@pytest.mark.parametrize(
    ("text", "written", "lost"),
    [
        ("🚨 Alerte 🚨 feu 👮🏽‍♀️, Lieu 📍.", "Alerte feu, Lieu.", ("🚨", "👮🏽‍♀️", "📍")),
        ("Un 🚨\n🚨 Deux (🚨) a🚨b", "Un\nDeux () ab", ("🚨",)),
        ("Иванов Alexandre, 中文 🇫🇷", "Alexandre,", ("Иванов", "中文", "🇫🇷")),
        ("ℹ️ Infos ⚠", "Infos", ("ℹ️", "⚠")),
        ("10² m", "102 m", ("²",)),
        ("\ud83d x", "x", ("\ufffd",)),
        ("° x", "x", ("°",)),
        ("ê 中", "e", ("中",)),
        ("🚨 🚨🚨 x", "x", ("🚨",)),
    ],
)
def test_unwritable_characters_are_left_out_and_reported(text: str, written: str, lost: tuple[str, ...]) -> None:
    assert (to_gsm(text), find_losses(text)) == (written, lost)


@given(nasty_text(max_parts=20) | st.text(max_size=60))
def test_the_written_text_is_in_the_alphabet_and_stays_as_it_is(text: str) -> None:
    written = to_gsm(text)
    assert sms(written).encoding == "GSM-7"
    assert (to_gsm(written), find_losses(written)) == (written, ())


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_letters_and_digits_are_written_or_reported(text: str) -> None:
    if any(sign.isalnum() for sign in text):
        assert any(sign.isalnum() for sign in to_gsm(text)) or find_losses(text)
