"""A network that fails in its own code costs its own channel, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policenotify.channel import ChannelConfig
from policenotify.model.history import Outcome
from policenotify.text import Budget
from tests.support.installation import Desk, accident, open_desk


def _raise(_text: str) -> Any:
    raise RuntimeError("geheim")


def _exit(_text: str) -> Any:
    raise SystemExit(1)


FAILURES: dict[str, dict[str, Any]] = {
    "measure raises": {"measure": _raise},
    "measure exits": {"measure": _exit},
    "measure returns a text": {"measure": str},
    "transliterate raises": {"transliterate": _raise},
    "find_losses returns a number": {"find_losses": len},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def _broken(channel: ChannelConfig, failure: str) -> ChannelConfig:
    budget = Budget(10_000, **FAILURES[failure])
    return channel.model_copy(update={"capabilities": replace(channel.capabilities, budget=budget)})


@pytest.mark.parametrize("failure", FAILURES)
def test_a_network_that_cannot_measure_refuses_its_own_post_only(desk: Desk, failure: str) -> None:
    publisher = desk.publisher([_broken(desk.on_bluesky(), failure), desk.by_mail()])
    preview = publisher.preview(accident())
    assert [target.channel for target in preview.refusals] == ["bluesky"]
    published = publisher.publish(accident(), key="k", actor="brigadier")
    assert published.on("presse").outcome is Outcome.POSTED
    refused = published.on("bluesky")
    assert (refused.outcome, refused.ok) == (Outcome.REFUSED, False)
    assert "Nothing was sent: the network 'bluesky' of 'bluesky' fails on this text" in str(refused.reason)
    assert "geheim" not in str(refused)


@pytest.mark.parametrize("people", [(None,), 7])
def test_a_list_that_holds_no_texts_costs_its_own_channel_only(desk: Desk, people: Any) -> None:
    publisher = desk.publisher([desk.on_bluesky(), desk.by_mail(recipients=lambda: people)])
    published = publisher.publish(accident(), key="k", actor="brigadier")
    assert published.on("bluesky").outcome is Outcome.POSTED
    assert published.on("presse").outcome is Outcome.WAITING
    assert list(publisher.operations.blocked()) == ["presse"]


_WITHOUT_LIBRARIES = """
import json, sys
from importlib.machinery import PathFinder

MISSING = {"apprise", "atproto", "atproto_client", "mastodon", "tweepy", "requests", "requests_oauthlib"}

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in MISSING else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder

from policenotify import open_publisher
from tests.support.installation import accident

with open_publisher() as publisher:
    published = publisher.publish(accident(), key="one", actor="desk")
    print(json.dumps({
        "receipts": {each.channel: [each.outcome, each.reason, each.remedy] for each in published},
        "channels": {each.name: [each.state, each.reason] for each in publisher.operations.channels()},
        "alarms": [alarm.kind for alarm in publisher.operations.status().alarms],
    }, default=str))
"""

_EVERY_NETWORK = """
[channels.bluesky]
network = "bluesky"
handle = "police34.example"
password = "aaaa-bbbb-cccc-dddd"
[channels.mastodon]
network = "mastodon"
server = "https://mastodon.example"
handle = "police34"
token = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"
[channels.x]
network = "x"
handle = "Police34"
client_id = "app"
refresh_token = "token"
[channels.presse]
network = "email"
url = "mailto://127.0.0.1:1/?from=a@police.example&mode=insecure"
recipients = ["a@press.example"]
[channels.sms]
network = "sms"
url = "form://127.0.0.1:1/?:coding={coding}&:to={recipient}"
recipients = ["0612345678"]
[channels.chat]
network = "apprise"
url = "json://127.0.0.1:1"
[channels.newsroom]
network = "webhook"
url = "https://127.0.0.1:1/hook"
secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
[channels.feed]
network = "feed"
folder = "@/feed"
url = "https://alertes.police34.example/"
publisher = "Police nationale de l'Hérault"
"""


def test_the_only_network_whose_library_is_installed_still_publishes(desk: Desk) -> None:
    settings = desk.write_settings()
    head = settings.read_text(encoding="utf-8").partition("[channels.")[0]
    settings.write_text(f"{head}{_EVERY_NETWORK.replace('@/', f'{desk.folder}/')}", encoding="utf-8")
    settings.chmod(0o600)
    (desk.folder / "feed").mkdir()
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", _WITHOUT_LIBRARIES],
        cwd=desk.folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    outcome, *_ = told["receipts"].pop("feed")
    assert (outcome, told["channels"].pop("feed")) == ("posted", ["ready", ""])
    assert len(told["receipts"]) == len(told["channels"]) == 7
    for name, (outcome, reason, remedy) in told["receipts"].items():
        state, why = told["channels"][name]
        assert (outcome, state, remedy) == ("refused", "blocked", "")
        assert "needs an extra. Install it: pip install 'policenotify[" in reason, name
        assert "needs an extra." in why
    assert "attention" in told["alarms"]
