"""A page of all wordings for each category, with all its stages on all networks.

The texts are in `category_texts.toml`. `bash .ci/run regenerate` writes the pages.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pytest

from policenotify.channel import ChannelConfig, Post
from policenotify.checks import CheckContext, run_checks
from policenotify.model import places
from policenotify.model.cap import Severity
from policenotify.model.history import History, HistoryEntry
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.publishing.defaults import fill_defaults
from policenotify.publishing.preparation import name_place
from policenotify.render.locales import PROFILES
from policenotify.testing.samples import PARIS, SENDER
from tests.support import golden
from tests.support.shipped_files import NETWORKS, channel_on, posted_everywhere
from tests.support.wordings import render_post

PAGES: Final = Path(__file__).parents[2] / "golden" / "categories"
AT: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
INCIDENT, FIRST = "2026-4711", "01JZ0000000000000000000001"

TEXTS: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("category_texts.toml").read_text(encoding="utf-8")
)
_FIELDS: Final = ("headline", "description", "instruction")
_AFTER: Final = {Stage.CORRECTION: 13, Stage.CANCELLATION: 20, Stage.UPDATE: 33, Stage.END: 110}  # minutes


def _at(category: str, stage: Stage) -> datetime:
    given = TEXTS[category][stage].get("at")
    return given.replace(tzinfo=PARIS) if given else AT + timedelta(minutes=_AFTER.get(stage, 0))


def _message(category: str, stage: Stage) -> Message:
    profile, texts = PROFILES[category], dict(TEXTS[category][stage])
    lifecycle: dict[str, str] = {"stage": stage}
    if profile.opens_incident:
        lifecycle["incident"] = INCIDENT
    if stage is Stage.CORRECTION or (stage is Stage.CANCELLATION and not profile.opens_incident):
        lifecycle["corrects"] = FIRST
    texts.pop("at", None)
    french, english = texts.pop("fr"), texts.pop("en")
    times = {name: value.replace(tzinfo=PARIS) for name, value in texts.items() if isinstance(value, datetime)}
    message = Message.model_validate(
        {
            "category": category,
            "location": TEXTS[category]["location"],
            "basis": TEXTS[category].get("basis", ()),
            **dict(zip(_FIELDS, french, strict=True)),
            "translations": [{"language": "en", **dict(zip(_FIELDS, english, strict=True))}],
            "lifecycle": lifecycle,
            **texts,
            **times,
        }
    )
    return fill_defaults(
        name_place(message),
        profile,
        sender=SENDER,
        incident=message.incident,
        history=_history(category, stage),
        now=_at(category, stage),
    )


def _stages(category: str) -> tuple[Stage, ...]:
    if PROFILES[category].opens_incident:
        return (Stage.OPENING, Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION)
    return (Stage.STANDALONE, Stage.CORRECTION, Stage.CANCELLATION)


def _history(category: str, stage: Stage) -> History:
    first = _stages(category)[0]
    if stage is first:
        return History()
    at, posts = _at(category, first), posted_everywhere()
    entry = HistoryEntry(publication=FIRST, sequence=1, message=_message(category, first), at=at, posts=posts)
    return History(incident=INCIDENT, entries=(entry,))


def _posts(category: str, stage: Stage, language: str) -> list[tuple[str, ChannelConfig, Post]]:
    """Return the texts by network and wording."""
    begins = stage in {Stage.OPENING, Stage.STANDALONE}
    message, history, at = _message(category, stage), _history(category, stage), _at(category, stage)
    reference = "K7Q2M" if PROFILES[category].opens_incident else ""
    found = []
    for network in NETWORKS:
        channel = channel_on(network)
        wording = render_post(message, channel, history=history, at=at, language=language, reference=reference)
        answers = channel.capabilities.replies and not begins
        if answers and wording.reply:
            found.append((f"{network}, in the thread", channel, wording.reply))
        found.append((f"{network}{', alone' if answers else ''}", channel, wording.alone))
    return found


def _page(category: str) -> str:
    profile = PROFILES[category]
    lines = [f"{category}: {profile.label('fr')} · {profile.label('en')} · {profile.severity}"]
    for stage in _stages(category):
        for language in ("fr", "en"):
            lines += ["", f"=== {stage}, {language}"]
            severity = _message(category, stage).severity
            posts = sorted(_posts(category, stage, language), key=lambda found: found[2].title and found[2].html != "")
            told = sorted(((post.html != "", post.text, name, channel, post) for name, channel, post in posts), key=str)
            for (mail, text), same in groupby(told, key=lambda found: found[:2]):
                group = list(same)
                counts = [f"{name} {_count(channel, post, severity)}" for _, _, name, channel, post in group]
                lines += ["", f"--- {' · '.join(counts)}"]
                lines += [f"Subject: {group[0][4].title}", ""] if mail else []
                lines += [text.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _count(channel: ChannelConfig, post: Post, severity: Severity | None) -> str:
    budget = channel.capabilities.for_severity(severity).budget
    used, limit = budget.usage(post.text)
    described = budget.describe
    return f"{used}/{limit}{f' ({described(post.text)})' if described else ''}"


@pytest.mark.parametrize("category", PROFILES)
def test_a_category_reads_as_on_its_page(category: str) -> None:
    golden.check(PAGES / f"{category}.txt", _page(category))


@pytest.mark.parametrize("category", PROFILES)
def test_each_text_may_be_published_as_it_stands(category: str) -> None:
    for stage in _stages(category):
        context = CheckContext(
            message=_message(category, stage),
            profile=PROFILES[category],
            history=_history(category, stage),
            is_commune=lambda code: places.commune(code) is not None,
            now=_at(category, stage),
            zone=PARIS,
        )
        assert [str(finding) for finding in run_checks(context)] == []


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("category", PROFILES)
def test_mastodon_links_every_hashtag_that_it_is_given(category: str, language: str) -> None:
    for stage in _stages(category):
        for name, _, post in _posts(category, stage, language):
            if name.startswith("mastodon"):
                linked = re.findall(r"(?<!\S)#([^\W_]+)", post.text)  # since 4.6 it wants a space before a hashtag
                assert linked == [span.value for span in post.spans if span.kind == "tag"], name
                assert linked


def test_there_is_a_page_for_each_category_and_no_other() -> None:
    assert list(TEXTS) == list(PROFILES), "Write the texts of each category in tests/unit/render/category_texts.toml."
    golden.check_names(PAGES, PROFILES)
