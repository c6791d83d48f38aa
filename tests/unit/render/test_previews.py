"""Previews of odd places, times and names, on all networks and in three languages, as golden pages.

`bash .ci/run regenerate` writes the pages. Read the difference: a desk must be able to sign each text unread.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from policenotify.channel import Post
from policenotify.model import places
from policenotify.model.history import History, HistoryEntry
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.defaults import fill_defaults
from policenotify.publishing.preparation import name_place
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, Locale
from policenotify.render.locales.loader import read_locale, read_profiles
from policenotify.testing.samples import SENDER
from tests.support import golden
from tests.support.shipped_files import NETWORKS, channel_on, posted_everywhere
from tests.support.wordings import render_post

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = ROOT / "tests" / "golden" / "previews"
SOURCE: Final = ROOT / "tests" / "support" / "previews.toml"
CASES: Final[dict[str, dict[str, Any]]] = {
    case["id"]: case for case in tomllib.loads(SOURCE.read_text(encoding="utf-8"))["preview"]
}
TIMES: Final = {"starts": "starts_at", "expires": "expires_at", "next_update": "next_update_at"}
OWN: Final = {"id", "at", "zone", "stage", "follows", "same", "contact", "fold", *TIMES}
USUAL: Final = datetime(2026, 6, 5, 17, 42)  # noqa: DTZ001 - in the zone of the readers


@cache
def _german() -> Locale:
    """Return the language of the example, with English for what it lacks."""
    table = tomllib.loads((ROOT / "examples" / "words" / "de.toml").read_text(encoding="utf-8"))
    known = {name: value for name, value in table.items() if name in Locale.model_fields}
    return read_locale("de", known, base=LOCALES["en"])


@cache
def _profiles() -> dict[str, CategoryProfile]:
    return read_profiles({**LOCALES, "de": _german()}, {})


def _case(name: str) -> dict[str, Any]:
    case = CASES[name]
    if "same" in case:
        return {**_case(case["same"]), **case}
    before = _case(case["follows"]) if "follows" in case else {}
    carried: dict[str, Any] = {
        key: before[key] for key in ("category", "location", "severity", "zone", "source") if key in before
    }
    return {"language": "fr", **carried, **case}


def _at(case: dict[str, Any], name: str = "at") -> datetime:
    moment: datetime = case.get(name, USUAL).replace(tzinfo=ZoneInfo(case.get("zone", "Europe/Paris")))
    return moment.replace(fold=1) if case.get("fold") and name != "at" else moment


def _message(case: dict[str, Any]) -> Message:
    profile = PROFILES[case["category"]]
    stage = Stage(case.get("stage", "opening" if profile.opens_incident else "standalone"))
    lifecycle: dict[str, Any] = {"stage": stage}
    if stage is not Stage.STANDALONE:
        lifecycle["incident"] = "2026-4711"
    if stage is Stage.CORRECTION:
        lifecycle["corrects"] = "0" * 26
    fields = {key: value for key, value in case.items() if key not in OWN | {"language"}}
    times = {field: _at(case, key) for key, field in TIMES.items() if key in case}
    message = Message.model_validate({**fields, **times, "lifecycle": Lifecycle(**lifecycle)})
    message = name_place(message)
    return fill_defaults(
        message,
        profile,
        sender=SENDER if message.location and message.location.department == "34" else "Police nationale",
        incident=message.incident,
    )


def _history(case: dict[str, Any]) -> History:
    if "follows" not in case:
        return History()
    before = _case(case["follows"])
    earlier = _history(before).entries
    number = len(earlier)
    posts, name = posted_everywhere(case.get("language", "fr")), f"{number:026d}"
    entry = HistoryEntry(publication=name, sequence=number + 1, message=_message(before), at=_at(before), posts=posts)
    return History(incident="2026-4711", entries=(*earlier, entry))


def _posts(name: str) -> list[tuple[str, Post]]:
    """Return each wording with the network and the form that it has there."""
    case = _case(name)
    message, history, language = _message(case), _history(case), case["language"]
    profile = _profiles()[message.category]
    commune = message.location.commune_name if message.location else None
    found = []
    for network in NETWORKS:
        channel = channel_on(network)
        answers = history.entries if channel.capabilities.replies else ()
        rendered = render_post(
            message,
            channel,
            history=history,
            at=_at(case),
            language=language,
            locale=_german() if language == "de" else None,
            profile=profile.model_copy(update={"contact": {"fr": case["contact"]}}) if "contact" in case else profile,
            zone=ZoneInfo(case.get("zone", "Europe/Paris")),
            reference="K7Q2M" if message.incident else "",
            is_shared=bool(commune) and places.is_shared(commune or ""),
        )
        found += [(f"{network}, in the thread", rendered.reply)] if answers and rendered.reply else []
        found.append((f"{network}, alone" if answers else network, rendered.alone))
        found += [(f"{network}, continued", post) for post in rendered.continuations]
    return found


def _page(name: str) -> str:
    case = _case(name)
    when = f"{_at(case):%Y-%m-%d %H:%M} {case.get('zone', 'Europe/Paris')}"
    lines = [f"{name}: {case['category']}, {case.get('stage', 'first')}, {case['language']}, {when}"]
    shown = sorted(_posts(name), key=lambda found: (found[1].html != "", found[1].text, found[0]))
    for (mail, text), same in groupby(shown, key=lambda found: (found[1].html != "", found[1].text)):
        group = list(same)
        lines += ["", f"--- {' · '.join(form for form, _ in group)}"]
        lines += [f"Subject: {group[0][1].title}", ""] if mail else []
        lines += [text.rstrip("\n")]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_a_preview_reads_as_on_its_page(name: str) -> None:
    golden.check(PAGES / f"{name}.txt", _page(name))


def test_there_is_a_page_for_each_preview_and_no_other() -> None:
    golden.check_names(PAGES, CASES)


def test_the_previews_show_three_languages_and_every_stage() -> None:
    assert {_case(name)["language"] for name in CASES} == {"fr", "en", "de"}
    assert {str(_case(name).get("stage")) for name in CASES} >= {"update", "end", "correction", "cancellation"}
