"""A blocked channel or an unreadable list stops no other, is named everywhere, and its deliveries wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from policenotify.errors import SettingsError
from policenotify.journal.clock import SystemClock
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.publisher import Publisher
from policenotify.settings import open_publisher
from tests.support.audiences import listed
from tests.support.installation import ADDRESSES, Desk, accident
from tests.support.patience import PATIENCE, until
from tests.support.shell import ACCIDENT, Ran, Run, with_other

_AGAIN = '[channels.again]\nnetwork = "bluesky"\nhandle = "{0.handle}"\nservice = "{0.url}"\n'

Break = Callable[[Desk, pytest.MonkeyPatch], None]


def _secret(desk: Desk, value: str) -> None:
    desk.change_settings(f'password = "{desk.bluesky.password}"', f"password = {value}")


def _no_list(desk: Desk, _: pytest.MonkeyPatch) -> None:
    (desk.folder / "presse.txt").unlink()


BREAKS: dict[str, tuple[str, Break, str]] = {
    "secret file missing": ("bluesky", lambda d, _: _secret(d, '{ file = "none" }'), "bluesky.password: the file"),
    "option wrong": ("bluesky", lambda d, _: d.change_settings("handle =", "handle = 7 #"), "channels.bluesky.handle"),
    "network unknown": ("bluesky", lambda d, _: d.change_settings('"bluesky"', '"blusky"'), "Did you mean 'bluesky'?"),
    "list missing": ("presse", _no_list, "cannot be read (No such file"),
}

_UNKNOWN: Final = {"network unknown"}
"""Faults with which nothing is known of the channel, so that nothing can be worded for it."""

TIP: Final = ("--category", "scam_cyber", "--headline", "Faux conseiller", "--instruction", "Raccrochez.")


def _receipts(ran: Ran) -> dict[str, dict[str, object]]:
    return {one["channel"]: one for one in ran.document["publication"]["receipts"]}


def _posted(desk: Desk, channel: str) -> int:
    return len(desk.bluesky.posts) if channel == "bluesky" else len(desk.mail.mails)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BREAKS)
def test_a_channel_that_cannot_be_used_silences_no_other(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    name, broken, expected = BREAKS[kind]
    other = {"bluesky": "presse", "presse": "bluesky"}[name]
    whole = {"bluesky": 1, "presse": len(ADDRESSES)}
    assert run("publish", *TIP).code == 0
    with monkeypatch.context() as only_now:
        broken(desk, only_now)
        seen = run("preview", *ACCIDENT, "--json")
        assert seen.code == 3
        assert list(seen.document["blocked"]) == ([] if kind in _UNKNOWN else [name])
        assert [one["channel"] for one in seen.document["refusals"]] == ([name] if kind in _UNKNOWN else [])
        assert run("preview", *ACCIDENT, "--html", "page.html").code == 3
        said = run("publish", *ACCIDENT, "--key", "one", "--json")
        assert said.code == 3
        receipts = _receipts(said)
        assert receipts[other]["outcome"] == "posted"
        assert receipts[name]["outcome"] == ("refused" if kind in _UNKNOWN else "waiting")
        assert expected in f"{receipts[name]['reason']} {receipts[name]['note']}"
        assert list(said.document["blocked"]) == [name]
        for command in ("status", "doctor"):
            shown = run(command)
            assert shown.code == 3
            assert expected.split()[0] in shown.words
        found = run("status", "--json").document["channels"]
        assert [each["name"] for each in found if each["state"] == "blocked"] == [name]
        drained = run("drain", "--budget", "2", "--json")
        assert (drained.code, list(drained.document["blocked"])) == (3, [name])
        assert (_posted(desk, name), _posted(desk, other)) == (whole[name], 2 * whole[other])
        for text in (seen.out, said.out, drained.out):
            assert desk.bluesky.password not in text
            assert not any(address in text for address in ADDRESSES)
    desk.write_settings()
    drained = run("drain", "--budget", "60", "--json")
    assert (drained.code, drained.document["outcomes"]) == (0, {} if kind in _UNKNOWN else {"posted": 1})
    assert run("drain", "--budget", "5").code == 0
    left = 1 if kind in _UNKNOWN else 2
    assert (_posted(desk, name), _posted(desk, other)) == (left * whole[name], 2 * whole[other])
    assert run("status").code == (3 if kind in _UNKNOWN else 0)  # who did not get it is for a person


def test_nothing_is_worded_for_a_channel_of_which_nothing_is_known(run: Run, desk: Desk) -> None:
    desk.change_settings("handle =", "handel =")
    said = run("publish", *ACCIDENT, "--json")
    receipt = _receipts(said)["bluesky"]
    assert (said.code, receipt["outcome"]) == (3, "refused")
    assert "Did you mean 'handle'?" in str(receipt["reason"])
    assert "policenotify publish --to bluesky" in str(receipt["reason"])
    desk.write_settings()
    assert run("publish", *with_other("--incident", "2026-4712"), "--to", "bluesky").code == 0
    assert len(desk.bluesky.posts) == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[channels.presse]", "[channels.presse", "is not TOML"),
        ("zone =", "zohne =", "Did you mean 'zone'?"),
        ("[channels.presse]", f'{_AGAIN}password = "x"\n[channels.presse]', "are the same account"),
        ("handle =", 'languages = ["oc"]\nhandle =', "there is no 'oc'"),
        (
            'network = "bluesky"',
            'netwrok = "bluesky"',
            "channels.bluesky: 'netwrok' is not known. Did you mean 'network'?",
        ),
    ],
)
def test_wrong_settings_of_the_whole_stop_everything_and_are_named(
    run: Run, desk: Desk, old: str, new: str, expected: str
) -> None:
    desk.change_settings(old, new.format(desk.bluesky) if "{0" in new else new)
    for command in (("publish", *ACCIDENT), ("status",), ("doctor",), ("drain", "--budget", "1")):
        ran = run(*command)
        assert ran.code in {1, 3}, command
        assert expected in " ".join((ran.out + ran.err).split())
    assert (desk.bluesky.posts, desk.mail.mails) == ((), [])


def test_all_that_needs_no_channel_works_beside_one_that_cannot_be_used(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT)
    _secret(desk, '{ file = "none" }')
    for command in ("incidents", "stop", "resume", "journal verify", "journal seal", "migrate", "journal export"):
        assert run(*command.split()).code == 0, command


class _Ahead(SystemClock):
    """The machine's clock, whose passing time can be put ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@contextmanager
