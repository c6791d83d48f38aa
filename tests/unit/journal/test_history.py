"""The history of an incident is read back completely."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from policenotify.errors import Blocked
from policenotify.findings import Finding, Level
from policenotify.model.history import Outcome, PostedPart
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.location import Location

if TYPE_CHECKING:
    from tests.support.journal import Desk

REMARK = Finding(code="PN201", level=Level.ADVISE, field="headline", reason="Long.", remedy="Shorten it.", span=(3, 9))
SOON = timedelta(minutes=5)


# --- the course


def test_an_incident_is_read_back_in_order(desk: Desk) -> None:
    drafts = []
    for stage in (Stage.OPENING, Stage.UPDATE, Stage.END):
        drafts.append(desk.draft(stage, channels=("sky", "mail")))
        desk.journal.publications.add(drafts[-1])
        desk.clock.pass_by(60)
    history = desk.journal.incidents.history("I1")
    assert (history.incident, history.status) == ("I1", IncidentStatus.ENDED)
    for number, (entry, draft) in enumerate(zip(history.entries, drafts, strict=True), 1):
        assert (entry.publication, entry.sequence, entry.at) == (draft.id, number, draft.at)
        assert entry.message == draft.message
        assert [said.channel for said in entry.posts] == ["sky", "mail"]


def test_the_result_of_each_post_is_read_back(desk: Desk) -> None:
    desk.publish(languages=("fr", "en"))
    french = desk.deliver()
    desk.deliver(outcome=Outcome.UNCONFIRMED)
    [entry] = desk.journal.incidents.history("I1").entries
    assert entry.posts == (
        PostedPart(
            channel="sky",
            account="police34.example",
            language="fr",
            outcome=Outcome.POSTED,
            ref=desk.ref(french),
        ),
        PostedPart(channel="sky", account="police34.example", language="en", outcome=Outcome.UNCONFIRMED, part=1),
    )


def test_an_unknown_incident_has_no_history_and_open_ones_are_listed(desk: Desk) -> None:
    desk.publish(location=Location(commune="34172", commune_name="Montpellier", street="Avenue de Toulouse"))
    desk.publish(incident="I2", location=Location(department="34", department_name="Hérault"))
    desk.publish(incident="I3", location=Location(department="34"))
    history = desk.journal.incidents.history("I9")
    assert (history.entries, history.status) == ((), IncidentStatus.UNKNOWN)
    assert tuple(map(str, desk.journal.incidents.list())) == (
        "I1 (traffic_accident, Montpellier, Avenue de Toulouse, opened 2026-03-02 06:30 UTC)",
        "I2 (traffic_accident, Hérault, opened 2026-03-02 06:30 UTC)",
        "I3 (traffic_accident, opened 2026-03-02 06:30 UTC)",
    )


def test_incidents_are_listed_the_latest_first(desk: Desk) -> None:
    for incident in ("I1", "I2", "I3"):
        desk.publish(incident=incident, headline=f"Accident {incident}")
        desk.clock.pass_by(60)
    desk.publish(Stage.END, "I2")
    assert [line.id for line in desk.journal.incidents.list()] == ["I3", "I1"]
    everything = desk.journal.incidents.list(only_open=False)
    assert [(line.id, line.status, line.headline) for line in everything] == [
        ("I3", IncidentStatus.OPEN, "Accident I3"),
        ("I2", IncidentStatus.ENDED, "Accident I2"),
        ("I1", IncidentStatus.OPEN, "Accident I1"),
    ]
    assert everything[2].due_at == everything[2].opened_at + timedelta(hours=2)


# --- outside incidents


def test_a_standalone_message_is_read_back_with_its_correction(desk: Desk) -> None:
    alone = desk.publish(Stage.STANDALONE)
    other = desk.publish(Stage.STANDALONE)
    correction = desk.publish(Stage.CORRECTION, None, corrects=alone)
    history = desk.journal.incidents.history_of(alone)
    assert history is not None
    assert history.incident is None
    assert [(entry.publication, entry.sequence) for entry in history.entries] == [(alone, 1), (correction, 2)]
    assert desk.journal.incidents.history_of(correction) is not None
    assert desk.journal.incidents.history_of("0" * 26) is None
    assert [entry.publication for entry in (desk.journal.incidents.history_of(other) or history).entries] == [other]


def test_a_clock_that_was_set_back_hides_nothing(desk: Desk) -> None:
    alone = desk.draft(Stage.STANDALONE)
    alone = replace(alone, id=f"7{alone.id[1:]}")  # ids follow the clock, and it was ahead
    desk.journal.publications.add(alone)
    early = desk.draft(Stage.CORRECTION, None, corrects=alone.id)
    desk.journal.publications.add(replace(early, at=early.at - timedelta(minutes=5)))
    history = desk.journal.incidents.history_of(alone.id)
    assert history is not None
    assert [entry.publication for entry in history.entries] == [alone.id, early.id]


def test_a_publication_of_an_incident_is_known_as_one(desk: Desk) -> None:
    opening = desk.publish()
    history = desk.journal.incidents.history_of(opening)
    assert history is not None
    assert history.incident == "I1"


# --- publications


def test_a_publication_is_read_back_by_id_or_key(desk: Desk) -> None:
    draft = desk.draft(Stage.STANDALONE, key="cad:4711", findings=(REMARK,))
    desk.journal.publications.add(draft)
    found = desk.journal.publications.get(draft.id)
    assert found is not None
    assert found == desk.journal.publications.get("cad:4711")
    assert (found.id, found.key, found.message, found.at, found.actor) == (
        draft.id,
        "cad:4711",
        draft.message,
        draft.at,
        "cne Roux",
    )
    assert (found.sequence, found.findings, found.repeated) == (0, (REMARK,), False)
    [receipt] = found
    assert (receipt.channel, receipt.language, receipt.outcome, receipt.attempts) == ("sky", "fr", Outcome.WAITING, 0)
    assert (receipt.delivery, receipt.ref, receipt.retry_at, receipt.recipients) == (1, None, None, None)
    assert desk.journal.publications.get("nothing") is None


def test_the_last_publications_come_newest_first(desk: Desk) -> None:
    said = [desk.publish(incident=f"I{number}") for number in range(4)]
    assert [one.id for one in desk.journal.publications.latest(3)] == said[:0:-1]


def test_a_blocked_channel_speaks_for_what_waits_there(desk: Desk) -> None:
    settled, waiting = desk.publish(), desk.publish(incident="I2")
    desk.deliver()
    desk.deliver(outcome=Outcome.WAITING, reason="Busy.", not_before=desk.clock.now() + SOON)
    desk.journal.channels.block("sky", Blocked("The token was revoked.", remedy="Make a new one.", code="401"))
    found = desk.journal.publications.get(waiting)
    assert found is not None
    told = found.on("sky")
    assert (str(told.reason), str(told.remedy), told.code, told.retry_at) == (
        "The token was revoked.",
        "Make a new one.",
        "401",
        None,
    )
    other = desk.journal.publications.get(settled)
    assert other is not None
    assert str(other.on("sky").reason) == ""


def test_a_pause_reports_when_it_ends(desk: Desk) -> None:
    waiting = desk.publish()
    desk.deliver(outcome=Outcome.WAITING, not_before=desk.clock.now() + SOON)
    desk.journal.channels.pause("sky", desk.clock.now() + 2 * SOON)
    found = desk.journal.publications.get(waiting)
    assert found is not None
    assert found.on("sky").retry_at == desk.clock.now() + 2 * SOON


def test_an_opening_that_reads_alone_is_not_worth_a_note(desk: Desk) -> None:
    opening = desk.publish()
    desk.deliver(outcome=Outcome.REFUSED)
    end = desk.publish(Stage.END)
    desk.deliver()
    for publication, alone in ((opening, False), (end, True)):
        found = desk.journal.publications.get(publication)
        assert found is not None
        assert found.on("sky").standalone is alone


# --- what is still to come


def test_unsettled_lists_each_channel(desk: Desk) -> None:
    said = desk.publish(channels=("sky", "town", "mail", "late"), people={"mail": []})
    assert desk.claim("mail") is None  # there is nobody
    later = desk.clock.now() + SOON
    desk.deliver("late", Outcome.UNCONFIRMED, not_before=later)
    desk.take("town")
    assert desk.journal.publications.pending(said) == {"sky": desk.clock.now(), "town": None, "late": later}
    desk.deliver("sky")
    assert set(desk.journal.publications.pending(said)) == {"town", "late"}
    assert desk.journal.publications.pending("0" * 26) == {}


def test_of_several_parts_the_earliest_counts_and_what_is_under_way(desk: Desk) -> None:
    said = desk.publish(languages=("fr", "en"))
    desk.deliver(outcome=Outcome.WAITING, not_before=desk.clock.now() + SOON)
    assert desk.journal.publications.pending(said) == {"sky": desk.clock.now()}
    desk.clock.pass_by(SOON.total_seconds())
    desk.take()
    assert desk.journal.publications.pending(said) == {"sky": None}
