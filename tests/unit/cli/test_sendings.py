"""`sending`, and `resolve` of a sending to many people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from policenotify.cli import bar
from policenotify.model.history import Outcome
from policenotify.model.progress import Progress
from tests.support.installation import ADDRESSES, INCIDENT, Desk
from tests.support.shell import ACCIDENT, Run
from tests.unit.cli.test_terminal import on_a_terminal


@pytest.fixture
def published(run: Run, desk: Desk) -> str:
    """A publication of which nothing is sent yet, and its mails go to three people."""
    settings = desk.folder / "policenotify.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + 'on_unknown = "hold"\n', encoding="utf-8")
    ran = run("publish", *ACCIDENT, "--wait", "0", "--json")
    return str(ran.document["publication"]["id"])


@pytest.fixture
def doubted(run: Run, desk: Desk, published: str) -> str:
    """The number of a delivery of which one person is held and one was refused."""
    desk.mail.hang_up("DATA", delivered=True, times=1)
    desk.mail.refuse(ADDRESSES[2])
    run("drain", "--budget", "10")
    [found] = run("sending", "progress", published, "--json").document["deliveries"][1:]
    return str(found["delivery"])


def test_a_sending_is_paused_resumed_and_followed(run: Run, desk: Desk, published: str) -> None:
    paused = run("sending", "pause", INCIDENT, "--channel", "presse", "--reason", "Erreur  de date")
    assert (paused.code, paused.out) == (0, f"Paused on presse. To go on: policenotify sending resume {published}\n")
    assert run("sending", "pause", published).words.startswith("Nothing was changed")
    assert run("drain", "--budget", "10").code in {0, 3}
    assert (len(desk.bluesky.posts), len(desk.mail.mails)) == (1, 0)
    shown = run("sending", "progress", published, "--once")
    assert shown.code == 3
    assert "presse (fr): nobody yet; paused by brigadier" in shown.out
    receipt = run("status", published)
    assert "brigadier has paused it." in receipt.out
    assert f"policenotify sending resume {published}" in receipt.words
    assert "The next publish or" not in receipt.words
    resumed = run("sending", "resume", published, "--reason", "Corrigé", "--json")
    assert (resumed.code, resumed.document["channels"]) == (0, ["presse"])
    assert run("sending", "resume", INCIDENT).words.startswith("Nothing was changed")
    assert run("drain", "--budget", "10").code == 0
    assert len(desk.mail.mails) == 3
    followed = run("sending", "progress")  # it is settled, and so it ends
    assert followed.code == 0
    assert "presse (fr): 3 posted\n" in followed.out
    document = run("sending", "progress", "--json").document
    assert (document["publication"], document["is_settled"]) == (published, True)
    assert [found["accepted"] for found in document["deliveries"]] == [1, 3]


def test_people_in_doubt_are_listed_and_settled_one_by_one(run: Run, desk: Desk, doubted: str) -> None:
    shown = run("resolve", doubted)
    assert shown.code == 3
    [line] = shown.out.splitlines()
    assert re.match(r"[0-9a-f]{12}  held  since ", line)
    assert "@" not in line
    assert f"Who is held: policenotify resolve {doubted}" in run("sending", "progress", "--once").words
    [person] = run("resolve", doubted, "--json").document["people"]
    assert person["outcome"] == "held"
    assert run("resolve", doubted, "--show-addresses").code == 2
    unknown = run("resolve", doubted, "--recipient", "nobody@x.example", "--posted")
    assert unknown.code == 2
    assert "1 of the people named is not in doubt" in unknown.err
    assert "nobody@" not in unknown.err
    done = run("resolve", doubted, "--recipient", person["key"][:12], "--posted")
    assert (done.code, done.out) == (0, f"Delivery {doubted} counts as posted for 1 person.\n")
    assert run("resolve", doubted).out == "Nobody is in doubt.\n"
    assert run("resolve", "999").code == 2
    assert "brigadier has settled who was held." in run("status").words
    assert len(desk.mail.mails) == 2


@pytest.mark.slow
def test_addresses_are_shown_on_a_terminal(desk: Desk, doubted: str) -> None:
    settings = str(desk.folder / "policenotify.toml")
    shown = on_a_terminal(200, "--settings", settings, "resolve", doubted, "--show-addresses")
    assert sum(address in shown for address in ADDRESSES) == 1


def sampled(seconds: int, posted: int, **fields: object) -> Progress:
    people = {Outcome.POSTED: posted, Outcome.WAITING: 100 - posted}
    mail = {"delivery": 2, "channel": "presse", "language": "fr", "outcome": "sending", "bulk": True, "people": people}
    at = datetime(2026, 11, 26, 18, 0, seconds, tzinfo=UTC)
    return Progress.model_validate({"publication": "P", "at": at, "deliveries": [mail | fields]})


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({}, "; 5.0 per second; time left: 10 s"),
        ({"expanded": False}, "; 5.0 per second; the list is still being read"),
        ({"halt": "paused", "halted_by": "cne Roux"}, "; paused by cne Roux"),
        ({"outcome": "posted"}, ""),
    ],
)
def test_a_line_has_the_rate_of_the_last_half_minute(fields: dict[str, object], more: str) -> None:
    samples = bar.Samples()
    for sample in (sampled(0, 0), sampled(40, 0), sampled(50, 50, **fields)):  # the first is too old
        samples.add(sample)
    [(_, line)] = samples.lines()
    assert str(line) == f"presse (fr): 50 posted, 50 waiting{more}"


@pytest.mark.slow
def test_a_publication_to_many_shows_a_bar_while_it_waits(desk: Desk) -> None:
    desk.addresses = tuple(f"p{number:03}@habitant.example" for number in range(320))
    settings = str(desk.write_settings())
    desk.mail.delay("DATA", 0.01)
    shown = on_a_terminal(80, "--settings", settings, "publish", *ACCIDENT, "--wait", "60", POLICENOTIFY_ACTOR="desk")
    assert re.search(r"\npresse \(fr\): .*\d+ waiting", shown)
    assert "━" in shown
    assert "320 posted" in shown


def test_an_aborted_sending_reaches_nobody(run: Run, desk: Desk, published: str) -> None:
    aborted = run("sending", "abort", published, "--reason", "Mauvaise liste", "--json")
    assert (aborted.code, aborted.document) == (
        0, {"publication": published, "channels": ["presse"], "people": 0, "actor": "brigadier"},
    )  # fmt: skip
    assert run("drain", "--budget", "10").code == 0
    assert desk.mail.mails == []
    assert "presse (fr): nobody yet; aborted by brigadier" in run("sending", "progress").out
    assert run("sending", "abort", published).words.startswith("Nothing was changed")
