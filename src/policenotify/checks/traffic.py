"""Advice on closures that traffic partners do not get."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from policenotify.checks.check import CALLS_TO_ACT, CheckContext, Remark, check
from policenotify.findings import Level
from policenotify.formats.roads import Gap, find_gap, is_only_a_hazard, road_kind
from policenotify.model.location import Location

_REASONS: Final = MappingProxyType(
    {
        Gap.CATEGORY: (
            "Navigation services and road operators do not get it: its category is not one of roads.",
            "If the road is closed, publish the closure as road_closure.",
        ),
        Gap.PLACE: (
            "Navigation services and road operators do not get it: it has no line along the road.",
            "Give the closed stretch: --polyline '43.6109,3.8772 43.6121,3.8790'.",
        ),
        Gap.STREET: (
            "Navigation services and road operators do not get it: it names no street.",
            "Give --street or --road.",
        ),
        Gap.END: (
            "Navigation services and road operators do not get it: it stands alone and has no end.",
            "Give --expires, or open an incident and end it.",
        ),
    }
)


@check(
    "PN117",
    basis="CIFS: a closure needs a line and a street. What is blurred does not show which road is closed.",
    field="location.polyline",
    levels=(Level.ADVISE,),
)
def told_to_traffic_partners(context: CheckContext) -> Iterator[Remark]:
    """Explain why traffic partners do not get a closure, if a feed has `cifs` or `datex`."""
    message, typed = context.message, (context.typed or context.message).location
    drawn, kind = bool(typed and typed.polyline), road_kind(message.category)
    if not context.traffic or message.stage not in CALLS_TO_ACT or not (drawn or kind):
        return
    place = message.location or _last_place(context)
    gap = find_gap(message, place, points="cifs" not in context.traffic)
    if gap is Gap.PLACE and drawn:
        yield Remark(
            "Navigation services and road operators do not get it: its place is published less finely than the line.",
            "State a finer precision if the category allows it, and a line longer than 100 m.",
        )
    elif gap and gap in _REASONS:
        yield Remark(*_REASONS[gap])
    elif gap is None and kind and place and "cifs" in context.traffic and is_only_a_hazard(kind, place):
        yield Remark(
            "Navigation services show a hazard and do not close the road: its place is not published exactly.",
            "If the road is closed to all, publish the closure as road_closure with the precision exact.",
        )


def _last_place(context: CheckContext) -> Location | None:
    places = (entry.message.location for entry in reversed(context.history.entries))
    return next(filter(None, places), None)
