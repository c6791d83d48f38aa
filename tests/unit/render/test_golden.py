"""A page of all wordings for each category, with all its stages on all networks.

`python tests/unit/render/test_golden.py` writes the pages again. Review the difference before committing it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from policenotify.channel import ChannelConfig, Post
from policenotify.model import places
from policenotify.model.history import History, HistoryEntry, Target
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Message, Translation
from policenotify.publishing.defaults import fill_defaults
from policenotify.render import RenderContext, render
from policenotify.render.locales import LOCALES, PROFILES
from policenotify.testing.samples import PARIS, SENDER
from policenotify.text import mastodon_entities
from tests.support.shipped_files import NETWORKS, channel_on

PAGES: Final = Path(__file__).parents[2] / "golden" / "categories"
AT: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
INCIDENT, FIRST = "2026-4711", "01JZ0000000000000000000001"

# The event in French and English, the instruction, and the text of the end.
_EVENTS: Final = {
    "traffic_accident": ("Accident entre deux véhicules", "Collision between two vehicles"),
    "road_closure": ("Rue coupée à la circulation", "Street closed to traffic"),
    "traffic_disruption": ("Ralentissements importants", "Heavy traffic"),
    "bomb_disposal": ("Colis suspect, démineurs sur place", "Suspicious package, bomb disposal at work"),
    "police_operation": ("Opération de police", "Police operation"),
    "armed_threat": ("Individu armé recherché", "Armed person at large"),
    "arrest": ("Deux interpellations pour vol avec violence", "Two arrests for robbery"),
    "fire": ("Feu d'entrepôt, fumées abondantes", "Warehouse fire, heavy smoke"),
    "demonstration": ("Manifestation dans le centre-ville", "Demonstration in the town centre"),
    "planned_event": ("Festival, rues piétonnes", "Festival, streets closed to cars"),
    "missing_person": ("Disparition d'une adolescente de 15 ans", "A girl of 15 is missing"),
    "witness_appeal": ("Appel à témoins après un accident mortel", "Witnesses of a fatal accident wanted"),
    "child_abduction_relay": ("Alerte enlèvement déclenchée", "Child abduction alert in force"),
    "weather_relay": ("Vigilance orange orages", "Orange warning: storms"),
    "scam_cyber": ("Faux conseillers bancaires", "False bank advisers"),
    "burglary_prevention": ("Vacances : faites surveiller votre logement", "Holidays: have your home watched"),
    "road_safety": ("Trottinette : casque et éclairage", "Scooters: helmet and lights"),
    "recruitment": ("Devenez gardien de la paix", "Become a police officer"),
    "fact_check": ("Non, le tribunal n'a pas été évacué", "No, the court was not evacuated"),
}


_FIELDS = ("headline", "description", "instruction")


def _message(category: str, stage: Stage) -> Message:
    profile = PROFILES[category]
    french, english = _EVENTS[category]
    lifecycle: dict[str, str] = {"stage": stage}
    if profile.opens_incident:
        lifecycle["incident"] = INCIDENT
    if stage is Stage.CORRECTION or (stage is Stage.CANCELLATION and not profile.opens_incident):
        lifecycle["corrects"] = FIRST
    said: dict[Stage, tuple[str, str, str, str, str, str]] = {
        Stage.OPENING: (french, "", "Évitez le secteur.", english, "", "Avoid the area."),
        Stage.STANDALONE: (french, "", "Appelez le 17 en cas de doute.", english, "", "If in doubt, call 17."),
        Stage.UPDATE: (
            "La situation évolue",
            "",
            "Évitez toujours le secteur.",
            "The situation has changed",
            "",
            "Keep away.",
        ),
        Stage.END: (
            "Fin d'intervention",
            "Vous pouvez circuler normalement.",
            "",
            "It is over",
            "Traffic is back to normal.",
            "",
        ),
        Stage.CORRECTION: (
            f"{french} : rue de la Loge et non place Jean-Jaurès",
            "",
            "",
            f"{english}: rue de la Loge",
            "",
            "",
        ),
        Stage.CANCELLATION: ("Fausse alerte", "", "", "False alarm", "", ""),
    }
    headline, description, instruction, *other = said[stage]
    message = Message(
        category=category,
        headline=headline,
        description=description,
        instruction=instruction,
        location=Location(commune="34172", street="rue de la Loge"),
        next_update_at=AT + timedelta(minutes=48) if profile.opens_incident and stage is Stage.OPENING else None,
        link="https://police34.example/info" if stage is Stage.STANDALONE else None,
        translations=(Translation(language="en", **dict(zip(_FIELDS, other, strict=True))),),
        lifecycle=Lifecycle.model_validate(lifecycle),
    )
    commune = places.commune("34172")
    assert commune
    return fill_defaults(
        message,
        profile,
        sender=SENDER,
        commune_name=commune.name,
        department_name="Hérault",
        department="34",
        incident=message.incident,
    )


def _stages(category: str) -> tuple[Stage, ...]:
    if PROFILES[category].opens_incident:
        return (Stage.OPENING, Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION)
    return (Stage.STANDALONE, Stage.CORRECTION, Stage.CANCELLATION)


def _posts(category: str, stage: Stage, language: str) -> list[tuple[str, ChannelConfig, Post]]:
    """Return the texts by network and wording."""
    begins = stage in {Stage.OPENING, Stage.STANDALONE}
    first = HistoryEntry(publication=FIRST, sequence=1, message=_message(category, _stages(category)[0]), at=AT)
    history = History() if begins else History(incident=INCIDENT, entries=(first,))
    scene = RenderContext(
        message=_message(category, stage),
        language=language,
        locale=LOCALES[language],
        profile=PROFILES[category],
        now=AT + timedelta(minutes=0 if begins else 33),
        zone=PARIS,
        sender=SENDER,
        history=history,
        reference="K7Q2M" if PROFILES[category].opens_incident else "",
    )
    found = []
    for network in NETWORKS:
        channel = channel_on(network)
        wording = render(
            scene,
            Target(
                channel=network,
                account=channel.account,
                language=language,
                reply_to=(FIRST,) if channel.capabilities.replies and not begins else (),
            ),
            channel=channel,
            key="0" * 64,
        )
        if wording.reply:
            found.append((f"{network}, in the thread", channel, wording.reply))
        found.append((f"{network}{', alone' if wording.reply else ''}", channel, wording.standalone))
    return found


def _page(category: str) -> str:
    profile = PROFILES[category]
    lines = [f"{category}: {profile.label('fr')} · {profile.label('en')} · {profile.severity}"]
    for stage in _stages(category):
        for language in ("fr", "en"):
            lines += ["", f"=== {stage}, {language}"]
            posts = sorted(_posts(category, stage, language), key=lambda found: found[2].title and found[2].html != "")
            told = sorted(((post.html != "", post.text, name, channel, post) for name, channel, post in posts), key=str)
            for (mail, text), same in groupby(told, key=lambda found: found[:2]):
                group = list(same)
                counts = [f"{name} {_count(channel, post)}" for _, _, name, channel, post in group]
                lines += ["", f"--- {' · '.join(counts)}"]
                lines += [f"Subject: {group[0][4].title}", ""] if mail else []
                lines += [text.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _count(channel: ChannelConfig, post: Post) -> str:
    used, limit = channel.capabilities.budget.usage(post.text)
    described = channel.capabilities.budget.describe
    return f"{used}/{limit}{f' ({described(post.text)})' if described else ''}"


@pytest.mark.parametrize("category", PROFILES)
def test_a_category_reads_as_on_its_page(category: str) -> None:
    assert _page(category) == (PAGES / f"{category}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("category", PROFILES)
def test_mastodon_links_every_hashtag_that_it_is_given(category: str, language: str) -> None:
    for stage in _stages(category):
        for name, _, post in _posts(category, stage, language):
            if name.startswith("mastodon"):
                linked = [one.value for one in mastodon_entities(post.text) if one.kind == "hashtag"]
                assert linked == [span.value for span in post.spans if span.kind == "tag"], name
                assert linked


def test_there_is_a_page_for_each_category_and_no_other() -> None:
    assert sorted(page.stem for page in PAGES.iterdir()) == sorted(PROFILES)
    assert set(_EVENTS) == set(PROFILES)


if __name__ == "__main__":
    PAGES.mkdir(parents=True, exist_ok=True)
    for stale in {page for page in PAGES.iterdir() if page.stem not in PROFILES}:
        stale.unlink()
    for one in PROFILES:
        (PAGES / f"{one}.txt").write_text(_page(one), encoding="utf-8")
