"""Audiences on the command line: whom a message reaches, what that costs, and whether the lists are in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.installation import Desk
from tests.support.shell import Ran, Run

PEOPLE = """address;language;areas;categories;consent_at
a@montpellier.example;;commune:34172;;
b@lattes.example;;commune:34129;;
c@herault.example;fr-CA;dept:34;;2026-03-14
d@herault.example;en;dept:34;;
e@gard.example;;dept:30;;
f@montpellier.example;;commune:34172;arrest;
Mairie;;;;
"""
CLOSURE = (
    "--category", "road_closure", "--commune", "34172", "--headline", "Route coupée", "--instruction",
    "Évitez le secteur.",
)  # fmt: skip


@pytest.fixture
def settings(desk: Desk) -> Callable[..., Path]:
    """Give the mail channel the audience `residents`, and write its table."""
    (desk.folder / "residents.csv").write_text(PEOPLE, encoding="utf-8")
    (desk.folder / "residents.csv").chmod(0o600)

    def written(channel: str = "", more: str = "") -> Path:
        desk.change_settings('recipients = { file = "presse.txt" }', f'audiences = ["residents"]\n{channel}')
        desk.add_settings(f'\n[audiences.residents]\ncsv = "residents.csv"\n{more}')
        return desk.folder / "policenotify.toml"

    return written


def reach(ran: Ran) -> dict[str, object]:
    [found] = ran.document["reach"]
    return dict(found)


def test_a_message_goes_to_those_whom_it_concerns(run: Run, desk: Desk, settings: Callable[..., Path]) -> None:
    settings()
    assert run("publish", *CLOSURE, "--incident", "i1").code == 0
    got = {mail.recipient for mail in desk.mail.mails}
    assert got == {"a@montpellier.example", "c@herault.example", "d@herault.example"}
    assert run("end", "i1", "Route rouverte").code == 0
    assert len(desk.mail.mails) == 6


def test_a_preview_counts_people(run: Run, settings: Callable[..., Path]) -> None:
    settings()
    assert "It goes to 3 people." in run("preview", *CLOSURE, "--incident", "i1", "--html", "page.html").out
    assert "<p>It goes to 3 people.</p>" in Path("page.html").read_text("utf-8")
    assert reach(run("preview", *CLOSURE, "--incident", "i1", "--json")) == {
        "channel": "presse", "language": "fr", "people": 3, "messages": 1, "problem": "",
    }  # fmt: skip


def test_a_preview_counts_segments_and_euros(run: Run, desk: Desk) -> None:
    desk.add_settings("""
[channels.sms]
network = "sms"
url = "octopush://POLICE34:desk@police.example/s3cret/{recipient}"
audiences = ["numbers"]
price = 0.05
[audiences.numbers]
addresses = ["+33639980001", "+33 6 39 98 00 01", "+33639980002", "+33639980003"]
""")
    long = ("--description", "La circulation est déviée par la rocade et par le boulevard urbain. " * 2, "--to", "sms")
    ran = run("preview", *CLOSURE, "--incident", "i1", *long, "--json")
    found = reach(ran)
    assert (found["people"], found["price"]) == (3, 0.05)
    assert isinstance(found["messages"], int)
    assert found["messages"] > 1
    total = 3 * found["messages"]
    assert found["cost"] == pytest.approx(total * 0.05)
    shown = " ".join(run("preview", *CLOSURE, "--incident", "i1", *long).out.split())
    assert f"It goes to 3 people: {total} messages to pay for, {total * 0.05:.2f} €." in shown


def test_too_many_people_are_refused_before_anything_leaves(
    run: Run, desk: Desk, settings: Callable[..., Path]
) -> None:
    settings("most_people = 2")
    ran = run("publish", *CLOSURE, "--incident", "i1", "--json")
    assert ran.code == 1
    [finding] = [each for each in ran.document["error"]["findings"] if each["level"] == "block"]
    assert finding["code"] == "PN603"
    assert finding["reason"] == "On 'presse' it would go beyond what the channel may: most_people = 2."
    assert desk.mail.mails == []
    assert not desk.bluesky.posts
    assert run("publish", *CLOSURE, "--incident", "i1", "--to", "bluesky").code == 0
    reason = ("--reason", "La préfecture le demande par écrit.")
    submitted = run(
        "publish", *CLOSURE, "--incident", "i2", "--submit", *reason, "--actor", "claire", "--json"
    ).document
    lifted = run("approve", submitted["id"], "--digest", submitted["digest"], *reason, "--actor", "hugo")
    assert lifted.code == 0, lifted.out
    assert len(desk.mail.mails) == 3


def test_the_doctor_reads_each_list_that_a_channel_uses(run: Run, settings: Callable[..., Path]) -> None:
    settings(more='[audiences.gone]\nfile = "gone.txt"')
    lines = [
        (line["check"], line["state"], line["detail"])
        for line in run("doctor", "--json").document["lines"]
        if "audience" in line["check"]
    ]
    first = "line 8: address: is neither a mail address nor a telephone number."
    assert lines == [
        ("audience residents on presse", "note", f"6 people, 1 with a proof of consent, 1 wrong rows: {first}"),
    ]
