"""Campaigns on a journal publish once, on any number of machines."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import update

from policenotify.campaigns import Action, Decision, decide, run, submit
from policenotify.campaigns.runner import EVENT_KIND, upcoming
from policenotify.cli.commands.demo import StoryClock
from policenotify.errors import ApprovalMissing, DraftConflict, PublishingStopped
from policenotify.journal.database import schema
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.routing import Route
from tests.support.campaigns import campaign, tip, utc
from tests.support.installation import Desk, accident, open_desk

NOW = timedelta(0)
LONG = timedelta(minutes=2)  # for a busy machine; it returns when all is out


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        opened.clock = StoryClock()
        at(opened, "2026-01-01T17:00")
        yield opened


def at(desk: Desk, text: str) -> None:
    assert isinstance(desk.clock, StoryClock)
    desk.clock.put_to(utc(text))


def keys(publisher: Publisher) -> list[str]:
    return [one.key for one in publisher.journal.publications.by_key_prefix("campaign ", utc("2020-01-01T00:00"))]


def test_an_open_incident_defers_it_and_the_journal_records_it_once(desk: Desk) -> None:
    publisher = desk.publisher()
    opened = publisher.publish(
        accident(severity="Severe", next_update_at=utc("2026-01-01T18:00")), key="o", actor="desk", wait=NOW
    )
    mine = [campaign(missed="skip", inhibition={"areas": ["dept:34"]})]
    for _ in range(2):
        [waits] = run(publisher, mine, actor="prévention", wait=NOW).decisions
        assert waits.action is Action.WAIT
    at(desk, "2026-01-01T21:00")
    publisher.publish(opened.end("Fin"), key="e", actor="desk", wait=NOW)
    assert [one.key for one in run(publisher, mine, actor="prévention", wait=NOW).published] == [
        "campaign ete 2026-01-01"
    ]
    assert list(publisher.journal.audit.events(EVENT_KIND, utc("2026-01-01T00:00"))) == [
        {"campaign": "ete", "day": "2026-01-01", "action": "wait", "reason": "incident 2026-4711 is open"}
    ]


def test_an_open_incident_that_cannot_be_read_defers_it_wherever_it_is(desk: Desk) -> None:
    publisher = desk.publisher()
    message = accident(severity="Severe", next_update_at=utc("2026-01-01T18:00"))
    publisher.publish(message, key="o", actor="desk", wait=NOW)
    with publisher.journal.write() as connection:
        connection.execute(update(schema.publication).values(message="{"))
    mine = [campaign(missed="skip", inhibition={"areas": ["dept:34"]})]
    [waits] = run(publisher, mine, actor="prévention", wait=NOW).decisions
    assert waits.action is Action.WAIT


@pytest.mark.parametrize(("missed", "became"), [("late", ["late", "late"]), ("skip", ["skip"]), ("merge", ["merge"])])
def test_the_journal_records_what_became_of_missed_messages(desk: Desk, missed: str, became: list[str]) -> None:
    publisher, pacing = desk.publisher(), {"spacing": "0m", "daily_cap": 9, "repeat_after": "0m"}
    mine = [campaign(missed=missed, pacing=pacing)]
    at(desk, {"late": "2026-01-02T19:00", "skip": "2026-01-02T16:50", "merge": "2026-01-02T17:00"}[missed])
    run(publisher, mine, actor="prévention", wait=NOW)
    assert run(publisher, mine, actor="prévention", wait=NOW).decisions == ()
    remarks = publisher.journal.audit.events(EVENT_KIND, utc("2026-01-01T00:00"))
    assert [remark["action"] for remark in remarks] == became
    assert [remark["day"] for remark in remarks] == ["2026-01-01", "2026-01-02"][: len(became)]


def test_one_campaign_that_is_wrong_silences_no_other(desk: Desk) -> None:
    publisher = desk.publisher()
    wrong = campaign(name="faux", to=["nowhere"])
    forbidden = {"category": "fire", "headline": "Incendie", "severity": "Severe"}  # without a word of when
    refused = campaign(name="refus", messages=[{"name": "a", "message": forbidden}])
    done = run(publisher, [wrong, refused, campaign()], actor="prévention", wait=NOW)
    assert "no channel has the name or tag 'nowhere'" in str(done.problems["faux"])
    assert "PN104" in str(done.problems["refus"])
    assert keys(publisher) == ["campaign ete 2026-01-01"] == [one.key for one in done.published]


def test_a_purge_that_deleted_its_key_does_not_publish_it_again(desk: Desk) -> None:
    publisher = desk.publisher()
    publisher.publish(campaign().messages[2].message, key="campaign of last year", actor="desk", wait=NOW)  # a person's
    assert len(run(publisher, [campaign()], actor="prévention", wait=LONG).published) == 1
    at(desk, "2026-01-02T16:00")
    publisher.journal.retention.purge(utc("2026-01-02T15:00"), "archives", category=None, dry_run=False)
    assert keys(publisher) == []
    [again] = run(publisher, [campaign()], actor="prévention").published
    assert again.at < utc("2026-01-02T00:00")  # the first one
    other = campaign(messages=[{**tip("d"), "name": "a"}])
    done = run(publisher, [other], actor="prévention")
    assert (done.published, done.problems) == ((), {})
    assert len(desk.bluesky.posts) == 2


def test_nothing_is_published_while_everything_is_stopped(desk: Desk) -> None:
    publisher = desk.publisher()
    publisher.journal.stop("chef")
    with pytest.raises(PublishingStopped):
        run(publisher, [campaign()], actor="prévention")
    assert keys(publisher) == []


def test_the_forecast_continues_from_what_was_published(desk: Desk) -> None:
    publisher = desk.publisher()
    run(publisher, [campaign()], actor="prévention", wait=NOW)
    plan = upcoming(publisher, [campaign()], date(2026, 1, 1), date(2026, 1, 3))
    assert [(one.occurrence.day.day, one.variant) for one in plan] == [(2, "b"), (3, "c")]


def test_two_machines_at_the_same_moment_with_two_versions_of_the_file(desk: Desk) -> None:
    versions = [campaign(), campaign(messages=[tip("z"), tip("a")], at="17:30")]
    publishers, start = [desk.publisher(), desk.publisher()], Barrier(2)

    def run_once(number: int) -> int:
        start.wait()
        return len(run(publishers[number], [versions[number]], actor="prévention", wait=NOW).published)

    with ThreadPoolExecutor(2) as machines:
        assert sorted(machines.map(run_once, range(2))) == [0, 1]
    assert len(keys(publishers[0])) == 1


def test_a_machine_that_was_halted_publishes_no_second_message_of_the_day(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = desk.publisher(), desk.publisher()

    def halted(*given: Any, **named: Any) -> tuple[Decision, ...]:
        monkeypatch.undo()
        made = decide(*given, **named)
        at(desk, "2026-01-01T17:02")  # its lock has ended
        assert len(run(second, [campaign(messages=[tip("z")])], actor="prévention", wait=NOW).published) == 1
        return made

    monkeypatch.setattr("policenotify.campaigns.runner.decide", halted)
    done = run(first, [campaign()], actor="prévention", wait=NOW)
    assert (done.published, done.problems) == ((), {})
    assert [
        str(one.message.headline)
        for one in first.journal.publications.by_key_prefix("campaign ", utc("2026-01-01T00:00"))
    ] == ["Conseil z"]


def test_a_restart_in_the_middle_of_a_day_and_another_zone_publish_it_once(desk: Desk) -> None:
    versions = [
        campaign(at=at_, zone=zone) for at_ in ("18:00", "19:30") for zone in ("Europe/Paris", "Indian/Reunion")
    ]
    for hours, version in product(range(3), versions):
        at(desk, f"2026-01-01T{17 + hours}:00")
        run(desk.publisher(), [version], actor="prévention", wait=NOW)
    assert keys(desk.publisher()) == ["campaign ete 2026-01-01"]


def test_what_an_earlier_release_published_by_the_key_of_a_message_is_not_published_again(desk: Desk) -> None:
    publisher = desk.publisher()
    publisher.publish(campaign().messages[0].message, key="campaign ete 2026-01-01 a", actor="prévention", wait=NOW)
    assert run(publisher, [campaign()], actor="prévention", wait=NOW).published == ()
    at(desk, "2026-01-02T17:00")
    [second] = run(publisher, [campaign()], actor="prévention", wait=NOW).published
    assert (second.key, second.message.headline) == ("campaign ete 2026-01-02", "Conseil b")


def test_a_message_that_no_route_takes_is_a_problem_and_stays_due(desk: Desk) -> None:
    publisher = desk.publisher(routes=(Route(categories=frozenset({"fire"}), to=("bluesky",)),))
    done = run(publisher, [campaign()], actor="prévention", wait=NOW)
    assert (done.published, keys(publisher)) == ((), [])
    assert "No route takes message 'a'" in str(done.problems["ete"])
    assert len(run(desk.publisher(), [campaign()], actor="prévention", wait=NOW).published) == 1


# --- messages that other people read first


def reading(desk: Desk, **how: Any) -> Publisher:
    return desk.publisher(approval=[ApprovalRule(categories=frozenset({"burglary_prevention"}), **how)])


def approve_all(publisher: Publisher, *campaigns: Any) -> list[str]:
    drafts = submit(publisher, campaigns, actor="claire")
    return [publisher.drafts.approve(each.id, digest=each.digest, actor="hugo").state for each in drafts]


def test_what_others_must_read_is_published_when_one_has(desk: Desk) -> None:
    publisher, mine = reading(desk), campaign(messages=[tip("a"), tip("b")])
    refused = run(publisher, [mine], actor="cron", wait=NOW)
    assert "Message 'a' needs the approval of another person" in str(refused.problems["ete"])
    drafts = submit(publisher, [mine], actor="claire")
    assert [each.state for each in drafts] == ["submitted", "submitted"]
    assert [each.id for each in submit(publisher, [mine], actor="claire")] == [each.id for each in drafts]
    waits = run(publisher, [mine], actor="cron", wait=NOW)
    assert f"waits for its readers: policenotify drafts {drafts[0].id}" in str(waits.problems["ete"])
    assert keys(publisher) == []
    done = publisher.drafts.approve(drafts[0].id, digest=drafts[0].digest, actor="hugo")
    assert (done.state, done.publication) == ("approved", None)
    published = run(publisher, [mine], actor="cron", wait=NOW)
    assert (keys(publisher), published.problems) == (["campaign ete 2026-01-01"], {})
    assert run(publisher, [mine], actor="cron", wait=NOW).published == ()
    at(desk, "2026-01-02T17:30")
    assert "Message 'b' waits" in str(run(publisher, [mine], actor="cron", wait=NOW).problems["ete"])
    publisher.drafts.approve(drafts[1].id, digest=drafts[1].digest, actor="hugo")
    for day in ("02", "03", "04"):
        at(desk, f"2026-01-{day}T17:40")
        run(publisher, [mine], actor="cron", wait=NOW)
    assert keys(publisher) == [f"campaign ete 2026-01-0{day}" for day in range(1, 5)]
    publisher.journal.audit.verify()


def test_an_approval_is_of_the_words_channels_and_campaign(desk: Desk) -> None:
    publisher = reading(desk)
    assert approve_all(publisher, campaign(messages=[tip("a")])) == ["approved"]
    edited = {"name": "a", "message": {**tip("a")["message"], "description": "Fermez."}}
    for other in (
        campaign(messages=[edited]),
        campaign(messages=[tip("a")], to=["bluesky"]),
        campaign(messages=[tip("a")], name="autre"),
    ):
        assert "needs the approval" in str(run(publisher, [other], actor="cron", wait=NOW).problems[other.name])
        assert keys(publisher) == []
        assert approve_all(publisher, other) == ["approved"]
    assert len(run(publisher, [campaign(messages=[tip("a")])], actor="cron", wait=NOW).published) == 1


def test_what_a_reader_takes_back_is_published_no_more(desk: Desk) -> None:
    publisher, mine = reading(desk), campaign(messages=[tip("a")])
    approve_all(publisher, mine)
    run(publisher, [mine], actor="cron", wait=NOW)
    [draft] = submit(publisher, [mine], actor="claire")
    publisher.drafts.return_to_author(draft.id, digest=draft.digest, actor="hugo", reason="Texte à revoir.")
    at(desk, "2026-01-02T17:30")
    assert "A reader returned message 'a'" in str(run(publisher, [mine], actor="cron", wait=NOW).problems["ete"])
    publisher.drafts.withdraw(draft.id, actor="claire")
    assert "needs the approval" in str(run(publisher, [mine], actor="cron", wait=NOW).problems["ete"])
    assert len(keys(publisher)) == 1


def test_only_who_is_authenticated_submits_and_approves_where_the_rule_demands_it(desk: Desk) -> None:
    publisher, mine = reading(desk, authenticated=True), [campaign(messages=[tip("a")])]
    with pytest.raises(ApprovalMissing, match="All must be authenticated"):
        submit(publisher, mine, actor="claire")
    assert "Submit it:" in str(run(publisher, mine, actor="cron", wait=NOW).problems["ete"])
    [draft] = submit(publisher, mine, actor="oidc:1", authenticated=True)
    assert submit(publisher, mine, actor="oidc:1", authenticated=True)[0].id == draft.id
    with pytest.raises(DraftConflict, match="only a reader who is authenticated counts"):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    assert "waits for its readers" in str(run(publisher, mine, actor="cron", wait=NOW).problems["ete"])
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="oidc:2", authenticated=True)
    assert len(run(publisher, mine, actor="cron", wait=NOW).published) == 1


@pytest.mark.parametrize(
    ("day", "calendar", "silent"),
    [("2028-05-01", False, False), ("2028-07-01", True, False), ("2028-09-01", True, True)],
)
def test_the_end_of_the_school_calendar_is_reported(desk: Desk, day: str, *, calendar: bool, silent: bool) -> None:
    at(desk, f"{day}T12:00")
    publisher = desk.publisher()
    needs = campaign(schedule=[{"event": "school_holidays:C"}])
    for _ in range(2):
        result = run(publisher, [needs, campaign(name="autre")], actor="prévention", wait=NOW)
        assert [str(line).partition(":")[0] for line in result.calendar] == ["ete"] * calendar
        assert result.silent is silent
