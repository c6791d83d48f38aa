"""What every channel promises: of itself, of preparing and of sending."""
# ruff: noqa: S101, PLR2004 - these are tests, one for each promise, and expected numbers are their point

from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import Phase, given, settings

from policenotify.channel import (
    Channel,
    Post,
    PostRef,
    Request,
    SupportsBulkSend,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
    SupportsSend,
)
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.testing.contract import texts
from policenotify.testing.contract.capabilities import CapabilityContract
from policenotify.testing.contract.case import SLOTS, ContractCase, can_be_disabled
from policenotify.testing.contract.fixtures import OUT, Fault, NetworkFixture
from policenotify.testing.contract.texts import say


class CoreContract(ContractCase):
    """The promises of every channel."""

    # --- itself

    def test_opening_it_touches_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Making a channel and reading its abilities and account reaches no network, and always says the same."""
        network = self.make_network()

        def reach(*_: object) -> None:
            raise AssertionError("Connect in prepare, send or whoami; making a channel may reach no network.")

        for name in ("connect", "connect_ex", "sendto"):
            monkeypatch.setattr(socket.socket, name, reach)
        monkeypatch.setattr(socket, "getaddrinfo", reach)
        with closing(self.open(network)) as one, closing(self.open(network)) as two:
            assert one is not two, "`open` must make a new object at each call."
            assert one.capabilities == one.capabilities == two.capabilities, (
                "The abilities change; make them a constant."
            )
            assert one.account == one.account == two.account != "", "The account's name changes, or is empty."

    def test_it_can_do_what_it_claims(self, channel: Channel) -> None:
        """A channel has the methods of what it claims, and claims no nonsense."""
        can = channel.capabilities
        claims: list[tuple[object, type]] = [
            (True, Channel),
            (can.recipients, SupportsBulkSend),
            (not can.recipients, SupportsSend),
            (can.lookup_delay is not None, SupportsLookup),
            (can.edits, SupportsEdit),
            (can.deletes, SupportsDelete),
        ]
        lacks = [protocol.__name__ for claimed, protocol in claims if claimed and not isinstance(channel, protocol)]
        assert not lacks, f"It claims what it has no method for: {', '.join(lacks)} of policenotify.channel."
        spans = (can.idempotency_window, can.lookup_delay or timedelta(0))
        assert can.budget.limit > 0, "A budget for no text makes no sense."
        assert can.images >= 0, "A negative number of pictures makes no sense."
        assert min(spans) >= timedelta(0), "A negative time makes no sense."

    def test_no_secret_is_told(self, network: NetworkFixture, caplog: pytest.LogCaptureFixture) -> None:
        """No password, token or reader's address stands in a channel's repr or answers, or in a log, even at DEBUG."""
        with caplog.at_level(1), closing(self.open(network)) as channel:
            account = channel.whoami()
            request = self.request(channel)
            ref = say(channel, request)
            for trouble in sorted(network.faults):
                network.fail_next(trouble)
                with suppress(Exception):
                    say(channel, request)
                network.recover()
            self._does_what_it_claims(network, channel, ref, request)
            assert self.secrets or network.secrets, (
                "Name what must stay secret: secrets = (…,), as `open` hands it over."
            )
            self.tells_no_secret(network, f"{channel!r} {channel}", "the channel's repr")
            self.tells_no_secret(network, request.model_dump_json(), "the Request, which the journal keeps")
            self.tells_no_secret(network, ref.model_dump_json(), "the PostRef, which the journal keeps")
            self.tells_no_secret(network, repr(account), "the Account that whoami returns")
        logged = "\n".join(f"{each.getMessage()} {each.args} {each.exc_text}" for each in caplog.records)
        self.tells_no_secret(network, logged, "the log")

    def _does_what_it_claims(self, network: NetworkFixture, channel: Channel, ref: PostRef, request: Request) -> None:
        """Find, edit and delete a post; how that ends is asked elsewhere."""
        can = channel.capabilities
        with suppress(Exception):
            if can.lookup_delay is not None and isinstance(channel, SupportsLookup):
                channel.find(request, since=network.clock.now())
        with suppress(Exception):
            if can.edits and isinstance(channel, SupportsEdit):
                channel.edit(ref, request)
        with suppress(Exception):
            if can.deletes and isinstance(channel, SupportsDelete):
                channel.delete(ref)

    def test_closing_it_is_always_possible(self, network: NetworkFixture) -> None:
        """A channel may be closed twice: unused, used, and after every trouble."""
        for trouble in (None, *sorted(network.faults)):
            unused, used = self.open(network), self.open(network)
            request = self.request(used)
            if trouble:
                network.fail_next(trouble)
            with suppress(ChannelError):
                say(used, request)
            for channel in (unused, used, unused, used):
                channel.close()
            network.recover()

    def test_nothing_is_left_behind(self) -> None:
        """A closed channel leaves no open socket or file, and no thread."""
        gc.collect()
        before = set(threading.enumerate())
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            with self.make_network() as network:
                channel = self.open(network)
                request = self.request(channel)
                network.fail_next(Fault.DISCONNECTED)
                with suppress(ChannelError):
                    say(channel, request)
                network.recover()
                say(channel, request)
                channel.close()
                del channel
                gc.collect()
        told = [str(each.message) for each in warned if issubclass(each.category, ResourceWarning)]
        assert not told, f"close() must close everything; left open: {told}"
        for thread in (left := set(threading.enumerate()) - before):
            thread.join(0.5)
        alive = [thread.name for thread in left if thread.is_alive()]
        assert not alive, f"close() must end the threads that the channel started; running: {alive}"

    def test_asking_who_we_are_posts_nothing(self, channel: Channel, network: NetworkFixture) -> None:
        """`whoami` names the account, and readers see nothing of it."""
        account = channel.whoami()
        assert account.id, "The Account that whoami returns has no id."
        assert account.name, "The Account that whoami returns has no name."
        assert not network.visible_posts, "whoami has posted something."

    @can_be_disabled
    def test_asking_who_we_are_proves_the_credentials(self, channel: Channel, network: NetworkFixture) -> None:
        """`whoami` raises `Blocked` where the credentials are not accepted, `Unavailable` where nobody listens."""
        for trouble, kind in ((Fault.UNAUTHORIZED, Blocked), (Fault.UNREACHABLE, Unavailable)):
            network.fail_next(trouble)
            self.is_kind(kind, self.error_of(network, channel.whoami), trouble)
            network.recover()
        channel.whoami()

    # --- preparing

    def test_preparing_shows_nothing(self, channel: Channel, network: NetworkFixture) -> None:
        """`prepare` may upload, but no reader sees anything before `send`."""
        pictures = tuple(texts.picture(number) for number in range(channel.capabilities.images))
        self.request(channel, pictures=pictures)
        assert not network.visible_posts, "prepare has published something; only send may."

    def test_preparing_again_says_the_same(self, channel: Channel, network: NetworkFixture) -> None:
        """The same post and answers make an equal `Request` on every object; stored and read back it is sent."""
        first = self.request(channel)
        post = self.post(channel)
        answers = (say(channel, first),)
        with closing(self.open(network)) as other:
            made = [each.prepare(post, answers) for each in (channel, channel, other)]
        said = [{name: value for name, value in each.body.items() if name not in self.uploads} for each in made]
        assert said[0] == said[1] == said[2], (
            "prepare must depend on the post and its answers only: no time, no chance. What it uploads is named anew "
            "each time? Then say where the names stand: uploads = (…,), keys of Request.body."
        )
        assert len({(each.account, each.key) for each in made}) == 1, "The account or key of a Request changes."
        assert (made[0].account, made[0].key) == (channel.account, post.key), (
            "A Request carries the account and post.key."
        )
        stored = made[0].model_dump_json()
        read = Request.read(stored)
        assert read == made[0], "The Request changes when it is stored as JSON."
        assert read.model_dump_json() == stored, "The Request changes when it is stored as JSON."
        say(channel, read)
        assert len(network.visible_posts) == 2, "The request that was stored and read back was not published."

    def test_preparing_tells_of_trouble(self, channel: Channel, network: NetworkFixture) -> None:
        """Where the network is away or denies us, `prepare` needs it not, or raises `Unavailable` or `Blocked`."""
        for trouble, kind in ((Fault.UNREACHABLE, Unavailable), (Fault.UNAUTHORIZED, Blocked)):
            network.fail_next(trouble)
            try:
                self.request(channel)
            except ChannelError as error:
                self.is_kind(kind, error, trouble)
                self._is_told_well(network, error)
            network.recover()

    @pytest.mark.parametrize("text", texts.TEXTS.values(), ids=texts.TEXTS)
    def test_a_text_arrives_as_it_was_written(self, channel: Channel, network: NetworkFixture, text: str) -> None:
        """Readers get text, title and formatted text to the last character, whatever is in them."""
        self._arrives(channel, network, text, f"Titre : {' '.join(text.split())}")

    def test_any_text_arrives(self, channel: Channel, network: NetworkFixture) -> None:
        """The same for whatever else Hypothesis finds in a text that the rendering lets through."""

        # no shrinking: over a real network it takes minutes, and what was found is short enough
        @settings(max_examples=30, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
        @given(text=texts.legal_texts(channel.capabilities.budget), title=texts.legal_titles())
        def arrives(text: str, title: str) -> None:
            self._arrives(channel, network, text, title)

        arrives()

    def _arrives(self, channel: Channel, network: NetworkFixture, text: str, title: str) -> None:
        post = self.post(channel, text, **({"title": title} if channel.capabilities.title else {}))
        say(channel, channel.prepare(post, ()))
        shown = network.visible_posts[-1]
        for what, wrote in {"text": post.text, "title": post.title, "formatted text": post.html}.items():
            got, wanted = shown.texts, wrote
            if shown.breaks_lines:
                got, wanted = tuple(each.replace("\n", " ") for each in got), wrote.replace("\n", " ")
            assert not wanted or wanted in got, f"The {what} {wanted!r} did not arrive as it was; readers get {got!r}."

    def test_a_post_at_the_limit_arrives_whole(self, channel: Channel, network: NetworkFixture) -> None:
        """A text that fills the budget to the last character is taken, and nothing of it is lost."""
        text = texts.longest(channel.capabilities.budget)
        say(channel, self.request(channel, text=text))
        words = [shown.split() for shown in network.visible_posts[-1].texts]  # a network may break lines anew
        assert text.split() in words, f"A text of {len(text)} characters, which the budget takes, did not arrive whole."

    # --- sending

    def test_a_post_is_out_once_and_says_where(self, channel: Channel, network: NetworkFixture) -> None:
        """`send` publishes once, and returns a `PostRef` with our account and the network's id."""
        request = self.request(channel, text="Une fois")
        ref = say(channel, request)
        shown = self.visible_once(network, "Une fois")
        assert ref.account == channel.account, f"PostRef.account is {ref.account!r}, not the channel's account."
        assert ref.id, "PostRef.id is empty; without it nobody can answer, find or delete the post."
        if shown.id and not channel.capabilities.recipients:
            assert ref.id == shown.id, f"PostRef.id is {ref.id!r}; on the network the post is {shown.id!r}."

    def test_a_refusal_is_final(self, channel: Channel, network: NetworkFixture) -> None:
        """Where the network refuses the content, `send` raises `Refused`, and nothing is out."""
        self._goes_wrong(channel, network, Fault.REFUSED, Refused)

    @can_be_disabled
    def test_a_limit_is_waited_for(self, channel: Channel, network: NetworkFixture) -> None:
        """Where the network asks us to wait, `send` raises `Unavailable` with its time, and does not wait itself."""
        error = self._goes_wrong(channel, network, Fault.RATE_LIMITED, Unavailable)
        at = network.clock.now() + network.retry_after if network.retry_after else None
        told = error.retry_at if isinstance(error, Unavailable) else None
        assert told == at, f"retry_at is {told}, the network says {at}. See policenotify.transport.retry_at."
        assert not network.clock.slept, "The channel slept; only the house waits."

    def test_where_nobody_listens_nothing_was_posted(self, channel: Channel, network: NetworkFixture) -> None:
        """Where the call certainly never arrived, `send` raises `Unavailable`: it may be said again without a doubt."""
        self._goes_wrong(channel, network, Fault.UNREACHABLE, Unavailable)

    @can_be_disabled
    def test_wrong_credentials_block_the_channel(self, channel: Channel, network: NetworkFixture) -> None:
        """Where the network does not accept the credentials, `send` raises `Blocked`, until a person acts."""
        self._goes_wrong(channel, network, Fault.UNAUTHORIZED, Blocked)

    def test_a_doubt_is_told(self, channel: Channel, network: NetworkFixture, doubt: Fault) -> None:
        """Where no readable answer comes, `send` raises `Unconfirmed`, soon, and tries nothing again by itself."""
        self._goes_wrong(channel, network, doubt, Unconfirmed)

    def _goes_wrong(
        self, channel: Channel, network: NetworkFixture, trouble: Fault, kind: type[ChannelError]
    ) -> ChannelError:
        request = self.request(channel)
        network.fail_next(trouble)
        began = time.perf_counter()
        error = self.error_of(network, lambda: say(channel, request))
        took = time.perf_counter() - began
        self.is_kind(kind, error, trouble)
        assert took < self.patience, (
            f"send took {took:.1f} s. Give every call a timeout; `open` with one below {self.patience} s."
        )
        out, expected = len(network.visible_posts), int(trouble in OUT)
        assert out == expected, (
            f"After {trouble.name} {out} posts are out in place of {expected}: the channel repeats by itself."
        )
        return error

    def test_after_trouble_it_works_again(self, channel: Channel, network: NetworkFixture, trouble: Fault) -> None:
        """Whatever went wrong, the same channel object posts as soon as the network is well."""
        network.fail_next(trouble)
        with suppress(ChannelError):
            say(channel, self.request(channel, text="Avant"))
        network.recover()
        say(channel, self.request(channel, text="Après"))
        self.visible_once(network, "Après")

    def test_several_objects_work_side_by_side(self, network: NetworkFixture) -> None:
        """Several channel objects of the account, each in its own thread, post each its own."""
        with closing(self.open(network)) as channel:
            posts = [self.post(channel, f"File {number}") for number in range(SLOTS)]

        def run(post: Post) -> PostRef:
            with closing(self.open(network)) as channel:
                return say(channel, channel.prepare(post, ()))

        self.at_once([partial(run, post) for post in posts])
        for post in posts:
            self.visible_once(network, post.text)


