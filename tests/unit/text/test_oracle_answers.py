"""Recorded answers of X's JavaScript, ICU and a gateway's calculator to texts of `tests/oracles`."""

from __future__ import annotations

import json
from pathlib import Path

from policenotify.text import graphemes, sms, x_weight

ROWS = json.loads((Path(__file__).parent / "vectors" / "oracles.json").read_text(encoding="utf-8"))


def test_no_text_weighs_less_than_on_x() -> None:
    assert len(ROWS) > 400
    assert [row["text"] for row in ROWS if x_weight(row["text"]) < row["weight"]] == []


def test_readers_see_as_many_characters_as_icu() -> None:
    rows = [row for row in ROWS if "graphemes" in row]
    assert len(rows) > 300
    assert [graphemes(row["text"]) for row in rows] == [row["graphemes"] for row in rows]


def test_an_sms_is_counted_as_by_a_gateway() -> None:
    rows = [row for row in ROWS if "sms" in row]
    assert len(rows) > 150
    sent = [sms(row["text"]) for row in rows]
    assert [[one.encoding, [*one.parts]] for one in sent] == [row["sms"] for row in rows]
