"""Nothing finer than the precision of the category, and no id of the dispatch system, is in any file of a feed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from policenotify.formats.drawing import draw
from policenotify.model.cap import Precision
from policenotify.model.location import Location
from policenotify.render.locales import PROFILES
from policenotify.testing import strategies
from policenotify.testing.samples import SAMPLES
from tests.support.feed_items import SITE, make_feed, sample_items

_OPENINGS = [sample.id for sample in SAMPLES if sample.message.incident and sample.id.endswith("/opening")]
_DISPATCH = "DISPATCH-2026-4711"
_MARKS = {"street": "rue Zyxwvu", "district": "quartier Tsrqpo", "between": ("rue Nmlkji", "rue Hgfedc")}
_FINENESS = {"street": Precision.STREET, "between": Precision.STREET, "district": Precision.DISTRICT}


def _numbers(value: object) -> Iterator[str]:
    """Yield each coordinate that has more than four decimals as it is written, up to the fifth."""
    for number in re.findall(r"\d+\.\d{5,}", json.dumps(value)):
        yield number[: number.index(".") + 6]


@given(place=strategies.locations(), name=st.sampled_from(_OPENINGS), taken_down=st.booleans())
def test_no_file_is_finer_than_the_category(place: Location, name: str, *, taken_down: bool) -> None:
    sample = next(one for one in SAMPLES if one.id == name)
    typed = Location.model_validate({**place.model_dump(), **_MARKS, "label": None})
    blurred = typed.blur(PROFILES[sample.message.category].precision)
    lifecycle = sample.resolved.lifecycle.model_copy(update={"incident": _DISPATCH})
    [opening] = sample_items(name, changes={"location": blurred, "lifecycle": lifecycle})
    feed = make_feed(opening, site=replace(SITE, cap_sender="alerte@police34.example"))
    if taken_down:
        feed = replace(feed, items=(opening.withdrawn(opening.published_at + timedelta(minutes=5)),))

    drawn = "\n".join(content.decode() for path, content in draw(feed).items() if path)

    public = json.dumps(blurred.model_dump(mode="json"))
    allowed = {*_numbers(json.loads(public)), *(f"{float(number):.5f}" for number in re.findall(r"\d+\.\d+", public))}
    finer = set(_numbers(typed.model_dump(mode="json"))) - allowed
    assert [number for number in finer if number in drawn] == []
    assert _DISPATCH not in drawn
    for field, precision in _FINENESS.items():
        if precision.rank > (blurred.precision or Precision.EXACT).rank:
            words = [_MARKS[field]] if isinstance(_MARKS[field], str) else _MARKS[field]
            assert [word for word in words if str(word).split()[-1] in drawn] == []


def test_the_numbers_would_be_found() -> None:
    exact = Location.model_validate({"point": {"latitude": 43.6112341, "longitude": 3.8767229}})
    [opening] = sample_items(_OPENINGS[0], changes={"location": exact})

    drawn = b"\n".join(draw(make_feed(opening)).values()).decode()

    assert {number in drawn for number in _numbers(exact.model_dump(mode="json"))} == {True}
