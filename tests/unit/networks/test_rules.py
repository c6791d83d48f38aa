"""Rules as data: which one fits an answer, and the error that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks._rules import AnswerRule, judge
from policenotify.translation import Text

NOW = datetime(2026, 3, 9, 7, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=3)

RULES = (
    AnswerRule(
        Refused, Text("It is out already."), Text("Wait."), phrases=("duplicate", "code=187;"), fallback="distinct"
    ),
    AnswerRule(Blocked, Text("{where} does not let us in{words}"), Text("Make a new token."), {401, 403}, own=True),
    AnswerRule(Unavailable, Text("{where} is full."), statuses={452}, wait=timedelta(minutes=15), whole_channel=True),
    AnswerRule(Unconfirmed, Text("It is open{words}"), statuses=range(500, 600)),
)


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    message: str = ""
    from_network: bool = True
    at: datetime | None = None

    @property
    def phrases(self) -> str:
        """Its words."""
        return self.message.lower()

    @property
    def code(self) -> str:
        """Its status."""
        return str(self.status)

    def retry_at(self, now: datetime) -> datetime | None:
        """Return the time that it names."""
        return self.at if now == NOW else None


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (Reply(403, "Duplicate content"), Refused, "It is out already. [403] Wait."),
        (Reply(200, "code=187;"), Refused, "It is out already. [200] Wait."),
        (Reply(401, "No {braces}"), Blocked, "X does not let us in: No {braces}. [401] Make a new token."),
        (Reply(403), Blocked, "X does not let us in. [403] Make a new token."),
        (Reply(452), Unavailable, "X is full. [452]"),
        (Reply(503, "Busy"), Unconfirmed, "It is open: Busy. [503]"),
    ],
)
def test_the_first_rule_that_fits_makes_the_error(reply: Reply, kind: type[ChannelError], text: str) -> None:
    error = judge(reply, RULES, now=NOW, where="X")
    assert type(error) is kind
    assert str(error) == text


@pytest.mark.parametrize("reply", [Reply(404), Reply(403, from_network=False)])
def test_an_answer_that_no_rule_is_about_is_left_to_the_caller(reply: Reply) -> None:
    assert judge(reply, RULES, now=NOW, where="X") is None


@pytest.mark.parametrize(("at", "expected"), [(LATER, LATER), (None, NOW + timedelta(minutes=15))])
def test_a_rule_waits_as_long_as_the_answer_asks_or_else_as_it_states_itself(
    at: datetime | None, expected: datetime
) -> None:
    error = judge(Reply(452, at=at), RULES, now=NOW)
    assert isinstance(error, Unavailable)
    assert (error.retry_at, error.whole_channel) == (expected, True)
