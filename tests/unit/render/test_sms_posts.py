"""What an SMS says besides the message: its sender, the reference of its incident, and its accents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from policenotify.channel import ChannelConfig
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart, RenderedPost
from policenotify.model.message import Message
from policenotify.networks.registry import configure_channel
from policenotify.testing.samples import SENDER
from policenotify.text import sms
from tests.support.audiences import listed
from tests.support.shipped_files import NETWORKS, channel_on
from tests.support.wordings import AT, accident, render_post

REFERENCE: Final = "Réf. K7Q2M"


def _sms(**options: Any) -> ChannelConfig:
    return configure_channel("sms", "sms", NETWORKS["sms"] | options, audiences=listed("sms", tuple))


def _message(stage: str = "opening", **fields: Any) -> Message:
    short = {"headline": "Accident", "location": {"commune": "34172", "commune_name": "Montpellier"}}
    return accident(stage, **{**short, **fields})


def _render(message: Message, channel: ChannelConfig | None = None, history: History | None = None) -> RenderedPost:
    return render_post(message, channel or channel_on("sms"), history=history, reference="K7Q2M")


def _text(*args: Any, **named: Any) -> str:
    return _render(*args, **named).standalone.text


def _history(*outcomes: tuple[str, Outcome]) -> History:
    posts = tuple(
        PostedPart(channel=name, account=channel_on(name).account, language="fr", outcome=outcome)
        for name, outcome in outcomes
    )
    opening = HistoryEntry(publication="0" * 26, sequence=1, message=_message(), at=AT, posts=posts)
    return History(incident="i1", entries=(opening,))


# --- the sender


def test_the_first_sms_of_an_incident_names_its_sender() -> None:
    assert _text(_message()).endswith(f"Évitez le secteur.\n{REFERENCE}\n{SENDER}")


def test_a_later_sms_does_not_name_it_again() -> None:
    history = _history(("x", Outcome.POSTED), ("sms", Outcome.WAITING))
    assert SENDER not in _text(_message("update", headline="Route coupée"), history=history)


@pytest.mark.parametrize("earlier", [(), (("sms", Outcome.SUPERSEDED),)])
def test_an_update_is_the_first_sms_of_people_who_got_no_other(earlier: tuple[tuple[str, Outcome], ...]) -> None:
    history = _history(("x", Outcome.POSTED), *earlier)
    assert _text(_message("update", headline="Route coupée"), history=history).endswith(SENDER)


def test_a_text_that_names_the_sender_needs_no_signature() -> None:
    named = {"description": f"La {SENDER} vous remercie. {'Soyez prudents. ' * 30}"}
    assert _text(_message(**named)).endswith(SENDER), "the description may be shortened"
    assert _text(_message(instruction=f"Appelez la {SENDER}.")).count(SENDER) == 1


def test_a_shortened_sms_names_its_sender_and_where_the_rest_is() -> None:
    order = "Quittez les lieux. " + "Emportez vos papiers et vos médicaments. " * 15
    assert _text(_message(instruction=order)).endswith(f"Suite : {SENDER}. {REFERENCE}")
    linked = _text(_message(instruction=order, link="https://police.example/gaz"))
    assert linked.endswith(f"Suite : https://police.example/gaz {REFERENCE}\n{SENDER}")


# --- the reference


def test_the_reference_is_left_out_where_it_would_be_paid_as_one_more_message() -> None:
    found = set()
    for length in range(150):
        rendered = _render(_message(headline=f"Accident {'x' * length}"))
        text, left_out = rendered.standalone.text, "reference left out" in rendered.omitted
        with_it = text.replace(SENDER, f"{REFERENCE}\n{SENDER}")
        found.add(left_out)
        assert (REFERENCE in text) is not left_out
        assert left_out is (REFERENCE not in text and sms(with_it).segments > sms(text).segments)
    assert found == {True, False}


# --- accents

FOREST: Final = {"headline": "Feu de forêt", "instruction": "Quittez la forêt à pied.", "category": "fire"}


@pytest.mark.parametrize(
    ("accents", "severity", "kept"),
    [
        ("fold", "Extreme", False),
        ("keep", "Minor", True),
        ({"severe": "keep"}, "Severe", True),
        ({"severe": "keep"}, "Moderate", False),
    ],
)
def test_accents_are_kept_where_the_channel_pays_for_them(accents: object, severity: str, *, kept: bool) -> None:
    text = _text(_message(severity=severity, **FOREST), _sms(accents=accents))
    assert ("Quittez la forêt à pied." in text) is kept
    assert ("Quittez la foret à pied." in text) is not kept
    assert sms(text).encoding == ("UCS-2" if kept else "GSM-7")


def test_no_text_is_shortened_for_the_sake_of_accents() -> None:
    message = _message(**FOREST | {"description": "La fumée se dirige vers la ville. " * 4})
    kept, folded = (_render(message, _sms(accents=each, segments=2)) for each in ("keep", "fold"))
    assert kept.standalone.text == folded.standalone.text
    assert sms(kept.standalone.text).encoding == "GSM-7"
    assert kept.omitted == ()


def test_a_text_of_another_script_is_shortened_and_never_emptied() -> None:
    message = _message(instruction="Уходите. " + "Возьмите документы. " * 20)
    rendered = _render(message, _sms(accents="keep"))
    assert "Уходите." in rendered.standalone.text
    assert sms(rendered.standalone.text).segments <= 3


def test_the_capabilities_of_a_severity_differ_only_where_they_are_set() -> None:
    able = channel_on("x").capabilities
    assert able.for_severity(None) is able
    assert replace(able, severe_budget=able.budget).for_severity(None).budget is able.budget
