"""What the terminal shows of words from elsewhere."""

from __future__ import annotations

import pytest

from policenotify.cli.output import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Accident\x1b[2J", "Accident\ufffd[2J"),
        ("Accident\x9b1m", "Accident\ufffd1m"),
        ("Accident \u202egpj.exe\u2066", "Accident gpj.exe"),
        ("Acci\u200bdent\U000e0041\ufeff", "Accident"),
        ("Route barrée\n\n  à « Évian » 👮\u200d♀️\ufe0f", "Route barrée\n\n  à « Évian » 👮\u200d♀️"),
        ("Route barrée", "Route barrée"),
    ],
)
def test_no_text_moves_the_cursor_or_hides_a_letter(text: str, shown: str) -> None:
    assert plain(text) == shown