def _opened(desk: Desk, clock: SystemClock | None = None) -> Iterator[Publisher]:
    publisher = open_publisher(desk.folder / "policenotify.toml", clock=clock)
    try:
        yield publisher
    finally:
        publisher.close()


def _following(stage: Stage, headline: str, **more: object) -> Message:
    return accident(headline=headline, lifecycle=Lifecycle(stage=stage, incident="2026-4711"), **more)


def test_waiting_deliveries_form_a_thread_once_the_channel_is_mended(desk: Desk) -> None:
    _secret(desk, '{ file = "none" }')
    with _opened(desk) as publisher:
        publisher.publish(accident(), key="open", actor="desk")
        publisher.publish(_following(Stage.UPDATE, "Une voie rouverte"), key="update", actor="desk")
    desk.write_settings()
    with _opened(desk) as publisher:
        publisher.drain(timedelta(seconds=20))
        ended = publisher.publish(_following(Stage.END, "Fin d'intervention"), key="end", actor="desk")
        opened = publisher.operations.publication("open")
    assert ended.ok
    assert opened is not None
    assert opened.ok
    first, *rest = desk.bluesky.posts
    assert "Accident de la circulation" in first.text
    assert ["une voie rouverte" in rest[0].text.lower(), "– FIN]" in rest[1].text] == [True, True]
    assert [post.parent for post in rest] == [first.uri, rest[0].uri]


def test_a_publisher_that_runs_on_uses_a_channel_as_soon_as_it_is_mended(desk: Desk) -> None:
    _secret(desk, '{ file = "none" }')
    clock = _Ahead()
    with _opened(desk, clock) as publisher, publisher.worker():
        publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
        until(lambda: len(desk.mail.mails) == len(ADDRESSES))
        assert desk.bluesky.posts == ()
        desk.write_settings()

        def posted() -> bool:
            clock.ahead += 1
            return len(desk.bluesky.posts) == 1

        until(posted)
        assert publisher.operations.blocked() == {}


