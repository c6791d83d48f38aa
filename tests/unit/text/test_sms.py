"""SMS: alphabet, segments, and French in that alphabet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text import find_losses, sms, to_gsm
from policenotify.text.sms import ALPHABET, EXTENSION

QUOTED = "Incendie : «\u00a0fin d\u2019intervention\u00a0»\u202f!"


# All agree: smsutil, sms-toolkit, npm sms-segments-calculator and split-sms.
@pytest.mark.parametrize(
    ("text", "encoding", "units", "sizes"),
    [
        ("ç" * 66 + "🚨" + "z" * 10, "UCS-2", 78, [66, 11]),
        ("a" * 152 + "€" + "b" * 150 + "€", "GSM-7", 306, [152, 151, 1]),
        ("\ud83d", "UCS-2", 1, [1]),
    ],
)
def test_a_text_is_cut_as_handsets_receive_it(text: str, encoding: str, units: int, sizes: list[int]) -> None:
    sent = sms(text)
    assert (sent.encoding, sent.units, sent.segments) == (encoding, units, len(sizes))
    assert [len(part) for part in sent.parts] == sizes
    assert "".join(sent.parts) == text


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
        ("‘a’ “b” « c » ‹ d › a–b — c…", "'a' \"b\" \"c\" 'd' a-b - c..."),
        ("n°5, n° 7, N°3", "no5, no 7, No3"),
        ("De\u0301but x\u0302", "Début x"),
        ("5 × 3 ÷ 2 ± 1 ≤ 5 ≥ 4 → fin ← µ ‰", "5 x 3 / 2 +/- 1 <= 5 >= 4 -> fin <- u o/oo"),
        ("Déjà [écrit] ~ €\r\n", "Déjà [écrit] ~ €\r\n"),
    ],
)
def test_french_is_written_without_loss(text: str, written: str) -> None:
    assert (to_gsm(text), find_losses(text)) == (written, ())


@pytest.mark.parametrize(
    ("text", "written", "lost"),
    [
        ("🚨 Alerte 🚨 feu 👮🏽‍♀️, Lieu 📍.", "Alerte feu, Lieu.", ("🚨", "👮🏽‍♀️", "📍")),
        ("Иванов Alexandre, 中文 🇫🇷", "Alexandre,", ("Иванов", "中文", "🇫🇷")),
        ("ℹ️ Infos ⚠", "Infos", ("ℹ️", "⚠")),
        ("\ud83d x", "x", ("\ufffd",)),
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
