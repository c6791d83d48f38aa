"""Record the missing answers of the oracles for some texts: `python -m tests.oracles.record`, with node.

Writes `tests/unit/text/vectors/oracles.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.oracles.texts import asked, settled, texts

VECTORS: Final = Path(__file__).parents[1] / "unit" / "text" / "vectors" / "oracles.json"


def main() -> None:
    """Ask, and write."""
    given = sorted(set(texts(seed=2026, count=450)))
    said = zip(
        given, asked("x.mjs", given), asked("sms.mjs", given), asked("graphemes.mjs", given)["counts"], strict=True
    )
    rows = [_row(text, x, sms, count) for text, x, sms, count in said]
    lines = ",\n".join(json.dumps(row) for row in rows)
    VECTORS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    sys.stdout.write(f"{len(rows)} texts\n")


def _row(text: str, x: dict[str, Any], sms: dict[str, Any], count: int) -> dict[str, Any]:
    """Return the answers to one text: of X, and of the others where they apply."""
    entities = [[one["kind"], *one["indices"], one["value"]] for one in x["entities"]]
    row = {"text": text, "weight": x["weight"], "valid": x["valid"], "entities": entities}
    if not sms["clustered"] and text:
        row["sms"] = [sms["encoding"], sms["parts"]]
    if settled(text):
        row["graphemes"] = count
    return row


if __name__ == "__main__":
    main()
