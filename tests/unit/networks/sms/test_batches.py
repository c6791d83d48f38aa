"""Several people in one request, at the gateway whose answer tells about each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Recipient
from policenotify.networks.sms.channel import Sms
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.http import Answer, Disconnect
from tests.support.channels import open_channel
from tests.support.network_calls import a_post, outcomes_of
from tests.support.sms_gateways import FakeGateways

PATH = "/v1.0/message"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateways]:
    with FakeGateways() as gateways:
        for name, value in gateways.environment.items():
            monkeypatch.setenv(name, value)  # nothing called here reaches the outside
        yield gateways


def people(count: int) -> list[Recipient]:
    return [Recipient(key=f"{number:03}", address=f"+3363998{number:04}") for number in range(count)]


def cm(server: FakeGateways, **options: Any) -> Sms:
    url = SecretStr(f"cm://{{sender}}@{server.token}/{{recipient}}")
    return open_channel(
        Sms, url=url, sender="POLICE34", **{"batch": 10, "timeout": 2.0, "clock": FakeClock(), **options}
    )


def send(by: Sms, to: list[Recipient]) -> dict[str, str]:
    return {each.key: each.outcome for each in outcomes_of(by, by.prepare(a_post(), ()), to)}


def test_a_batch_is_one_request_and_everybody_gets_one_message(server: FakeGateways) -> None:
    told = send(cm(server), people(25))
    assert set(told.values()) == {"posted"}
    assert len(told) == 25
    assert sorted(each.to for each in server.messages) == [each.address for each in people(25)]
    assert sorted(len(each.json()["messages"]["msg"][0]["to"]) for each in server.requests) == [5, 10, 10]


def test_a_refused_number_costs_no_other_of_its_batch_the_message(server: FakeGateways) -> None:
    for person in people(10)[3:6]:
        server.refuse(person.address)
    outcomes = outcomes_of((by := cm(server)), by.prepare(a_post(), ()), people(10))
    assert {each.key for each in outcomes if each.outcome == "refused"} == {"003", "004", "005"}
    assert sum(each.outcome == "posted" for each in outcomes) == 7
    assert not any("3363998" in repr(each) for each in outcomes)


def test_a_number_that_the_answer_leaves_out_is_in_doubt_alone(server: FakeGateways) -> None:
    taken = [{"to": f"00{person.address[1:]}", "messageErrorCode": 0} for person in people(3)[:2]]
    server.fail_next("POST", PATH, Answer.json({"errorCode": 201, "details": "", "messages": taken}))
    assert send(cm(server), people(3)) == {"000": "posted", "001": "posted", "002": "unconfirmed"}


def test_a_request_without_an_answer_leaves_its_whole_batch_in_doubt_and_counts_once(server: FakeGateways) -> None:
    server.fail_next("POST", PATH, Disconnect(), effect=True)
    told = send(cm(server, parallel=1), people(25))
    assert [told[each.key] for each in people(25)] == ["unconfirmed"] * 10 + ["posted"] * 15
    assert len(server.messages) == 25
