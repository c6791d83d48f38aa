"""A row that cannot be read stops nothing but itself, and an incident can always be ended."""

from __future__ import annotations

import sqlite3

import pytest

from policenotify.cli import main
from policenotify.errors import InvalidTransition, JournalError
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher
from tests.support.five_networks import ADDRESSES, NETWORKS, NUMBERS, Five
from tests.support.installation import INCIDENT, Desk, accident
from tests.support.patience import LONG

OTHER = "2026-4712"
UNREADABLE = [  # a value that cannot be read, in a column of a table
    ("pn_publication", "message", '{"category":"fire"}'),
    ("pn_publication", "message", b"\xff\xfe{"),
    ("pn_publication", "rules", "{"),
    ("pn_publication", "rules", '{"purged":'),
    ("pn_publication", "narrowed_to", "["),
    ("pn_publication", "findings", "["),
    ("pn_delivery", "ref", "{"),
    ("pn_delivery", "state", "gone"),
    ("pn_delivery", "operation", "gone"),
    ("pn_delivery", "standalone", "{"),
    ("pn_delivery", "reply", "{"),
    ("pn_delivery", "request", "{"),
    ("pn_incident", "status", "gone"),
    ("pn_incident", "severity", "gone"),
    ("pn_incident", "channels", "["),
]


def _opened(publisher: Publisher, incident: str) -> Publication:
    message = accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident=incident))
    return publisher.publish(message, key=f"opening of {incident}", actor="desk", wait=LONG)


def _damage(at: Five | Desk, table: str, column: str, value: str | bytes, where: str) -> None:
    bound = "CAST(? AS TEXT)"  # also of bytes that are no text
    with sqlite3.connect(at.folder / "journal.db") as raw:
        changed = raw.execute(f"UPDATE {table} SET {column} = {bound} WHERE {where}", (value,)).rowcount  # noqa: S608 - our own
    raw.close()
    assert changed


