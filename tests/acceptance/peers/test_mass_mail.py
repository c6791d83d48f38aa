"""A long list through postfix into dovecot's mailboxes: nobody is lost, nobody gets two, whatever ends the sender."""

from __future__ import annotations

import os
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from policenotify.channel import CHUNK
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from tests.acceptance.peers.mail_server import MailServer
from tests.acceptance.peers.mass_mail import MassMail, Orders, Task

pytestmark = pytest.mark.peers

ANSWERS = 0.01  # seconds that postfix takes for each recipient, so that the list outlasts the interruptions


@pytest.fixture(params=[600, pytest.param(10_000, marks=pytest.mark.deep)])
def mass(request: pytest.FixtureRequest, mail: MailServer, tmp_path: Path) -> Iterator[MassMail]:
    """A list of which one in a hundred does not exist, and one in a hundred is deferred at first."""
    kinds = {7: "bounce", 57: "grey"}
    people = tuple(f"{kinds.get(number % 100, 'p')}{number}" for number in range(request.param))
    for person in people:
        if person.startswith("grey"):
            mail.policy.refuse(f"{person}@*", "451 4.7.1 greylisted", times=1)
    mail.policy.refuse("bounce*", "550 5.1.1 no such user")
    mail.policy.delay = ANSWERS * 1_000 / request.param
    Keys.create(secrets.token_bytes).save(tmp_path / "keys")
    opened = MassMail(
        server=mail,
        orders=Orders(folder=tmp_path, port=mail.smtp, people=people),
        chance=random.Random(int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))),  # noqa: S311 - no secret is made
    )
    yield opened
    opened.close()
    mail.policy.delay = 0.0


def test_no_person_is_lost_and_none_gets_two_mails_whatever_ends_the_sender(mass: MassMail) -> None:
    count_kills, count_cuts = (31, 11) if len(mass.orders.people) > 600 else (11, 4)  # of each of three kinds
    cuts: tuple[Task, ...] = ("terminated", "budget", "wait")
    kills: tuple[Task, ...] = ("killed",)
    tasks = [*kills * count_kills, *cuts * count_cuts]
    mass.chance.shuffle(tasks)
    for task in tasks:
        mass.interrupt(task)
    assert mass.interruptions["killed"] >= count_kills - 1, mass.interruptions
    assert sum(mass.interruptions.values()) >= len(tasks) - 4, mass.interruptions
    mass.finish()

    received = Counter(each.recipient.partition("@")[0] for each in mass.server.mails)
    outcomes = dict(mass.people())
    held = {person for person, outcome in outcomes.items() if outcome is Outcome.HELD}
    assert len(held) <= count_kills * CHUNK
    for person, outcome in outcomes.items():
        if person not in held:  # its mail is in the mailbox or not: that is the doubt
            assert outcome is (Outcome.REFUSED if person.startswith("bounce") else Outcome.POSTED), person
            assert received[person] == (outcome is Outcome.POSTED), f"{person}: {outcome}, {received[person]} mails"
    assert max(received.values()) == 1
    assert received.keys() <= outcomes.keys()
    print(f"{sum(mass.interruptions.values())} ends, {len(held)} in doubt, {len(received)} mails")  # noqa: T201 - figures
