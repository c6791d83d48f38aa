"""Who acted is recorded beside who claims to, and a rule of the installation decides who may."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from policenotify.errors import NotAllowed, SettingsError
from policenotify.journal.database import schema
from policenotify.journal.journal import Journal
from policenotify.model.message import Message
from policenotify.settings import open_publisher
from tests.support.installation import Desk, accident
from tests.support.patience import LONG

NOW = timedelta(0)


def events(journal: Journal) -> list[Any]:
    with journal.read() as connection:
        return list(connection.execute(select(schema.event).order_by(schema.event.c.id)))


def only_claire(actor: str, action: str, message: Message | None) -> bool | str:
    assert (action == "publish") is (message is not None)
    return actor == "claire" or "only Claire is on duty"


def fails(_actor: str, _action: str, _message: Message | None) -> bool:
    raise RuntimeError("geheim")


def test_the_user_of_the_process_is_recorded_beside_the_claimed_actor(desk: Desk) -> None:
    publisher = desk.publisher()
    publisher.publish(accident(), key="k", actor="Préfet", wait=LONG)
    publisher.journal.stop("Préfet")
    found = events(publisher.journal)
    assert {"published", "stopped", "settled"} <= {event.kind for event in found}
    for event in found:
        assert json.loads(event.body)["process"].endswith(f"(uid {os.getuid()}) on {socket.gethostname()}")


ACTIONS: dict[str, Callable[[Any, str], object]] = {
    "publish": lambda publisher, actor: publisher.publish(accident(), key="k", actor=actor, wait=NOW),
    "stop": lambda publisher, actor: publisher.journal.stop(actor),
    "resume": lambda publisher, actor: publisher.journal.resume(actor),
    "resolve": lambda publisher, actor: publisher.journal.sendings.resolve(1, actor, posted=True),
    "rotate": lambda publisher, actor: publisher.journal.rotate_keys(publisher.journal.keys, actor),
    "restore": lambda publisher, actor: publisher.journal.mark_restored(actor),
    "suppress": lambda publisher, actor: publisher.people.suppress(
        "ana@journal.example", actor=actor, reason="Asked by telephone."
    ),
    "release": lambda publisher, actor: publisher.people.release(None, actor=actor, channel="presse"),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("rule", [only_claire, fails])
def test_a_rule_of_the_installation_refuses_an_action(desk: Desk, action: str, rule: Any) -> None:
    publisher = desk.publisher(may=rule)
    with pytest.raises(NotAllowed) as caught:
        ACTIONS[action](publisher, "Préfet")
    assert f"'Préfet' may not {action} here" in str(caught.value)
    assert "geheim" not in str(caught.value)
    [denied] = events(publisher.journal)
    assert (denied.kind, denied.actor, json.loads(denied.body)["action"]) == ("denied", "Préfet", action)
    assert publisher.operations.publication("k") is None
    assert publisher.journal.stopped() is None


@pytest.mark.parametrize("action", ["publish", "stop", "resume", "release"])
def test_a_rule_of_the_installation_allows_an_action(desk: Desk, action: str) -> None:
    publisher = desk.publisher(may=only_claire)
    ACTIONS[action](publisher, "claire")
    assert "denied" not in {event.kind for event in events(publisher.journal)}


def test_the_rule_is_named_in_the_settings(desk: Desk) -> None:
    settings = desk.write_settings()
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'may = "{__name__}:only_claire"\n{text}', encoding="utf-8")
    with open_publisher(settings) as publisher, pytest.raises(NotAllowed, match="only Claire is on duty"):
        publisher.publish(accident(), key="k", actor="Préfet", wait=NOW)
    settings.write_text(f'may = "{__name__}:nobody"\n{text}', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"may: '.*:nobody' cannot be imported \(AttributeError\)"):
        open_publisher(settings)
