"""What an answer of a webhook's receiver other than a success means for a post."""

from __future__ import annotations

from typing import Final

from policenotify.errors import Blocked, Unconfirmed
from policenotify.networks._rules import AnswerRule
from policenotify.translation import Text

WHERE: Final = Text("The webhook's receiver")
_ASK: Final = Text("Ask the newsroom for its present url, then: policenotify doctor")

RULES: Final = (
    # RFC 9110, section 15.4: unlike 302 and 303, nothing was done
    AnswerRule(Blocked, Text("{where} is at another address. Nothing was sent there."), _ASK, {301, 307, 308}),
    # ibid., sections 15.5.5, 15.5.6, 15.5.11
    AnswerRule(Blocked, Text("{where} is not at the channel's url any more{words}"), _ASK, {404, 405, 410}),
    AnswerRule(
        Blocked,
        Text("{where} does not accept our signature{words}"),
        Text(
            "Compare the channel's secret with the newsroom's, and check this machine's clock, then: "
            "policenotify doctor"
        ),
        {401, 403},
    ),
    # A proxy before the receiver may answer so when the call has reached it.
    AnswerRule(
        Unconfirmed, Text("{where} answered in a way that leaves open whether the post is out{words}"), statuses={503}
    ),
)
