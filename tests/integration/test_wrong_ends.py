"""What follows a wrong message: an end taken back, a withdrawal, an opening that never appeared, other languages."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify.errors import InvalidTransition
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.location import Location, Point
from policenotify.model.message import Translation
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import LOCALES
from tests.support.five_networks import open_five
from tests.support.installation import INCIDENT, Desk, accident
from tests.support.patience import LONG

AVOID = "Évitez le secteur, déviation par l'avenue de Lodève."
ENGLISH = Translation(language="en", headline="Road accident", instruction="Avoid avenue de Toulouse.")
PLACE = Location(commune="34172", street="avenue de Toulouse", point=Point(latitude=43.6, longitude=3.87))


@pytest.fixture
def publisher(desk: Desk) -> Publisher:
    (desk.folder / "feed").mkdir()
    feed: dict[str, object] = {
        "url": "https://alertes.police.example/",
        "publisher": "Police",
        "folder": str(desk.folder / "feed"),
        "cap_sender": "alerte@police34.example",
    }
    languages = ("fr", "en")
    channels = [
        desk.on_bluesky(languages=languages),
        configure_channel("feed", "feed", feed, languages=languages, locales=LOCALES),
    ]
    return desk.publisher(channels)


def _open_in_feed(desk: Desk) -> int:
    return len(json.loads((desk.folder / "feed" / "alerts.geojson").read_bytes())["features"])


def test_a_wrong_end_is_taken_back_everywhere(desk: Desk, publisher: Publisher) -> None:
    opened = publisher.publish(accident(location=PLACE), key="1", actor="claire")
    assert _open_in_feed(desk) == 1
    ended = publisher.publish(opened.end("La circulation est rétablie"), key="2", actor="claire")
    assert (publisher.operations.incidents(), _open_in_feed(desk)) == ((), 0)
    promised = publisher.journal.now() + timedelta(minutes=30)
    back = ended.correct("La rue reste fermée", reopens=True, next_update_at=promised)
    again = publisher.publish(back, key="3", actor="claire")
    assert again.message.instruction == AVOID
    [incident] = publisher.operations.incidents()
    assert (incident.status, incident.due_at, incident.reminders) == (IncidentStatus.OPEN, promised, 0)
    assert _open_in_feed(desk) == 1
    alerts = [path.read_text("utf-8") for path in (desk.folder / "feed" / "cap").glob("*.xml")]
    assert sum("<msgType>Update</msgType>" in text and "reste fermée" in text for text in alerts) == 1
    page = next((desk.folder / "feed" / "i").glob("*.html")).read_text("utf-8")
    assert "Terminé à" not in page.split("reste fermée")[0]
    publisher.publish(again.update("Une voie rouverte"), key="4", actor="claire")
    publisher.publish(again.end("La circulation est rétablie"), key="5", actor="claire")
    assert (publisher.operations.incidents(), _open_in_feed(desk)) == ((), 0)
    assert publisher.journal.audit.verify() == 0


def test_only_a_wrong_end_is_taken_back_and_only_once(publisher: Publisher) -> None:
    opened = publisher.publish(accident(), key="1", actor="claire")
    with pytest.raises(InvalidTransition, match="is not the end of incident"):
        publisher.publish(opened.correct("Rien n'est fini", reopens=True), key="2", actor="claire")
    ended = publisher.publish(opened.end("La circulation est rétablie"), key="3", actor="claire")
    again = publisher.publish(ended.correct("La rue reste fermée", reopens=True), key="4", actor="claire")
    with pytest.raises(InvalidTransition, match="is already open"):
        publisher.publish(ended.correct("La rue reste fermée", reopens=True), key="5", actor="claire")
    assert again.ok


def test_nothing_of_a_withdrawn_opening_is_repeated(desk: Desk, publisher: Publisher) -> None:
    publisher.publish(accident(headline="Fuite de gaz"), key="1", actor="claire")
    publisher.withdraw("1", actor="claire", reason="La rue était fausse.")
    place = Location(commune="34172", street="avenue de Lodève")
    state = publisher.operations.incident(INCIDENT)
    publisher.publish(state.update("Suite", location=place), key="2", actor="claire")
    state = publisher.operations.incident(INCIDENT)
    assert state.message.location
    assert state.message.location.street == "avenue de Lodève"
    publisher.publish(state.end("La circulation est rétablie"), key="3", actor="claire")
    update, end = (post.text for post in desk.bluesky.posts)
    for word in ("gaz", "secteur", "Toulouse", "notre message"):
        assert word not in f"{update}{end}"


@pytest.mark.parametrize("kind", ["end", "cancel", "correct"])
def test_no_language_stays_behind(desk: Desk, publisher: Publisher, kind: str) -> None:
    opened = publisher.publish(accident(translations=[ENGLISH]), key="1", actor="claire")
    assert {receipt.language for receipt in opened if receipt.channel == "bluesky"} == {"fr", "en"}
    message = getattr(opened, kind)("La circulation est rétablie", instruction="Vous pouvez circuler.")
    preview = publisher.preview(message)
    notes = {post.target.language: post.omitted for post in preview.posts if post.target.channel == "bluesky"}
    assert ["no translation" in " ".join(map(str, notes[language])) for language in ("fr", "en")] == [False, True]
    done = publisher.publish(message, key="2", actor="claire")
    by_language = {receipt.language: receipt for receipt in done if receipt.channel == "bluesky"}
    assert {receipt.outcome for receipt in by_language.values()} == {Outcome.POSTED}
    assert (str(by_language["fr"].note), "fixed phrases" in str(by_language["en"].note)) == ("", True)
    *_, text = (post.text for post in desk.bluesky.posts if "circuler" not in post.text)
    assert any(phrase in text.casefold() for phrase in ("no longer applies", "no longer apply"))
    assert "Avoid" not in text


def test_an_update_goes_out_only_in_the_languages_that_it_has(publisher: Publisher) -> None:
    opened = publisher.publish(accident(translations=[ENGLISH]), key="1", actor="claire")
    done = publisher.publish(opened.update("Une voie rouverte"), key="2", actor="claire")
    outcomes = {receipt.language: receipt.outcome for receipt in done if receipt.channel == "bluesky"}
    assert outcomes == {"fr": Outcome.POSTED, "en": Outcome.SKIPPED}


@pytest.mark.parametrize("got_it", [True, False])
def test_a_later_message_names_the_opening_where_it_was_posted_in_the_meantime(tmp_path: Path, *, got_it: bool) -> None:
    with open_five(tmp_path) as five:
        publisher = five.publisher(channels=[five.channel("sms")])
        opened = publisher.publish(accident(), key="1", actor="claire", wait=0)
        if got_it:  # after the next message was worded
            publisher.publish(opened.update("Une voie rouverte"), key="2", actor="claire", wait=0)
        else:
            publisher.publish(opened.end("La circulation est rétablie"), key="2", actor="claire", wait=0)
        publisher.drain(LONG)
        texts = [message.text for message in five.sms.messages]
        assert any("Évitez le secteur" in text for text in texts) is got_it
        assert any("Fait suite" in text for text in texts) is got_it
