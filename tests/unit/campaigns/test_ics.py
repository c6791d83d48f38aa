"""The calendar, as other programs read it."""

from __future__ import annotations

from datetime import date

from icalendar import Calendar

from policenotify.campaigns import forecast
from policenotify.campaigns.calendar import ics
from tests.support.campaigns import campaign, tip, utc


def test_a_calendar_is_read_back_and_an_occurrence_keeps_its_name() -> None:
    long = tip("a")
    long["message"] |= {"headline": "Vacances, été ; « OTV » " + "é" * 100, "instruction": "Fermez.\nPrévenez."}
    mine = [campaign(messages=[long, tip("b")])]
    plan = forecast(mine, date(2026, 1, 1), date(2026, 1, 2))
    written = ics(plan, mine, now=utc("2026-01-01T00:00"))
    assert max(map(len, written.split(b"\r\n"))) <= 75
    first, second = Calendar.from_ical(written).walk("VEVENT")
    assert first["SUMMARY"] == f"ete : {long['message']['headline']}"
    assert first["DESCRIPTION"] == "Fermez.\nPrévenez."
    assert first.decoded("DTSTART") == plan[0].occurrence.due
    later = [campaign(at="19:30", messages=[tip("b"), tip("c")])]
    again = ics(forecast(later, date(2026, 1, 1), date(2026, 1, 2)), later, now=utc("2026-01-01T00:00"))
    uids = [event["UID"] for event in Calendar.from_ical(again).walk("VEVENT")]
    assert uids == [first["UID"], second["UID"]]
