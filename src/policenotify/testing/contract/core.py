"""The promises of every channel: construction, `prepare` and `send`."""

# ruff: noqa: S101, PLR2004 - test code: asserts and expected numbers are its point

from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from policenotify.channel import Channel, Post, PostRef, Request, missing_methods
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.testing.contract import texts
from policenotify.testing.contract.capabilities import CapabilityContract
from policenotify.testing.contract.case import SLOTS, ContractCase, can_be_disabled
from policenotify.testing.contract.fixtures import OUT, Fault, NetworkFixture
from policenotify.testing.contract.texts import send_post


class CoreContract(ContractCase):
    """The promises of every channel."""

    # --- itself

    def test_construction_does_no_io(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Constructing a channel reaches no network and is repeatable."""
        network = self.make_network()

        def reach(*_: object) -> None:
            raise AssertionError("Connect in prepare, send or whoami; making a channel may reach no network.")

        for name in ("connect", "connect_ex", "sendto"):
            monkeypatch.setattr(socket.socket, name, reach)
        monkeypatch.setattr(socket, "getaddrinfo", reach)
        with closing(self.open(network)) as first, closing(self.open(network)) as second:
            assert first is not second, "`open` must make a new object at each call."
            assert first.capabilities == first.capabilities == second.capabilities, (
                "The capabilities change. Make them a constant."
            )
            assert first.account == first.account == second.account != "", "The account's name changes, or is empty."

    def test_claims_have_methods(self, channel: Channel) -> None:
        """A channel has the methods of its capabilities and no impossible value."""
        can = channel.capabilities
        missing = missing_methods(channel, can)
        assert not missing, f"It claims what it has no method for: {', '.join(missing)} of policenotify.channel."
        spans = (can.idempotency_window, can.lookup_delay or timedelta(0))
        assert can.budget.limit > 0, "A budget for no text makes no sense."
        assert can.images >= 0, "A negative number of pictures makes no sense."
        assert min(spans) >= timedelta(0), "A negative time makes no sense."

    def test_no_secret_leaks(self, network: NetworkFixture, caplog: pytest.LogCaptureFixture) -> None:
        """No secret appears in a repr, a result or a log record, even at DEBUG."""
        with caplog.at_level(1), closing(self.open(network)) as channel:
            account = channel.whoami()
            request = self.request(channel)
            ref = send_post(channel, request)
            for fault in sorted(network.faults):
                network.fail_next(fault)
                with suppress(Exception):
                    send_post(channel, request)
                network.recover()
            more: Any = channel  # which may lack them
            with suppress(Exception):
                more.find(request, since=network.clock.now())
            with suppress(Exception):
                more.edit(ref, request)
            with suppress(Exception):
                more.delete(ref)
            assert self.secrets or network.secrets, (
                "Name what must stay secret: secrets = (…,), as `open` hands it over."
            )
            self.assert_no_secret(network, f"{channel!r} {channel}", "the channel's repr")
            self.assert_no_secret(network, request.model_dump_json(), "the Request, which the journal keeps")
            self.assert_no_secret(network, ref.model_dump_json(), "the PostRef, which the journal keeps")
            self.assert_no_secret(network, repr(account), "the Account that whoami returns")
        logged = "\n".join(f"{each.getMessage()} {each.args} {each.exc_text}" for each in caplog.records)
        self.assert_no_secret(network, logged, "the log")

    def test_close_is_always_possible(self, network: NetworkFixture) -> None:
        """A channel can be closed twice: unused, used and after every fault."""
        for fault in (None, *sorted(network.faults)):
            unused, used = self.open(network), self.open(network)
            request = self.request(used)
            if fault:
                network.fail_next(fault)
            with suppress(ChannelError):
                send_post(used, request)
            for channel in (unused, used, unused, used):
                channel.close()
            network.recover()

    def test_close_releases_resources(self) -> None:
        """A closed channel leaves no open socket, file or thread."""
        gc.collect()
        before = set(threading.enumerate())
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            with self.make_network() as network:
                channel = self.open(network)
                request = self.request(channel)
                network.fail_next(Fault.DISCONNECTED)
                with suppress(ChannelError):
                    send_post(channel, request)
                network.recover()
                send_post(channel, request)
                channel.close()
                del channel
                gc.collect()
        unclosed = [str(each.message) for each in warned if issubclass(each.category, ResourceWarning)]
        assert not unclosed, f"close() must close everything; left open: {unclosed}"
        for thread in (left := set(threading.enumerate()) - before):
            thread.join(self.patience)
        alive = [thread.name for thread in left if thread.is_alive()]
        assert not alive, f"close() must end the threads that the channel started; running: {alive}"

    def test_whoami_posts_nothing(self, channel: Channel, network: NetworkFixture) -> None:
        """`whoami` names the account and publishes nothing."""
        account = channel.whoami()
        assert account.id, "The Account that whoami returns has no id."
        assert account.name, "The Account that whoami returns has no name."
        assert not network.visible_posts, "whoami has posted something."

    @can_be_disabled
    def test_whoami_proves_the_credentials(self, channel: Channel, network: NetworkFixture) -> None:
        """`whoami` raises `Blocked` or `Unavailable` where it is due."""
        for fault, kind in ((Fault.UNAUTHORIZED, Blocked), (Fault.UNREACHABLE, Unavailable)):
            network.fail_next(fault)
            self.assert_kind(kind, self.error_of(network, channel.whoami), fault)
            network.recover()
        channel.whoami()

    # --- preparing

    def test_prepare_publishes_nothing(self, channel: Channel, network: NetworkFixture) -> None:
        """`prepare` may upload, but readers see nothing before `send`."""
        pictures = tuple(texts.picture(number) for number in range(channel.capabilities.images))
        self.request(channel, pictures=pictures)
        assert not network.visible_posts, "prepare has published something; only send may."

    def test_prepare_is_deterministic(self, channel: Channel, network: NetworkFixture) -> None:
        """Equal arguments of `prepare` give an equal, storable `Request`."""
        first = self.request(channel)
        post = self.post(channel)
        reply_to = (send_post(channel, first),)
        with closing(self.open(network)) as other:
            requests = [each.prepare(post, reply_to) for each in (channel, channel, other)]
        bodies = [{name: value for name, value in each.body.items() if name not in self.uploads} for each in requests]
        assert bodies[0] == bodies[1] == bodies[2], (
            "prepare must depend on the post and its parents only: no time, no chance. If each upload gets a new name, "
            "list the keys of Request.body that hold these names: uploads = (…,)."
        )
        assert len({(each.account, each.key) for each in requests}) == 1, "The account or key of a Request changes."
        assert (requests[0].account, requests[0].key) == (channel.account, post.key), (
            "A Request carries the account and post.key."
        )
        stored = requests[0].model_dump_json()
        read = Request.read(stored)
        assert read == requests[0], "The Request changes when it is stored as JSON."
        assert read.model_dump_json() == stored, "The Request changes when it is stored as JSON."
        send_post(channel, read)
        assert len(network.visible_posts) == 2, "The request that was stored and read back was not published."

    def test_prepare_reports_failures(self, channel: Channel, network: NetworkFixture) -> None:
        """`prepare` raises only the error that matches a failure."""
        for fault, kind in ((Fault.UNREACHABLE, Unavailable), (Fault.UNAUTHORIZED, Blocked)):
            network.fail_next(fault)
            try:
                self.request(channel)
            except ChannelError as error:
                self.assert_kind(kind, error, fault)
                self._assert_good_error(network, error)
            network.recover()

    @pytest.mark.parametrize("text", texts.TEXTS.values(), ids=texts.TEXTS)
    def test_text_arrives_unchanged(self, channel: Channel, network: NetworkFixture, text: str) -> None:
        """Readers get text, title and formatted text unchanged."""
        self._assert_arrival(channel, network, text, f"Titre : {' '.join(text.split())}")

    def test_any_text_arrives_unchanged(self, channel: Channel, network: NetworkFixture) -> None:
        """Readers get every text unchanged that the rendering can produce."""

        # No shrinking: over a real network it takes minutes, and the examples are short.
        @settings(max_examples=20, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
        @given(text=texts.legal_texts(channel.capabilities.budget), title=texts.legal_titles())
        def arrives(text: str, title: str) -> None:
            self._assert_arrival(channel, network, text, title)

        arrives()

    def _assert_arrival(self, channel: Channel, network: NetworkFixture, text: str, title: str) -> None:
        post = self.post(channel, text, **({"title": title} if channel.capabilities.title else {}))
        send_post(channel, channel.prepare(post, ()))
        shown = network.visible_posts[-1]
        for field, written in {"text": post.text, "title": post.title, "formatted text": post.html}.items():
            received, expected = shown.texts, written
            if shown.breaks_lines:
                received = tuple(each.replace("\n", " ") for each in received)
                expected = written.replace("\n", " ")
            assert not expected or expected in received, (
                f"The {field} {expected!r} did not arrive as it was; readers get {received!r}."
            )

    def test_longest_post_arrives_whole(self, channel: Channel, network: NetworkFixture) -> None:
        """A text that fills the budget to the last character arrives whole."""
        text = texts.longest(channel.capabilities.budget)
        send_post(channel, self.request(channel, text=text))
        words = [shown.split() for shown in network.visible_posts[-1].texts]  # the network may break lines
        assert text.split() in words, f"A text of {len(text)} characters, which the budget takes, did not arrive whole."

    # --- sending

    def test_send_publishes_once(self, channel: Channel, network: NetworkFixture) -> None:
        """`send` publishes once, and returns our account and the id of the post."""
        request = self.request(channel, text="Une fois")
        ref = send_post(channel, request)
        shown = self.visible_once(network, "Une fois")
        assert ref.account == channel.account, f"PostRef.account is {ref.account!r}, not the channel's account."
        assert ref.id, "PostRef.id is empty; without it the post cannot be replied to, found or deleted."
        if shown.id and not channel.capabilities.recipients:
            assert ref.id == shown.id, f"PostRef.id is {ref.id!r}; on the network the post is {shown.id!r}."

    @can_be_disabled
    def test_refusal_raises_refused(self, channel: Channel, network: NetworkFixture) -> None:
        """`send` raises `Refused` when the network rejects the content."""
        self._assert_failure(channel, network, Fault.REFUSED, Refused)

    @can_be_disabled
    def test_rate_limit_raises_unavailable(self, channel: Channel, network: NetworkFixture) -> None:
        """`send` raises `Unavailable` with the `retry_at` of a rate limit."""
        self._assert_retry_at(network, self._assert_failure(channel, network, Fault.RATE_LIMITED, Unavailable))
        assert not network.clock.slept, "The channel slept. Raise Unavailable with retry_at in its place."

    def test_unreachable_raises_unavailable(self, channel: Channel, network: NetworkFixture) -> None:
        """`send` raises `Unavailable` when the request certainly never reached the server."""
        self._assert_failure(channel, network, Fault.UNREACHABLE, Unavailable)

    @can_be_disabled
    def test_wrong_credentials_raise_blocked(self, channel: Channel, network: NetworkFixture) -> None:
        """`send` raises `Blocked` when the network rejects the credentials."""
        self._assert_failure(channel, network, Fault.UNAUTHORIZED, Blocked)

    def test_unknown_result_raises_unconfirmed(self, channel: Channel, network: NetworkFixture, doubt: Fault) -> None:
        """`send` raises `Unconfirmed` when no readable answer comes, and does not retry."""
        self._assert_failure(channel, network, doubt, Unconfirmed)

    def _assert_failure(
        self, channel: Channel, network: NetworkFixture, fault: Fault, kind: type[ChannelError]
    ) -> ChannelError:
        request = self.request(channel)
        network.fail_next(fault)
        began = time.perf_counter()
        error = self.error_of(network, lambda: send_post(channel, request))
        took = time.perf_counter() - began
        self.assert_kind(kind, error, fault)
        assert took < self.patience, (
            f"send took {took:.1f} s. Give every call a timeout; `open` with one below {self.patience} s."
        )
        count, expected = len(network.visible_posts), int(fault in OUT)
        assert count == expected, (
            f"After {fault.name} {count} posts are out in place of {expected}: the channel repeats by itself."
        )
        return error

    def test_channel_recovers_after_failure(self, channel: Channel, network: NetworkFixture, fault: Fault) -> None:
        """The same channel object posts again after any failure."""
        network.fail_next(fault)
        with suppress(ChannelError):
            send_post(channel, self.request(channel, text="Avant"))
        network.recover()
        send_post(channel, self.request(channel, text="Après"))
        self.visible_once(network, "Après")

    def test_channels_work_in_parallel(self, network: NetworkFixture) -> None:
        """Several channel objects of an account post at the same time."""
        with closing(self.open(network)) as channel:
            posts = [self.post(channel, f"File {number}") for number in range(SLOTS)]

        def run(post: Post) -> PostRef:
            with closing(self.open(network)) as channel:
                return send_post(channel, channel.prepare(post, ()))

        self.at_once([partial(run, post) for post in posts])
        for post in posts:
            self.visible_once(network, post.text)


class ChannelContract(CoreContract, CapabilityContract):
    """Every promise of a channel as a suite of tests to inherit.

    The docstrings of the tests are the promises. Tests of capabilities that the channel does not claim are not
    collected, so that the test report lists exactly what was proven. A network that cannot keep a promise disables its
    test by name, with a comment that gives the reason: `test_whoami_proves_the_credentials = None`.

    The whole test of a network for topics on ntfy servers follows. The network itself has about 25 lines and is the
    package `examples/policenotify-ntfy` of the repository.

    ```python
    from policenotify_ntfy import Ntfy
    from pydantic import SecretStr

    from policenotify.testing import Answer, ChannelContract, OneCallFixture


    class TestNtfy(ChannelContract):
        accepts = Answer.json({"id": "abc"})
        secrets = ("tk_secret",)

        def open(self, network: OneCallFixture) -> Ntfy:
            options = Ntfy.Options(topic="police", token=SecretStr("tk_secret"), server=network.url, timeout=2.0)
            return Ntfy(options, network.services)
    ```

    Your own tests in the class can use the fixtures `network` and `channel`, and these methods:

    - `self.request(channel, text=…)` prepares another post.
    - `self.error_of(network, call)` returns the error of a call that must fail, and checks that it holds no secret.
    - `self.visible_once(network, text)` returns a post as readers see it.
    - `self.at_once(calls)` makes calls in threads.

    `examples/policenotify-threads` uses them, with a network fixture of its own.

    Attributes:
        accepts: The network's answer to a post, for a network of one HTTP call. Others override `make_network`.
        secrets: Passwords and tokens, as `open` passes them, that must appear nowhere.
        uploads: Keys of `Request.body` that name the uploads of `prepare`, which differ from call to call.
        patience: The longest time in seconds for a call without an answer. The channel's timeout must be well below.
    """
