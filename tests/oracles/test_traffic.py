"""CIFS and DATEX II beside the schemas of their standards, which xmllint reads.

The licences of the schemas do not allow them here. `POLICENOTIFY_SCHEMAS` names a folder with `cifsv2.xsd` of Waze and
the files `DATEXII_3_*.xsd` of DATEX II version 3.1.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from policenotify.formats.cifs import cifs
from policenotify.formats.datex import datex
from policenotify.formats.feed import Feed
from policenotify.model.message import Message
from tests.support.feed_items import NOW, make_feed, make_item

SCHEMAS: Final = Path(os.environ.get("POLICENOTIFY_SCHEMAS", "/nonexistent"))
_CATEGORIES: Final = (
    "traffic_accident", "road_closure", "traffic_disruption", "bomb_disposal", "police_operation", "fire",
    "demonstration", "planned_event",
)  # fmt: skip
_PLACE: Final = {
    "commune": "34172",
    "road": {"road": "A9", "direction": "Béziers → Montpellier"},
    "precision": "exact",
    "point": {"latitude": 43.6, "longitude": 3.88},
}
_LINE: Final = {"coordinates": [[3.84, 43.59], [3.85, 43.6]]}

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not SCHEMAS.is_dir(), reason="POLICENOTIFY_SCHEMAS names no folder of schemas"),
]


def _message(stage: str, category: str, **fields: Any) -> Message:
    usual = {"category": category, "headline": "Route <fermée> & déviée", "instruction": "Évitez le secteur."}
    lifecycle = {"stage": stage, "incident": "i1"}
    return Message.model_validate(
        {"lifecycle": lifecycle, "location": {**_PLACE, "polyline": _LINE}, **usual, **fields}
    )


def _feeds() -> Iterator[Feed]:
    yield make_feed()
    later = NOW + timedelta(minutes=10)
    for category in _CATEGORIES:
        opening = make_item(_message("opening", category, severity="Severe", expires_at=NOW + timedelta(hours=2)))
        yield make_feed(opening)
        yield make_feed(make_item(_message("opening", category, location={**_PLACE, "precision": "street"})))
        for stage in ("end", "cancellation"):
            final = make_item(_message(stage, category), name=stage, at=later, answers=opening)
            yield make_feed(opening, final, now=later)


def _validate(schema: str, content: bytes) -> None:
    asked = ["xmllint", "--nonet", "--noout", "--schema", str(SCHEMAS / schema), "-"]
    result = subprocess.run(asked, input=content, capture_output=True, check=False)  # noqa: S603 - our own line
    assert result.returncode == 0, result.stderr.decode()


@pytest.mark.parametrize("feed", tuple(_feeds()))
def test_the_files_for_traffic_partners_are_valid(feed: Feed) -> None:
    _validate("cifsv2.xsd", cifs(feed)["cifs.xml"])
    _validate("DATEXII_3_MessageContainer.xsd", datex(feed))