def test_what_only_the_drain_cannot_use_is_seen_from_every_shell(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _secret(desk, '{ env = "SKY" }')
    run("drain", "--budget", "1")  # as cron starts it, without the variable
    monkeypatch.setenv("SKY", desk.bluesky.password)
    seen = run("status", "--json")
    assert (seen.code, [one["kind"] for one in seen.document["alarms"]]) == (3, ["attention"])
    [problem] = seen.document["channels"][0]["blocked_for"]
    assert problem["reason"] == "channels.bluesky.password: the environment variable SKY is not set."
    [bluesky, presse] = run("status", "--json").document["channels"]
    assert (bluesky["state"], bluesky["ok"], bluesky["blocked_for"]) == ("ready", False, [problem])
    assert (presse["state"], presse["ok"]) == ("ready", True)
    shown = run("status")
    assert "✘ channel bluesky: It is blocked for the process that delivers on " in shown.words
    assert desk.bluesky.password not in seen.out + shown.out
    assert run("doctor").code == 3
    published = run("publish", *ACCIDENT, "--json")  # here it can be used
    assert (published.code, _posted(desk, "bluesky")) == (0, 1)
    run("drain", "--budget", "1")
    assert run("status").code == 0


def test_settings_that_are_just_being_edited_change_nothing(desk: Desk) -> None:
    _secret(desk, '{ file = "none" }')
    clock = _Ahead()
    with _opened(desk, clock) as publisher:
        for text in ("[channels", 'sender = "Police"\n[channels.other]\nnetwork = "x"\n'):
            (desk.folder / "policenotify.toml").write_text(text, encoding="utf-8")
            clock.ahead += 60
            publisher.drain(timedelta(seconds=0.1))
            assert set(publisher.operations.blocked()) == {"bluesky"}


def test_a_delivery_waiting_for_a_removed_channel_is_an_alarm(run: Run, desk: Desk) -> None:
    _secret(desk, '{ file = "none" }')
    run("publish", *ACCIDENT)
    desk.change_settings("[channels.bluesky]", "[channels.sky]")
    for command in ("status", "doctor"):
        shown = run(command)
        assert shown.code == 3
        assert "It is no longer in the settings, and messages wait for it." in shown.words
        assert "channel bluesky" in shown.words
    desk.write_settings()
    assert run("drain", "--budget", "20", "--json").document["outcomes"] == {"posted": 1}
    assert run("status").code == 0


# --- a list that was emptied


def _empty(desk: Desk) -> Path:
    place = desk.folder / "presse.txt"
    place.write_text("# nobody\n", encoding="utf-8")
    return place


def test_a_list_that_was_emptied_needs_a_person(run: Run, desk: Desk) -> None:
    run("publish", "--category", "scam_cyber", "--headline", "Faux conseiller", "--instruction", "Raccrochez.")
    mails = len(desk.mail.mails)
    _empty(desk)
    said = run("publish", *ACCIDENT, "--json")
    assert said.code == 3
    receipt = _receipts(said)["presse"]
    assert receipt["outcome"] == "waiting"
    assert receipt["reason"] == "The list of recipients of 'presse' is empty, and had people before."
    assert "if it is meant to be empty, set retired = true" in str(receipt["remedy"])
    assert _receipts(said)["bluesky"]["outcome"] == "posted"
    doctor = run("doctor", "--json")
    assert doctor.code == 3
    [line] = [one for one in doctor.document["lines"] if one["check"] == "recipients of presse"]
    assert line["state"] == "WRONG"
    shown = run("status", "--json")
    assert (shown.code, [one["state"] for one in shown.document["channels"]]) == (3, ["ready", "blocked"])
    assert run("preview", *ACCIDENT[:2], *ACCIDENT[4:]).code == 3
    desk.write_settings()
    assert run("drain", "--budget", "20").code == 0
    assert len(desk.mail.mails) == mails + len(ADDRESSES)
    assert run("status").code == 0


def test_a_list_emptied_on_purpose_is_reported_as_retired(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT)
    _empty(desk)
    desk.change_settings("recipients =", "retired = true\nrecipients =")
    assert run("doctor").code == 0
    assert run("status").code == 0


def test_a_follow_up_goes_to_recipients_of_the_opening_though_the_list_is_empty(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT)
    _empty(desk)
    update = run("update", "2026-4711", "Une voie rouverte")
    assert (update.code, update.words.count("The list of recipients of 'presse' is empty")) == (3, 1)
    ended = run("end", "2026-4711", "Fin d'intervention", "--json")
    assert (ended.code, list(ended.document["blocked"])) == (3, ["presse"])
    assert _receipts(ended)["presse"]["outcome"] == "posted"
    assert len(desk.mail.mails) == 3 * len(ADDRESSES)
    (desk.folder / "presse.txt").unlink()
    assert run("status").code == 3


def _presse(ran: Ran) -> dict[str, object]:
    return next(one for one in ran.document["publication"]["receipts"] if one["channel"] == "presse")


def _break(desk: Desk) -> None:
    (desk.folder / "presse.txt").unlink()


def _never(before: timedelta) -> timedelta:
    return max(before, timedelta(hours=1))


class _List:
    """A list of the host that can be broken and mended."""

    def __init__(self, behind: int = 0) -> None:
        self.broken, self.tries, self.behind = True, 0, behind

    def __call__(self) -> Iterator[str]:
        self.tries += 1
        yield from ADDRESSES[: self.behind]
        if self.broken:
            raise SettingsError("audiences.app: the directory does not answer.")
        yield from ADDRESSES[self.behind :]


def test_publish_holds_it_once_and_returns_and_all_commands_name_the_list(
    run: Run, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    _break(desk)
    began = time.monotonic()
    published = run("publish", *ACCIDENT, "--key", "one", "--wait", f"{PATIENCE}", "--json")
    drained = run("drain", "--budget", f"{PATIENCE}", "--json")
    assert time.monotonic() - began < PATIENCE  # neither waits for the list
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    receipt = _presse(published)
    assert (published.code, receipt["outcome"]) == (3, "waiting")
    assert "presse.txt cannot be read (No such file" in str(receipt["reason"])
    assert str(receipt["remedy"]).startswith("Make it readable.")
    assert (drained.code, drained.document["outcomes"]) == (3, {"waiting": 1})
    held = run("resolve", str(receipt["delivery"]), "--json")
    assert (held.code, held.document["people"]) == (3, [])
    assert held.document["waits_for_list"]["reason"] == receipt["reason"]
    shown = run("status")
    assert (shown.code, "The list of recipients of 'presse' cannot be read" in shown.words) == (3, True)


def test_a_mended_list_is_sent_to_by_the_next_drain_whatever_its_delay(run: Run, desk: Desk) -> None:
    _break(desk)
    run("publish", *ACCIDENT, "--key", "one")
    for _ in range(5):  # so that its delay has grown
        run("drain")
    desk.write_settings()
    assert run("drain").code == 0
    assert len(desk.mail.mails) == len(ADDRESSES)


# --- a list of the host


def test_a_list_that_fails_in_the_middle_needs_a_person_too(desk: Desk) -> None:
    people = _List(behind=3)
    publisher = desk.publisher([desk.by_mail(audiences=listed("presse", people))], backoff=_never)
    receipt = publisher.publish(accident(), key="open", actor="desk", wait=timedelta(minutes=1)).on("presse")
    assert (receipt.outcome, receipt.ok) == (Outcome.WAITING, False)
    assert str(receipt.reason).endswith("audiences.app: the directory does not answer.")
    assert publisher.drain(timedelta(minutes=1)) is not None  # when a worker tries it again
    people.broken = False
    publisher.drain(timedelta(minutes=1))
    assert publisher.operations.publication("open").on("presse").outcome is Outcome.POSTED  # type: ignore[union-attr]
    assert len(desk.mail.mails) == len(ADDRESSES)
