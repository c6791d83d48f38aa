"""A process halted past its lease publishes nothing, on any network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest
import requests

from policenotify.errors import ChannelError, LostLease
from policenotify.networks._requests import BoundedAdapter
from policenotify.testing.contract.texts import PEOPLE, send_post
from policenotify.testing.servers.http import Answer, FakeServer
from policenotify.transport import publishing_under
from tests.unit.networks.apprise import test_contract as apprise_contract
from tests.unit.networks.bluesky import test_contract as bluesky_contract
from tests.unit.networks.console import test_contract as console_contract
from tests.unit.networks.email import test_contract as email_contract
from tests.unit.networks.feed import test_contract as feed_contract
from tests.unit.networks.mastodon import test_contract as mastodon_contract
from tests.unit.networks.sms import test_contract as sms_contract
from tests.unit.networks.webhook import test_contract as webhook_contract
from tests.unit.networks.x import test_contract as x_contract

CASES: dict[str, type[Any]] = {
    "x": x_contract.TestX,
    "x with tokens": x_contract.TestXWithTokens,
    "mastodon": mastodon_contract.TestOnMastodon,
    "gotosocial": mastodon_contract.TestOnGoToSocial,
    "bluesky": bluesky_contract.TestBluesky,
    "email": email_contract.TestEmail,
    "feed": feed_contract.TestFeed,
    "kannel": sms_contract.TestKannel,
    "octopush": sms_contract.TestOctopush,
    "ntfy": apprise_contract.TestNtfy,
    "mattermost": apprise_contract.TestMattermost,
    "webhook": webhook_contract.TestWebhook,
    "console": console_contract.TestConsole,
}


@pytest.fixture(params=tuple(CASES.values()), ids=tuple(CASES))
def case(request: pytest.FixtureRequest) -> Any:
    return request.param()


def forbid(_recipient: str = "") -> None:
    raise LostLease("over")


def nothing_is_written(call: Callable[[], object]) -> None:
    with pytest.raises(LostLease), publishing_under(forbid):
        call()


def test_past_the_lease_nothing_is_written(case: Any) -> None:
    with case.make_network() as network, closing(case.open(network)) as channel:
        request = case.request(channel)
        nothing_is_written(lambda: send_post(channel, request))
        assert not network.visible_posts
        send_post(channel, request)
        assert len(network.visible_posts) == 1


def test_the_lease_is_checked_once_right_before_the_write(case: Any) -> None:
    with case.make_network() as network, closing(case.open(network)) as channel:
        shown: list[int] = []
        request = case.request(channel)
        with publishing_under(lambda _: shown.append(len(network.visible_posts))):
            send_post(channel, request)
        assert shown == [0]
        assert len(network.visible_posts) == 1


def test_calls_that_publish_nothing_need_no_lease(case: Any) -> None:
    with case.make_network() as network, closing(case.open(network)) as channel, publishing_under(forbid):
        channel.whoami()
        case.request(channel)
        network.clock.pass_by(timedelta(days=1).total_seconds())  # tokens are renewed
        channel.whoami()
        assert not network.visible_posts


def test_past_the_lease_nothing_is_changed_or_taken_back(case: Any) -> None:
    with case.make_network() as network, closing(case.open(network)) as channel:
        ref = send_post(channel, case.request(channel, text="Faux"))
        before = list(network.visible_posts)
        if channel.capabilities.edits:
            request = case.request(channel, text="Juste")
            nothing_is_written(lambda: channel.edit(ref, request))
        if channel.capabilities.deletes:
            nothing_is_written(lambda: channel.delete(ref))
        assert list(network.visible_posts) == before


def test_a_list_whose_lease_ends_in_the_middle_reaches_no_further_recipient() -> None:
    for name in ("email", "kannel"):
        case = CASES[name]()
        with case.make_network() as network, closing(case.open(network)) as channel:
            left = iter([None, None])

            def allow(_recipient: str, left: Any = left) -> None:
                if next(left, 0) == 0:
                    raise LostLease("over")

            request = case.request(channel)
            with publishing_under(allow), suppress(LostLease, ChannelError):
                list(channel.send_each(request, iter(PEOPLE)))
            assert len(network.visible_posts) == 2


def test_past_the_lease_nothing_is_written_through_a_proxy() -> None:
    with FakeServer() as proxy, closing(requests.Session()) as session:
        proxy.on("POST", "*", lambda _: Answer.json({}))
        adapter = BoundedAdapter()
        session.mount("http://", adapter)
        session.proxies = {"http": proxy.url}
        with adapter.publishing():
            nothing_is_written(lambda: session.post("http://network.example/post", timeout=5))
            assert not proxy.requests
            session.post("http://network.example/post", timeout=5)
        assert len(proxy.requests) == 1
