"""A message in the context that its checks look at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from policenotify.checks import CheckContext
from policenotify.model import places
from policenotify.model.history import History
from policenotify.model.message import Message
from policenotify.render.locales import PROFILES, CategoryProfile
from policenotify.testing.samples import PARIS

NOW: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
NAMELESS: Final = CategoryProfile(code="drone", labels={"fr": "Drone"}, opens_incident=True)


def context(history: History | None = None, **fields: Any) -> CheckContext:
    """Return the context of an opening, a traffic accident unless the fields state another.

    The settings of the category name no source and no contact, so that the texts must.
    """
    usual = {
        "category": "traffic_accident",
        "lifecycle": {"stage": "opening", "incident": "i1"},
        "location": {"commune": "34172", "street": "avenue de Toulouse"},
        "headline": "Accident de la circulation",
        "instruction": "Évitez le secteur.",
        "next_update_at": NOW + timedelta(minutes=30),
    }
    message = Message.model_validate({**usual, **fields})
    return CheckContext(
        message=message,
        profile=(PROFILES.get(message.category) or NAMELESS).model_copy(update={"source": {}, "contact": {}}),
        history=history or History(),
        is_commune=lambda code: places.commune(code) is not None,
        communes_meant=places.meant_by,
        communes_named=lambda name: frozenset(each.code for each in places.communes_named(name)),
        zone=PARIS,
        now=NOW,
    )