class ChannelContract(CoreContract, CapabilityContract):
    """Every promise of a channel, tried on the network. Inherit it; the promises are the tests' docstrings.

    What the channel does not claim in its [`Capabilities`][policenotify.channel.Capabilities] is not asked: such
    tests are not collected, so that a test report lists what was proven, and nothing else. A promise that a network
    cannot keep is struck out in so many words, with the reason: `test_asking_who_we_are_proves_the_credentials = None`.

    The test of a network for topics on ntfy servers, whole; the network itself, about 25 lines, is in
    `examples/policenotify-ntfy` of our repository, a package to start yours from:

    ```python
    from policenotify_ntfy import Ntfy
    from pydantic import SecretStr

    from policenotify.testing import Answer, ChannelContract, OneCallFixture


    class TestNtfy(ChannelContract):
        accepts = Answer.json({"id": "abc"})
        secrets = ("tk_secret",)

        def open(self, network: OneCallFixture) -> Ntfy:
            return Ntfy(topic="police", token=SecretStr("tk_secret"), server=network.url, timeout=0.2, clock=network.clock)
    ```

    Tests of your own in the class have the fixtures `network` and `channel`, and say things as these do:
    `self.request(channel, text=…)` prepares another post, `self.error_of(network, call)` is the error of a call that must
    fail, and tells no secret, `self.visible_once(network, text)` is a post as readers see it, `self.at_once(calls)` makes
    calls in threads. `examples/policenotify-threads` shows them, and a network of its own.

    Attributes:
        accepts: What the network answers to a post, for networks of one HTTP call; others override `make_network`.
        secrets: What must never be seen: passwords and tokens, as `open` hands them over.
        uploads: Keys of `Request.body` that name what `prepare` has uploaded, which is another thing each time.
        patience: Seconds that a call may take when no answer comes; the channel's own timeout must be well below.
    """
