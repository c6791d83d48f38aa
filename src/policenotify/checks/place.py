"""Checks of the place: that it is stated, exists, and has no house number."""

from __future__ import annotations

from collections.abc import Iterator

from policenotify.checks.check import FIVE_CONTENTS, CheckContext, Remark, check
from policenotify.checks.wording import alts_of, visible_texts
from policenotify.findings import Level
from policenotify.model.cap import CapCategory
from policenotify.render.redaction import house_numbers


@check(
    "PN101",
    basis=f"{FIVE_CONTENTS}: place; repeated at every stage, since each may be the only one that a reader sees.",
    field="location",
)
def place_stated(context: CheckContext) -> Iterator[Remark]:
    """Require a commune, a road or a label, and for the weather at least an area."""
    place, wide = context.message.location, CapCategory.MET in context.profile.cap_categories
    stated = place and (place.commune or place.road or place.label or (wide and (place.department or place.epci)))
    if context.of_incident and not stated:
        yield Remark(
            "Readers cannot see where it is.", "Give the commune (its INSEE code), a numbered road, or a label."
        )


@check(
    "PN102",
    basis="INSEE, Code officiel géographique. What follows may name the opening's commune even if it has merged.",
    field="location.commune",
)
def commune_exists(context: CheckContext) -> Iterator[Remark]:
    """Require the INSEE code of a present commune, or of one in the history."""
    commune = context.message.location and context.message.location.commune
    earlier = {entry.message.location.commune for entry in context.history.entries if entry.message.location}
    if commune and commune not in earlier and not context.is_commune(commune):
        yield Remark(
            f"No commune has the INSEE code {commune} today.",
            "Give the INSEE code, not the postcode; if communes have merged, give the new commune's.",
        )


@check(
    "PN210",
    basis="Code pénal, art. 223-1-1 and 226-1: what lets people find a person's home.",
    levels=(Level.WARNING,),
)
def house_not_named(context: CheckContext) -> Iterator[Remark]:
    """Report house numbers that are removed before publication."""
    typed = context.typed or context.message
    before, after = ({**dict(visible_texts(message)), **dict(alts_of(message))} for message in (typed, context.message))
    for field, parts in house_numbers(typed, (entry.message for entry in context.history.entries)):
        if parts and before[field] != after[field]:
            yield Remark(
                f"{', '.join(f'“{part}”' for part in parts)} would reveal which house it is. "
                "It is removed before publication.",
                "Leave it out. If readers must know the house, allow it for the category: precision = exact.",
                field=field,
            )
