"""The channels that a message goes to, and the posts that it replies to there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, StateStore
from policenotify.errors import SettingsError
from policenotify.model import places
from policenotify.model.cap import Severity
from policenotify.model.history import Damage, History, HistoryEntry, Outcome, PostedPart, Target
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import Message
from policenotify.publishing.routing import (
    Route,
    choose_targets,
)
from policenotify.testing.samples import PARIS
from policenotify.testing.strategies import histories, messages
from policenotify.text import Budget

AT: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
IDS: Final = tuple(f"01JZ000000000000000000000{number}" for number in range(1, 5))


def _never(_clock: Clock, _keep: StateStore) -> Channel:
    raise AssertionError("a plan opens no channel")


def _channel(name: str, *, replies: bool = True, **how: Any) -> ChannelConfig:
    capabilities = Capabilities(budget=Budget(300), replies=replies)
    given = {"network": "any", "account": f"{name}.example", "capabilities": capabilities, "open": _never, **how}
    return ChannelConfig(name=name, **given)


BLUESKY: Final = _channel("bluesky", tags=frozenset({"public"}))
MAIL: Final = _channel("mail", replies=False, tags=frozenset({"public", "press"}))
EXPATS: Final = _channel("expats", languages=("en", "fr"), tags=frozenset({"public"}))
OLD: Final = _channel("old", retired=True, tags=frozenset({"public"}))
DRILL: Final = _channel("drill", exercise=True)
ALL: Final = (BLUESKY, MAIL, EXPATS, OLD, DRILL)

ENGLISH: Final = {"language": "en", "headline": "Road accident", "instruction": "Avoid the area."}


def _message(stage: str = "opening", **fields: Any) -> Message:
    lifecycle: dict[str, str] = {"stage": stage}
    if stage != "standalone":
        lifecycle["incident"] = "i1"
    if stage == "correction":
        lifecycle["corrects"] = fields.pop("corrects", IDS[0])
    given = {
        "category": "traffic_accident",
        "severity": "Moderate",
        "headline": "Accident",
        "location": {"commune": "34172"},
        "lifecycle": lifecycle,
        **fields,
    }
    return Message.model_validate(given)


def _part(channel: ChannelConfig, outcome: Outcome = Outcome.POSTED, *, language: str = "fr") -> PostedPart:
    return PostedPart(channel=channel.name, account=channel.account, language=language, outcome=outcome)


def _history(*publications: tuple[PostedPart, ...]) -> History:
    entries = tuple(
        HistoryEntry(
            publication=IDS[number],
            sequence=number + 1,
            message=_message("update" if number else "opening"),
            at=AT,
            posts=said,
        )
        for number, said in enumerate(publications)
    )
    return History(incident="i1", entries=entries)


NOTHING: Final = History()


def _plan(
    message: Message, history: History = NOTHING, channels: tuple[ChannelConfig, ...] = ALL, *routes: Route, **more: Any
) -> tuple[Target, ...]:
    return choose_targets(message, history, channels, routes, contains=places.contains, **more)


def _names(legs: tuple[Target, ...]) -> list[str]:
    return [leg.channel for leg in legs]


@pytest.mark.parametrize("stage", ["opening", "standalone"])
def test_without_routes_what_begins_goes_everywhere_but_to_the_retired_and_exercises(stage: str) -> None:
    legs = _plan(_message(stage))
    assert _names(legs) == ["bluesky", "mail", "expats"]
    assert all(not leg.reply_to and not leg.skip for leg in legs)
    assert [leg.account for leg in legs] == ["bluesky.example", "mail.example", "expats.example"]


@pytest.mark.parametrize(
    ("route", "takes"),
    [
        (Route(to=("press",)), True),
        (Route(to=("mail",), categories=frozenset({"fire"})), False),
        (Route(to=("mail",), at_least=Severity.MODERATE), True),
        (Route(to=("mail",), at_least=Severity.SEVERE), False),
        (Route(to=("mail",), areas=("commune:34301", "dept:34")), True),
        (Route(to=("mail",), areas=("epci:243400017",)), True),
        (Route(to=("mail",), areas=("dept:30", "commune:34301")), False),
    ],
)
def test_a_route_takes_by_category_severity_and_area(route: Route, takes: bool) -> None:  # noqa: FBT001 - a case of the table
    assert _names(_plan(_message(), History(), ALL, route)) == (["mail"] if takes else [])


@pytest.mark.parametrize(
    ("location", "area", "takes"),
    [
        ({"department": "34"}, "dept:30", False),
        ({"department": "34"}, "commune:34172", True),
        ({"department": "34"}, "epci:243400017", False),
        ({"epci": "243400017"}, "epci:243400017", True),
        ({"epci": "243400017"}, "commune:34172", True),
        ({"epci": "243400017"}, "dept:34", False),
        ({"commune": "34172", "also_departments": ["30"]}, "dept:30", True),
        ({"street": "avenue de Toulouse"}, "dept:34", False),
        (None, "dept:34", False),
    ],
)
def test_a_place_concerns_an_area(location: dict[str, Any] | None, area: str, takes: bool) -> None:  # noqa: FBT001 - a case of the table
    legs = _plan(_message(location=location), History(), ALL, Route(to=("mail",), areas=(area,)))
    assert bool(legs) is takes


def test_a_message_goes_where_any_route_sends_it_in_the_order_of_the_channels() -> None:
    routes = (Route(to=("press",)), Route(to=("bluesky", "mail")), Route(to=("expats",), at_least=Severity.EXTREME))
    assert _names(_plan(_message(), History(), ALL, *routes)) == ["bluesky", "mail"]


def test_the_caller_names_channels_instead_of_the_routes() -> None:
    route = Route(to=("mail",))
    assert _names(_plan(_message(), History(), ALL, route, to=["bluesky"])) == ["bluesky"]
    assert _names(_plan(_message(), History(), ALL, route, to="mail")) == ["mail"]
    assert _names(_plan(_message(), History(), ALL, route, to=["public"])) == ["bluesky", "mail", "expats"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"to": ["blusky"]}, "to: no channel has the name or tag 'blusky'. Did you mean 'bluesky'?"),
        ({"to": ["drill"]}, "to: channel 'drill' is for exercises only."),
        ({"to": ["old"]}, "to: channel 'old' is retired; nothing begins on it."),
        ({"to": []}, "no channel takes this traffic_accident message of severity Moderate."),
    ],
)
def test_a_requested_channel_that_cannot_be_used_is_an_error(more: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(text)):
        _plan(_message(), **more)


def test_silence_about_a_danger_is_an_error() -> None:
    route = Route(to=("mail",), categories=frozenset({"fire"}))
    assert _plan(_message(), History(), ALL, route) == ()
    with pytest.raises(SettingsError, match="no channel takes this traffic_accident message of severity Severe"):
        _plan(_message(severity="Severe"), History(), ALL, route)
    with pytest.raises(SettingsError, match="severity Extreme"):
        _plan(_message(severity="Extreme"), History(), (OLD,))
    assert _plan(_message(severity=None), History(), (OLD,)) == ()


def test_an_exercise_goes_to_channels_for_exercises_despite_the_routes() -> None:
    exercise = _message(exercise=True)
    assert _names(_plan(exercise, History(), ALL, Route(to=("mail",)))) == ["drill"]
    assert _names(_plan(exercise, to=["drill"])) == ["drill"]
    with pytest.raises(SettingsError, match="an exercise goes to those with exercise = true"):
        _plan(exercise, History(), (BLUESKY, MAIL))
    with pytest.raises(SettingsError, match="'mail' is not for exercises, and this is one"):
        _plan(exercise, to=["mail"])
    with pytest.raises(SettingsError, match="no channel takes this"):
        _plan(exercise, to=["public"])


@pytest.mark.parametrize("stage", ["update", "end", "correction", "cancellation"])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_follow_up_goes_to_everyone_who_got_the_opening(stage: str, outcome: Outcome) -> None:
    history = _history((_part(BLUESKY), _part(OLD, outcome)))
    legs = _plan(_message(stage), history, ALL, Route(to=("bluesky",)))
    assert _names(legs) == ["bluesky", "old"]
    assert [leg.reply_to for leg in legs] == [(IDS[0],), (IDS[0],)]


def test_only_an_update_reaches_further_and_reads_alone_there() -> None:
    history = _history((_part(BLUESKY),))
    update, end = (_plan(_message(stage), history, ALL, Route(to=("press",))) for stage in ("update", "end"))
    assert [(leg.channel, leg.reply_to) for leg in update] == [("bluesky", (IDS[0],)), ("mail", ())]
    assert _names(end) == ["bluesky"]


def test_the_caller_adds_channels_to_an_end_and_takes_none_away() -> None:
    assert _names(_plan(_message("end"), _history((_part(BLUESKY),)), to=["mail"])) == ["bluesky", "mail"]


def test_where_replies_are_impossible_or_the_account_is_another_nothing_is_answered() -> None:
    moved = _channel("bluesky", account="elsewhere.example")
    history = _history((_part(BLUESKY), _part(MAIL)))
    legs = _plan(_message("end"), history, (moved, MAIL))
    assert [(leg.channel, leg.account, leg.reply_to) for leg in legs] == [
        ("bluesky", "elsewhere.example", ()),
        ("mail", "mail.example", ()),
    ]


def test_a_correction_replies_to_the_corrected_message() -> None:
    history = _history((_part(BLUESKY),), (_part(BLUESKY),), (_part(BLUESKY),))
    (leg,) = _plan(_message("correction", corrects=IDS[1]), history)
    assert leg.reply_to == IDS[:2]


def test_the_correction_of_a_standalone_message_goes_where_that_went() -> None:
    alone = HistoryEntry(
        publication=IDS[0], sequence=1, message=_message("standalone"), at=AT, posts=(_part(MAIL), _part(BLUESKY))
    )
    correction = Message.model_validate(
        {"category": "road_safety", "headline": "x", "lifecycle": {"stage": "correction", "corrects": IDS[0]}}
    )
    legs = _plan(correction, History(entries=(alone,)))
    assert [(leg.channel, leg.reply_to) for leg in legs] == [("bluesky", (IDS[0],)), ("mail", ())]


def test_a_removed_channel_or_one_that_became_an_exercise_channel_is_reported() -> None:
    gone = _channel("gone")
    history = _history((_part(BLUESKY), _part(gone), _part(gone, language="en")))
    now_drill = _channel("bluesky", exercise=True)
    legs = _plan(_message("end"), history, (now_drill, MAIL))
    assert [(leg.channel, leg.language, leg.part, leg.skip) for leg in legs] == [
        ("bluesky", "fr", 0, "'bluesky' is for exercises only."),
        ("gone", "fr", 0, "'gone' is not configured any more."),
        ("gone", "en", 1, "'gone' is not configured any more."),
    ]
    (drill, *_) = _plan(_message("end", exercise=True), _history((_part(DRILL),)), (_channel("drill"),))
    assert drill.skip == "'drill' is not for exercises any more."


def test_a_channel_that_has_another_name_by_now_still_owes_its_readers_the_end() -> None:
    history = _history((_part(BLUESKY), _part(BLUESKY, language="en"), _part(MAIL)))
    renamed = BLUESKY.model_copy(update={"name": "sky"})
    legs = _plan(_message("end", translations=[ENGLISH]), history, (renamed, MAIL))
    assert [(leg.channel, leg.language, leg.skip) for leg in legs] == [
        ("sky", "fr", ""),
        ("sky", "en", ""),
        ("mail", "fr", ""),
    ]
    after = _history((_part(BLUESKY), _part(MAIL)), (_part(renamed), _part(MAIL)))
    (leg, _) = _plan(_message("end"), after, (renamed, MAIL))
    assert (leg.channel, leg.reply_to) == ("sky", IDS[1:2])


def test_each_language_is_a_part_of_its_own() -> None:
    legs = _plan(_message(translations=[ENGLISH]), channels=(BLUESKY, EXPATS))
    assert [(leg.channel, leg.language, leg.part) for leg in legs] == [
        ("bluesky", "fr", 0),
        ("expats", "en", 0),
        ("expats", "fr", 1),
    ]


def test_each_language_follows_its_own_thread() -> None:
    history = _history((_part(EXPATS), _part(EXPATS, language="en")))
    silent = _plan(_message("end"), history, (EXPATS,))
    assert [(leg.language, leg.reply_to, leg.skip) for leg in silent] == [
        ("fr", (IDS[0],), ""),
        ("en", (), "The message has no text in 'en'."),
    ]
    speaking = _plan(_message("end", translations=[ENGLISH]), history, (EXPATS,))
    assert [(leg.language, leg.part, leg.reply_to) for leg in speaking] == [("fr", 0, (IDS[0],)), ("en", 1, (IDS[0],))]


def test_an_update_may_begin_to_speak_another_language_and_an_end_does_not() -> None:
    history = _history((_part(EXPATS),))
    update, end = (_plan(_message(stage, translations=[ENGLISH]), history, (EXPATS,)) for stage in ("update", "end"))
    assert [(leg.language, leg.reply_to) for leg in update] == [("fr", (IDS[0],)), ("en", ())]
    assert [leg.language for leg in end] == ["fr"]


def test_an_end_of_which_nothing_can_be_read_any_more_goes_where_the_caller_says() -> None:
    """Not to all channels of the routes: it may have begun on one."""
    damage = Damage(
        rows=("pn_publication 01",), publications=(IDS[0],), posts=(), status=IncidentStatus.OPEN, exercise=None
    )
    history = History(incident="i1", damage=damage)
    with pytest.raises(SettingsError, match=r"where it was published\. Name the channels in 'to'"):
        _plan(_message("end"), history)
    assert _names(_plan(_message("end"), history, to=["bluesky"])) == ["bluesky"]
    known = replace(damage, posts=(_part(MAIL),))
    [leg] = _plan(_message("end"), replace(history, damage=known))
    assert (leg.channel, leg.reply_to) == ("mail", ())


_NAMES: Final = st.lists(st.sampled_from(["bluesky", "mail", "expats", "public", "press"]), min_size=1, unique=True)


@given(
    stage=st.sampled_from(["update", "end", "correction", "cancellation"]),
    standalone=st.booleans(),
    narrowed=st.sets(st.sampled_from([BLUESKY, MAIL, EXPATS]).map(lambda each: each.name), min_size=1),
    outcome=st.sampled_from(Outcome),
    severity=st.sampled_from(Severity),
    routes=st.lists(st.builds(Route, to=_NAMES.map(tuple), at_least=st.none() | st.sampled_from(Severity))),
    to=st.none() | _NAMES,
    gone=st.sets(st.sampled_from(["bluesky", "mail", "expats"])),
)
def test_what_follows_a_narrowed_beginning_goes_there_and_where_the_caller_adds(
    stage: str,
    standalone: bool,  # noqa: FBT001 - a property
    narrowed: set[str],
    outcome: Outcome,
    severity: Severity,
    routes: list[Route],
    to: list[str] | None,
    gone: set[str],
) -> None:
    """Whatever the routes state, and whatever became of the beginning. What is gone is replaced by nothing else."""
    if standalone:
        stage = "correction"
    begins = _message("standalone" if standalone else "opening")
    posts = tuple(_part(channel, outcome) for channel in ALL if channel.name in narrowed)
    entry = HistoryEntry(
        publication=IDS[0], sequence=1, message=begins, at=AT, posts=posts, narrowed_to=tuple(sorted(narrowed))
    )
    history = History(incident=begins.incident, entries=(entry,))
    channels = tuple(channel for channel in (BLUESKY, MAIL, EXPATS) if channel.name not in gone)
    usable = {channel.name for channel in channels}
    added = {channel.name for channel in channels if to and (channel.name in to or channel.tags & {*to})}
    message = _message(
        stage, severity=severity, **({"lifecycle": {"stage": stage, "corrects": IDS[0]}} if standalone else {})
    )
    known = usable.union(*(channel.tags for channel in channels))

    def decide() -> tuple[Target, ...]:
        return choose_targets(message, history, channels, (), contains=places.contains, to=to)

    routed = tuple(route for route in routes if known.issuperset(route.to))
    if (to is not None and not known.issuperset(to)) or not (narrowed | added) & usable:
        with pytest.raises(SettingsError, match="to"):
            choose_targets(message, history, channels, routed, contains=places.contains, to=to)
        return
    legs = choose_targets(message, history, channels, routed, contains=places.contains, to=to)
    assert {leg.channel for leg in legs if not leg.skip} == (narrowed & usable) | added
    assert {leg.channel for leg in legs if leg.skip} == narrowed - usable
    assert {leg.channel for leg in legs if leg.added_by} == added - narrowed
    assert decide() == legs  # the routes are of no effect


@given(st.data())
def test_the_end_reaches_everyone_exercises_stay_apart_and_the_plan_is_always_the_same(data: st.DataObject) -> None:
    message = data.draw(messages())
    channels = tuple(data.draw(st.lists(st.sampled_from(ALL), unique_by=lambda channel: channel.name, min_size=1)))
    history = data.draw(histories(message, channels))
    names = [channel.name for channel in channels]
    to = data.draw(st.lists(st.sampled_from(names), max_size=2), label="to")
    routes = tuple(data.draw(st.lists(st.just(Route(to=tuple(to) or (names[0],), at_least=Severity.MODERATE)))))

    def decide() -> tuple[Target, ...]:
        return choose_targets(message, history, channels, routes, contains=places.contains)

    try:
        legs = decide()
    except SettingsError:
        assert message.exercise or (message.severity or Severity.UNKNOWN).at_least(Severity.SEVERE)
        return
    assert decide() == legs
    kinds = {channel.name: channel.exercise for channel in channels}
    assert all(leg.skip or kinds[leg.channel] == message.exercise for leg in legs)
    assert len({(leg.channel, leg.part) for leg in legs}) == len(legs)
    assert len({(leg.channel, leg.language) for leg in legs}) == len(legs)
    if message.stage not in {Stage.OPENING, Stage.STANDALONE}:
        heard = {(said.channel, said.account) for entry in history.entries for said in entry.posts}
        accounts = {channel.account for channel in channels}
        told = {leg.channel for leg in legs} | {leg.account for leg in legs}
        assert all(channel in told or (account in accounts and account in told) for channel, account in heard)
    else:
        retired = {channel.name for channel in channels if channel.retired}
        assert not retired & set(_names(legs))
