"""Threads keeps the contract of a network, and what Meta asks for besides."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest
from fake_threads import FakeThreadsServer
from policenotify_threads import Threads, length
from pydantic import SecretStr, ValidationError

from policenotify.errors import Blocked, Refused, Unavailable, Unconfirmed
from policenotify.testing import Answer, ChannelContract, FakeClock, Fault, HttpFixture, VisiblePost


class ThreadsFixture(HttpFixture):
    """What readers of Threads see. It does not say how long it wants us to wait."""

    server: FakeThreadsServer
    retry_after = None
    limit = Answer.json({"error": {"message": "(#4) Application request limit reached", "code": 4}}, 403)
    refusal = Answer.json({"error": {"message": "(#100) Invalid parameter", "code": 100}}, 400)
    denial = Answer.json({"error": {"message": "Malformed access token THAAfirst", "code": 190}}, 401)

    def __init__(self) -> None:
        clock = FakeClock()
        super().__init__(FakeThreadsServer(now=clock.now), clock)
        self.routes = {
            "post": ("POST", "/v1.0/me/threads_publish"),
            "find": ("GET", "/v1.0/me/threads"),
            "delete": ("DELETE", "/v1.0/*"),
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(self.server.tokens)

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [
            VisiblePost(texts=(post.text,), id=post.id, parents=(post.parent,) if post.parent else ())
            for post in self.server.posts
        ]


class TestThreads(ChannelContract):
    uploads = ("container", "made_at")

    def make_network(self) -> ThreadsFixture:
        return ThreadsFixture()

    def open(self, network: ThreadsFixture) -> Threads:
        token = SecretStr(network.server.first)
        options = Threads.Options(username=network.server.username, token=token, server=network.url, timeout=2.0)
        return Threads(options, network.services)

    # --- the token

    def test_a_token_is_renewed_once_by_two_at_once(self, network: ThreadsFixture) -> None:
        """A day after it was first seen, and then at half its life; from then on its successor is used."""
        with closing(self.open(network)) as one, closing(self.open(network)) as other:
            one.whoami()
            network.server.latency = 0.05  # seconds: so that the other comes while it is being renewed
            for renewals, days in enumerate((1, 30, 30), 1):
                network.clock.pass_by(days * 86_400)
                self.at_once([one.whoami, other.whoami])
                assert network.server.renewals == renewals
        assert [seen.path for seen in network.server.requests].count("/refresh_access_token") == 3
        assert {seen.query["access_token"][0] for seen in network.server.requests[-2:]} == {"THAAnext3"}

    def test_a_renewal_that_fails_is_tried_again_within_the_hour(
        self, channel: Threads, network: ThreadsFixture
    ) -> None:
        channel.whoami()
        network.clock.pass_by(86_400)
        network.server.fail_next("GET", "/refresh_access_token", Answer.json({}, 500))
        for seconds, renewals in ((0, 0), (3_599, 0), (1, 1)):
            network.clock.pass_by(seconds)
            channel.whoami()
            assert network.server.renewals == renewals

    def test_while_another_process_renews_the_old_token_is_good(
        self, channel: Threads, network: ThreadsFixture
    ) -> None:
        channel.whoami()
        network.clock.pass_by(86_400)
        with network.state_store.lease("token", seconds=0):
            channel.whoami()
        assert network.server.renewals == 0

    def test_a_token_that_a_person_puts_into_the_settings_comes_first(self, network: ThreadsFixture) -> None:
        with closing(self.open(network)) as channel:
            channel.whoami()
            network.clock.pass_by(61 * 86_400)
            error = self.error_of(network, channel.whoami)
            assert (type(error), error.code) == (Blocked, "190/463")
        network.server.renew("THAAfrom-a-person")
        with closing(self.open(network)) as channel:
            channel.whoami()

    def test_another_accounts_token_makes_no_post_ready(self, channel: Threads, network: ThreadsFixture) -> None:
        network.server.username = "somebody"
        assert isinstance(self.error_of(network, lambda: self.request(channel)), Blocked)
        assert not network.server.containers

    def test_a_token_goes_nowhere_in_the_clear(self) -> None:
        with pytest.raises(ValidationError, match="https"):
            Threads.Options(username="a", token=SecretStr("t"), server="http://graph.example")

    # --- what is made ready, and published

    def test_what_is_not_ready_is_asked_for_again(self, channel: Threads, network: ThreadsFixture) -> None:
        network.server.processing = timedelta(seconds=30)
        request = self.request(channel)
        error = self.error_of(network, lambda: channel.send(request))
        assert isinstance(error, Unavailable)
        assert error.retry_at == network.clock.now() + timedelta(seconds=10)
        network.clock.pass_by(30)
        channel.send(request)
        assert len(network.visible_posts) == 1

    @pytest.mark.parametrize("how", ["expired", "broken", "lost"])
    def test_what_is_of_no_use_any_more_is_made_anew(self, channel: Threads, network: ThreadsFixture, how: str) -> None:
        request = self.request(channel)
        if how == "broken":
            network.server.containers[str(request.body["container"])].broken = True
        if how == "lost":
            network.server.containers.clear()
            assert isinstance(self.error_of(network, lambda: channel.send(request)), Unavailable), "it may still come"
        network.clock.pass_by(86_400)
        error = self.error_of(network, lambda: channel.send(request))
        assert isinstance(error, Refused)
        assert error.fallback == "prepare"
        assert channel.find(request, since=network.clock.now()) is None
        channel.send(self.request(channel))
        assert len(network.visible_posts) == 1

    def test_what_is_ready_in_one_place_may_not_yet_be_in_another(
        self, channel: Threads, network: ThreadsFixture
    ) -> None:
        request = self.request(channel)
        missing = Answer.json({"error": {"message": "Media Not Found", "code": 24, "error_subcode": 4279009}}, 400)
        network.server.fail_next("POST", "/v1.0/me/threads_publish", missing)
        assert isinstance(self.error_of(network, lambda: channel.send(request)), Unavailable)
        channel.send(request)

    @pytest.mark.parametrize("forgets", [False, True])
    def test_what_is_out_is_not_published_again(
        self,
        channel: Threads,
        network: ThreadsFixture,
        forgets: bool,  # noqa: FBT001 - a table
    ) -> None:
        """Also where `find` could not be asked, also behind more than a page, also a reply."""
        network.server.forgets = forgets
        opening = channel.send(self.request(channel))
        for answers in ((), (opening,)):
            request = self.request(channel, *answers, text="Une fois")
            network.fail_next(Fault.DISCONNECTED_AFTER)
            self.error_of(network, partial(channel.send, request))
            for number in range(26):
                network.server.show(f"Autre {number}", answers[0].id if answers else "")
            ref = channel.send(request)
            assert [post.id for post in network.server.posts if post.text == "Une fois"][-1] == ref.id
        assert sum(shown.texts == ("Une fois",) for shown in network.visible_posts) == 2
        network.server.hides = True
        assert isinstance(self.error_of(network, lambda: channel.send(request)), Unconfirmed)
        assert isinstance(self.error_of(network, lambda: channel.find(request, since=network.clock.now())), Unavailable)

    def test_an_equal_text_of_a_moment_ago_is_another_post(self, channel: Threads, network: ThreadsFixture) -> None:
        first = channel.send(self.request(channel, text="Fin"))
        network.clock.pass_by(5)
        request, since = self.request(channel, text="Fin"), network.clock.now()
        network.fail_next(Fault.DISCONNECTED_AFTER)
        self.error_of(network, lambda: channel.send(request))
        found = channel.find(request, since=since, known=frozenset({first.id}))
        assert found is not None
        assert found.id == network.server.posts[-1].id != first.id

    def test_an_answer_to_what_is_gone_may_stand_alone(self, channel: Threads, network: ThreadsFixture) -> None:
        opening = channel.send(self.request(channel))
        channel.delete(opening)
        error = self.error_of(network, lambda: self.request(channel, opening))
        assert isinstance(error, Refused)
        assert error.fallback == "standalone"

    @pytest.mark.parametrize(
        ("text", "words"),
        [("x" * 501, "501 of 500"), (" ".join(f"https://a{n}.example" for n in range(6)), "LINK_LIMIT")],
    )
    def test_what_it_does_not_take_is_said(
        self, channel: Threads, network: ThreadsFixture, text: str, words: str
    ) -> None:
        error = self.error_of(network, lambda: self.request(channel, text=text))
        assert isinstance(error, Refused)
        assert words in str(error.reason)

    def test_where_the_days_posts_are_used_up_it_waits(self, channel: Threads, network: ThreadsFixture) -> None:
        network.server.done["posts"] = [network.clock.now()] * 250
        request = self.request(channel)
        error = self.error_of(network, lambda: channel.send(request))
        assert isinstance(error, Unavailable)
        assert error.whole_channel
        network.server.done["posts"].clear()
        channel.send(request)

    def test_without_permission_a_person_must_act(self, channel: Threads, network: ThreadsFixture) -> None:
        request = self.request(channel)
        ref = channel.send(request)
        network.server.tokens[network.server.first].permissions.clear()
        for call in (lambda: channel.send(request), lambda: channel.delete(ref), channel.whoami):
            assert isinstance(self.error_of(network, call), Blocked)

    @pytest.mark.parametrize(
        "answer",
        [
            Answer.json({"error": {"message": "oh", "code": 10}}, 500),
            Answer.json({"error": {"message": "oh", "code": 2}}, 400),
            Answer.json({"success": True}),
        ],
        ids=["broken", "down", "nowhere"],
    )
    def test_what_does_not_say_whether_it_is_out_is_a_doubt(
        self, channel: Threads, network: ThreadsFixture, answer: Answer
    ) -> None:
        request = self.request(channel)
        network.server.fail_next("POST", "/v1.0/me/threads_publish", answer, effect=True)
        assert isinstance(self.error_of(network, lambda: channel.send(request)), Unconfirmed)
        assert channel.find(request, since=network.clock.now()) is not None

    def test_only_our_posts_are_deleted(self, channel: Threads, network: ThreadsFixture) -> None:
        ref = channel.send(self.request(channel))
        strangers = ref.model_copy(update={"account": "somebody"})
        assert isinstance(self.error_of(network, lambda: channel.delete(strangers)), Refused)
        network.fail_next(Fault.REFUSED, "delete")
        assert isinstance(self.error_of(network, lambda: channel.delete(ref)), Refused)
        assert len(network.visible_posts) == 1


@pytest.mark.parametrize(
    ("text", "long"), [("Évitez « ça »…", 14), ("A9 #1*", 6), ("🚨", 4), ("👮‍♀️", 13), ("🇫🇷 1️⃣", 8 + 1 + 7), ("𠮷", 4)]
)
def test_emoji_count_by_their_bytes(text: str, long: int) -> None:
    assert length(text) == long
