"""The contract of a network as tests to inherit: one class of yours, about eight lines, and every promise is tried."""

from __future__ import annotations

from policenotify.testing.contract.capabilities import AskedOfThoseWhoClaim
from policenotify.testing.contract.core import AskedOfAll


class ChannelContract(AskedOfAll, AskedOfThoseWhoClaim):
    """Every promise of a channel, tried on the wire. Inherit it; the promises are the tests' docstrings.

    What the channel does not claim in its [`Capabilities`][policenotify.channel.Capabilities] is not asked: such
    tests are not collected, so that a test report lists what was proven, and nothing else. A promise that a network
    cannot keep is struck out in so many words, with the reason: `test_asking_who_we_are_proves_the_credentials = None`.

    The test of a network for topics on ntfy servers, whole; the network itself, about 25 lines, is in
    `examples/policenotify-ntfy` of our repository, a package to start yours from:

    ```python
    from policenotify_ntfy import Ntfy
    from pydantic import SecretStr

    from policenotify.testing import Answer, ChannelContract, OneCallWire


    class TestNtfy(ChannelContract):
        accepts = Answer.json({"id": "abc"})
        secrets = ("tk_secret",)

        def open(self, wire: OneCallWire) -> Ntfy:
            return Ntfy(topic="police", token=SecretStr("tk_secret"), server=wire.url, timeout=0.2, clock=wire.clock)
    ```

    Tests of your own in the class have the fixtures `wire` and `channel`, and say things as these do:
    `self.request(channel, text=…)` prepares another post, `self.error_of(wire, call)` is the error of a call that must
    fail, and tells no secret, `self.shown_once(wire, text)` is a post as readers see it, `self.at_once(calls)` makes
    calls in threads. `examples/policenotify-threads` shows them, and a wire of its own.

    Attributes:
        accepts: What the network answers to a post, for networks of one HTTP call; others override `make_wire`.
        secrets: What must never be seen: passwords and tokens, as `open` hands them over.
        uploads: Keys of `Request.body` that name what `prepare` has uploaded, which is another thing each time.
        patience: Seconds that a call may take when no answer comes; the channel's own timeout must be well below.
    """