def _end(publisher: Publisher, incident: str, **how: object) -> Publication:
    message = publisher.operations.incident(incident).end("Fin d'intervention", description="Circulation rétablie.")
    return publisher.publish(message, key=f"end of {incident}", actor="desk", wait=LONG, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("of", ["opening", "update"])
@pytest.mark.parametrize(("table", "column", "value"), UNREADABLE)
def test_each_incident_can_be_ended_and_the_row_is_named(
    five: Five, table: str, column: str, value: str | bytes, of: str
) -> None:
    publisher = five.publisher()
    opened, _ = _opened(publisher, INCIDENT), _opened(publisher, OTHER)
    updated = publisher.publish(opened.update("Une voie rouverte"), key="update", actor="desk", wait=LONG)
    publisher.close()
    publication = opened.id if of == "opening" else updated.id
    where = {
        "pn_publication": f"id = '{publication}'",
        "pn_delivery": f"publication = '{publication}' AND parent IS NULL",
        "pn_incident": f"id = '{INCIDENT}'",
    }[table]
    _damage(five, table, column, value, where)

    publisher = five.publisher()
    named = [alarm.text for alarm in publisher.operations.status().alarms if table in str(alarm.text)]
    assert len(named) == 1, "the status names the row"
    assert len(publisher.journal.damaged_rows()) == (1 if table != "pn_delivery" else len(NETWORKS))
    assert publisher.operations.publications(INCIDENT)
    assert publisher.operations.publications()
    assert OTHER in {line.id for line in publisher.operations.incidents(only_open=False)}
    assert _end(publisher, OTHER).ok
    ended = _end(publisher, INCIDENT)
    assert ended.ok, "\n".join(map(str, ended))

    texts = {
        "x": five.x.posts[-1].text,
        "mastodon": five.mastodon.posts[-1].text,
        "bluesky": five.bluesky.posts[-1].text,
    }
    texts["email"] = five.mail.mails[-1].message["Subject"]
    texts["sms"] = five.sms.phone(NUMBERS[0])[-1].text
    assert set(texts) == {receipt.channel for receipt in ended} == set(NETWORKS)
    for text in texts.values():
        assert "Fin d'intervention" in text
    assert sum("Fin d'intervention" in subject for subject in five.read("email")) == 2 * len(ADDRESSES)
    assert sum("Fin d'intervention" in text for text in five.read("sms")) == 2 * len(NUMBERS)
    if (table, column) in {("pn_publication", "message"), ("pn_publication", "narrowed_to")}:
        assert five.x.posts[-1].parent is None
        assert five.mastodon.posts[-1].parent is None
        assert five.bluesky.posts[-1].parent is None


@pytest.fixture
def damaged(five: Five) -> Publisher:
    """An incident with an update that cannot be read any more."""
    publisher = five.publisher()
    updated = publisher.publish(
        _opened(publisher, INCIDENT).update("Une voie rouverte"), key="update", actor="desk", wait=LONG
    )
    publisher.close()
    _damage(five, "pn_publication", "message", "{", f"id = '{updated.id}'")
    return five.publisher()


def test_its_end_is_previewed_as_one_that_carries_nothing(damaged: Publisher) -> None:
    message = damaged.operations.incident(INCIDENT).end("Fin d'intervention", description="Circulation rétablie.")
    preview = damaged.preview(message)
    [finding] = [finding for finding in preview.findings if finding.code == "PN107"]
    assert not finding.blocks
    assert "pn_publication" in str(finding.reason)
    assert {post.target.channel for post in preview.posts} == set(NETWORKS)
    assert "where its beginning went" in str(preview.course)
    assert message.location is not None
    assert message.location.label == "Montpellier, avenue de Toulouse"  # as the incident's row has it


@pytest.mark.parametrize("stage", ["update", "correct"])
def test_nothing_else_of_it_is_published(damaged: Publisher, stage: str) -> None:
    last = damaged.operations.incident(INCIDENT)
    message = getattr(last, stage)("Une voie rouverte")
    with pytest.raises(InvalidTransition, match=r"pn_publication \w+ of the journal cannot be read") as caught:
        damaged.publish(message, key="next", actor="desk")
    assert set(caught.value.allowed_stages) == {Stage.END, Stage.CANCELLATION}
    assert damaged.publish(last.cancel("Fausse alerte"), key="cancelled", actor="desk", wait=LONG).ok


def test_the_doctor_names_the_row(damaged: Publisher) -> None:
    [row] = damaged.journal.damaged_rows()
    diagnosis = damaged.operations.doctor(actor="desk")
    assert [line for line in diagnosis.lines if line.state == "WRONG" and row in str(line.detail)]


def test_verify_names_the_row(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    settings, publisher = desk.write_settings(), desk.publisher()
    publication = _opened(publisher, INCIDENT).id
    publisher.close()
    _damage(desk, "pn_publication", "message", "{", f"id = '{publication}'")
    with pytest.raises(SystemExit) as ended:
        main(["journal", "verify", "--settings", str(settings)])
    assert ended.value.code == 6
    shown = " ".join(capsys.readouterr().err.split())
    assert f"pn_publication {publication}" in shown
    assert "aside" not in shown


def test_a_standalone_message_that_cannot_be_read_is_cancelled(five: Five) -> None:
    publisher = five.publisher()
    advice = accident(category="scam_cyber", lifecycle=Lifecycle())
    published = publisher.publish(advice, key="advice", actor="desk", wait=LONG)
    _damage(five, "pn_publication", "message", "{", f"id = '{published.id}'")
    taken_back = published.cancel("Annulé : message publié par erreur")
    assert publisher.publish(taken_back, key="cancelled", actor="desk", wait=LONG).ok
    with pytest.raises(InvalidTransition, match=f"pn_publication {published.id} of the journal cannot be read"):
        publisher.publish(published.correct("Rectification"), key="corrected", actor="desk")


def test_a_draft_that_cannot_be_read_hides_no_other_and_is_erased(desk: Desk) -> None:
    publisher = desk.publisher()
    drafts = publisher.drafts
    first, second = (drafts.create(accident(), key=key, actor="desk") for key in ("first", "second"))
    _damage(desk, "pn_draft", "content", "{", f"id = '{first.id}'")
    assert [draft.id for draft in drafts.list()] == [second.id]
    assert publisher.journal.damaged_rows() == (f"pn_draft {first.id}",)
    with pytest.raises(JournalError, match=f"pn_draft {first.id}"):
        drafts.get(first.id)
    publisher.journal.retention.erase(first.id, "desk", "demande")
    assert publisher.journal.damaged_rows() == ()
