"""A list that cannot be read delays no command and is named everywhere. Once mended, it is sent to at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from policenotify.errors import SettingsError
from policenotify.model.history import Outcome
from tests.support.installation import ADDRESSES, Desk, accident
from tests.support.patience import PATIENCE
from tests.support.shell import ACCIDENT, Ran, Run


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
    publisher = desk.publisher([desk.by_mail(recipients=people)], backoff=_never)
    receipt = publisher.publish(accident(), key="open", actor="desk", wait=timedelta(minutes=1)).on("presse")
    assert (receipt.outcome, receipt.ok) == (Outcome.WAITING, False)
    assert str(receipt.reason).endswith("cannot be read: audiences.app: the directory does not answer.")
    assert publisher.drain(timedelta(minutes=1)) is not None  # when a worker tries it again
    people.broken = False
    publisher.drain(timedelta(minutes=1))
    assert publisher.operations.publication("open").on("presse").outcome is Outcome.POSTED  # type: ignore[union-attr]
    assert len(desk.mail.mails) == len(ADDRESSES)
