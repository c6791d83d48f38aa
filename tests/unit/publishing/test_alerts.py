"""A foreign alert becomes a draft, once, and its updates find its incident. Nothing is published by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.reader import read
from policenotify.model.draft import DraftState
from policenotify.publishing.alerts import ImportedAlert, import_alert
from policenotify.testing import FakeClock, Recording, recording_publisher
from tests.support.alerts import VIGILANCE

TEXT = VIGILANCE.read_text("utf-8")
SENDER, FIRST, _ = read(TEXT.encode()).reference


@pytest.fixture
def desk() -> Iterator[Recording]:
    with recording_publisher(["x"], clock=FakeClock(datetime(2022, 8, 10, 15, tzinfo=UTC))) as opened:
        yield opened


def follow_up(kind: str, identifier: str, *earlier: str, **changes: str) -> str:
    """Return a later alert that names the earlier ones."""
    text = TEXT.replace("<msgType>Alert", f"<msgType>{kind}").replace(FIRST, identifier)
    named = [read(each.encode()).reference for each in earlier]
    references = " ".join(f"{each.sender},{each.identifier},{each.sent.isoformat()}" for each in named)
    text = text.replace("<info>", f"<references>{references}</references><info>", 1) if earlier else text
    for old, new in changes.items():
        text = text.replace(f">{old}<", f">{new}<")
    return text


def take(desk: Recording, text: str, **how: object) -> ImportedAlert:
    return import_alert(desk.publisher, text.encode(), actor="claire", **how)  # type: ignore[arg-type]


def publish(desk: Recording, done: ImportedAlert) -> None:
    desk.publisher.drafts.publish(done.draft.id, actor="claire", urgent="La pluie arrive dans une heure.")


def test_an_alert_becomes_a_draft_and_the_same_one_again(desk: Recording) -> None:
    done = take(desk, TEXT)
    message = done.draft.message
    assert (done.draft.state, done.known, done.findings) == (DraftState.DRAFT, False, ())
    assert (message.stage, message.category, message.translations[0].language) == ("opening", "weather_relay", "en")
    again = take(desk, TEXT)
    assert (again.draft.id, again.known) == (done.draft.id, True)
    desk.publisher.drafts.revise(done.draft.id, message.model_copy(update={"headline": "Orages"}), actor="hugo")
    assert take(desk, TEXT).draft.message.headline == "Orages"
    assert "nothing was published" in repr(desk)


def test_what_follows_finds_the_incident_of_the_alerts_that_it_names(desk: Recording) -> None:
    publish(desk, first := take(desk, TEXT))
    second = follow_up("Update", "second", TEXT)
    publish(desk, update := take(desk, second))
    third = follow_up("Update", "third", TEXT, second, Monitor="AllClear")
    end = take(desk, third)
    lifecycles = [each.draft.message.lifecycle for each in (first, update, end)]
    assert [each.stage for each in lifecycles] == ["opening", "update", "end"]
    assert len({each.incident for each in lifecycles}) == 1
    cancel = take(desk, follow_up("Cancel", "fourth", second)).draft.message.lifecycle
    assert (cancel.stage, cancel.incident) == ("cancellation", lifecycles[0].incident)


def test_what_follows_a_message_of_its_own_corrects_or_cancels_it(desk: Recording) -> None:
    publish(desk, first := take(desk, TEXT, category="fact_check"))
    assert first.draft.message.stage == "standalone"
    published = desk.publisher.drafts.get(first.draft.id).publication
    update = take(desk, follow_up("Update", "second", TEXT), category="fact_check").draft.message.lifecycle
    cancel = take(desk, follow_up("Cancel", "third", TEXT), category="fact_check").draft.message.lifecycle
    assert [(each.stage, each.corrects) for each in (update, cancel)] == [
        ("correction", published),
        ("cancellation", published),
    ]


def test_what_follows_an_unknown_alert_opens_an_incident_or_is_refused(desk: Recording) -> None:
    done = take(desk, follow_up("Update", "second", TEXT))
    assert (done.draft.message.stage, [finding.code for finding in done.findings]) == ("opening", ["PN706"])
    with pytest.raises(InvalidAlert, match="not imported here"):
        take(desk, follow_up("Cancel", "third"))
    with pytest.raises(InvalidAlert, match="not imported here"):
        take(desk, follow_up("Update", "third", Monitor="AllClear"))


@pytest.mark.parametrize("category", ["weather_relay", "fact_check"])
def test_a_cancellation_without_words_has_those_of_the_desk(desk: Recording, category: str) -> None:
    publish(desk, first := take(desk, TEXT, category=category))
    whole = follow_up("Cancel", "second", TEXT)
    bare = whole.partition("<info>")[0] + "<note>Fin de la vigilance.</note></alert>"
    done = take(desk, bare)
    message = done.draft.message
    assert (message.stage, message.category, message.incident) == (
        "cancellation",
        category,
        first.draft.message.incident,
    )
    assert message.headline == "Notre message précédent et ses consignes ne sont plus valables"
    assert (message.description, message.location) == ("Fin de la vigilance.", first.draft.message.location)
    assert take(desk, bare).known
    publish(desk, done)
    with pytest.raises(InvalidAlert, match="not imported here"):
        take(desk, bare.replace(f",{FIRST},", ",other,").replace("second", "third"))


@pytest.mark.parametrize("kind", ["Update", "Cancel"])
def test_nobody_changes_the_alert_of_another_sender(desk: Recording, kind: str) -> None:
    publish(desk, take(desk, TEXT))
    with pytest.raises(InvalidAlert, match="of another sender"):
        take(desk, follow_up(kind, "second", TEXT).replace(f"<sender>{SENDER}", "<sender>other@police.example"))
    folded = follow_up(kind, "second", TEXT).replace(f"<sender>{SENDER}", f"<sender>{SENDER.upper()}")
    assert take(desk, folded).draft.message.lifecycle.incident
