"""`recipients suppressed` and `recipients lift`."""

from __future__ import annotations

from contextlib import closing

from sqlalchemy import insert

from policenotify.journal.database import schema
from policenotify.journal.recipients import recipient_key
from tests.support.installation import ADDRESSES, Desk
from tests.support.shell import Run


def _suppress(desk: Desk) -> str:
    with closing(desk.publisher()) as publisher, publisher.journal.write() as connection:
        keys = [recipient_key(publisher.journal.keys, address) for address in ADDRESSES[:2]]
        rows = [{"channel": "presse", "key": key, "reason": "It is gone.", "at": 0, "confirmed_at": 1} for key in keys]
        connection.execute(insert(schema.suppression), rows)
    return keys[0]


def test_suppressed_recipients_are_listed_and_lifted(run: Run, desk: Desk) -> None:
    assert run("recipients", "suppressed").out == "Nobody is suppressed.\n"
    key = _suppress(desk)
    shown = run("recipients", "suppressed", "presse")
    assert shown.code == 0
    assert f"presse  {key[:12]}  since 1970-01-01" in shown.out
    assert ADDRESSES[0] not in shown.out
    assert len(run("recipients", "suppressed", "--json").document["suppressed"]) == 2
    assert run("recipients", "lift", "presse", key[:12]).out == "1 suppressions lifted on presse.\n"
    assert run("recipients", "lift", "presse", ADDRESSES[0]).out == "Nobody like that is suppressed on presse.\n"
    assert run("recipients", "lift", "presse", "--all", "--json").document["lifted"] == 1


def test_a_lift_names_one_recipient_or_all(run: Run, desk: Desk) -> None:
    _suppress(desk)
    assert run("recipients", "lift", "presse").code == 2
    assert run("recipients", "lift", "presse", ADDRESSES[0], "--all").code == 2
    assert run("recipients", "lift", "press", "--all").code == 1
