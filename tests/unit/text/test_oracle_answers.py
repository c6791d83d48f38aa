"""Recorded answers of X's JavaScript, ICU and a gateway's calculator to texts of `tests/oracles`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policenotify.text import graphemes, sms, x_entities, x_valid, x_weight
from policenotify.text._data.tlds import FROZEN
from policenotify.text.x_entities import join_surrogates, to_utf16

ROWS = json.loads((Path(__file__).parent / "vectors" / "oracles.json").read_text(encoding="utf-8"))


def test_texts_are_measured_as_the_oracles_do() -> None:
    different = [(ascii(row["text"]), ours, row) for row in ROWS for ours in [_ours(row)] if ours != row]
    assert different == []


def _ours(row: dict[str, Any]) -> dict[str, Any]:
    text = row["text"]
    places = [len(to_utf16(text[:place])) for place in range(len(text) + 1)]
    found = x_entities(text, tlds=FROZEN)
    sent = sms(text)
    said = {
        "text": text,
        "weight": x_weight(text, tlds=FROZEN),
        "valid": x_valid(text, tlds=FROZEN),
        "entities": [[one.kind, places[one.start], places[one.end], join_surrogates(one.value)] for one in found],
        "sms": [sent.encoding, [*sent.parts]],
        "graphemes": graphemes(text),
    }
    return {name: said[name] for name in row}


def test_enough_was_recorded() -> None:
    assert len(ROWS) > 400
    assert sum("graphemes" in row for row in ROWS) > 300
    assert sum("sms" in row for row in ROWS) > 150
    assert sum(len(row["entities"]) for row in ROWS) > 200
