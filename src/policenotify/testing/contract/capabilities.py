"""The promises of capabilities, tested only for channels that claim them."""

# ruff: noqa: S101 - test code

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import Final, cast

from policenotify.channel import (
    Channel,
    PostRef,
    Recipient,
    Request,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
)
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.testing.contract import texts
from policenotify.testing.contract.case import SLOTS, ContractCase, requires
from policenotify.testing.contract.fixtures import Call, Fault, NetworkFixture
from policenotify.testing.contract.texts import PEOPLE, send_post, send_to

_ERRORS: Final[dict[Fault, type[ChannelError]]] = {
    Fault.REFUSED: Refused,
    Fault.RATE_LIMITED: Unavailable,
    Fault.UNREACHABLE: Unavailable,
    Fault.UNAUTHORIZED: Blocked,
    Fault.DISCONNECTED: Unconfirmed,
    Fault.HTML_PAGE: Unconfirmed,
    Fault.SERVER_ERROR: Unconfirmed,
}
_UNLIMITED = timedelta(days=3_650)  # longer than any incident


def _almost(window: timedelta) -> tuple[float, ...]:
    """Return the last moment of a limited idempotency window, in seconds."""
    return (window.total_seconds() - 1,) if timedelta(seconds=1) < window < _UNLIMITED else ()


class CapabilityContract(ContractCase):
    """The promises that capabilities make."""

    # --- idempotency_window

    @requires("idempotency_window")
    def test_key_publishes_once(self, channel: Channel, network: NetworkFixture) -> None:
        """The same `Request` sent again within its window publishes no more."""
        request = self.request(channel, text="Une clef")
        network.fail_next(Fault.DISCONNECTED_AFTER)
        self.error_of(network, lambda: send_post(channel, request))
        network.recover()
        first = send_post(channel, request)
        for later in (0.0, *_almost(channel.capabilities.idempotency_window)):
            network.clock.pass_by(later)
            with closing(self.open(network)) as other:
                again = send_post(other, Request.read(request.model_dump_json()))
            self.visible_once(network, "Une clef")
            assert first.id == again.id, f"The same request was published as {first.id!r} and as {again.id!r}."

    @requires("idempotency_window")
    def test_key_publishes_once_from_many_threads(self, channel: Channel, network: NetworkFixture) -> None:
        """The same `Request` sent by several threads at once publishes once."""
        request = self.request(channel, text="Une clef")

        def run() -> str:
            with closing(self.open(network)) as own:
                return send_post(own, request).id

        places = set(self.at_once([run] * SLOTS))
        self.visible_once(network, "Une clef")
        assert len(places) == 1, f"The same request was published as {places}."

    # --- lookup_delay

    @requires("lookup_delay")
    def test_find_returns_a_published_post(self, channel: Channel, network: NetworkFixture) -> None:
        """`find` returns the post, also after a lost answer and on another channel object."""
        since = network.clock.now()
        known, lost = self.request(channel, text="Dite"), self.request(channel, text="Perdue")
        ref = send_post(channel, known)
        network.fail_next(Fault.DISCONNECTED_AFTER)
        self.error_of(network, lambda: send_post(channel, lost))
        network.recover()
        with closing(self.open(network)) as other:
            refs = [cast("SupportsLookup", each).find(known, since=since) for each in (channel, other)]
            after = cast("SupportsLookup", other).find(lost, since=since)
        assert refs == [ref, ref], f"find must return the same PostRef as send, {ref!r}, not {refs!r}."
        assert after is not None, "find does not find a published post whose answer was lost."
        shown = self.visible_once(network, "Perdue")
        assert not shown.id or after.id == shown.id, f"find returns {after.id!r}; the post is {shown.id!r}."

    @requires("lookup_delay")
    def test_find_returns_none_for_an_unpublished_post(self, channel: Channel, network: NetworkFixture) -> None:
        """`find` returns `None` when an equal post is *known* as another one."""
        since = network.clock.now()
        other = send_post(channel, self.request(channel, text="Deux fois"))
        lost = self._lost(channel, network)
        ref = cast("SupportsLookup", channel).find(lost, since=since, known=frozenset({other.id}))
        assert ref is None, f"find returned {ref!r} for an unpublished post, which would never be sent again."

    @requires("lookup_delay")
    def test_find_ignores_older_posts(self, channel: Channel, network: NetworkFixture) -> None:
        """`find` returns `None` when an equal post is older than *since*."""
        send_post(channel, self.request(channel, text="Deux fois"))
        network.clock.pass_by(60)
        since = network.clock.now()
        ref = cast("SupportsLookup", channel).find(self._lost(channel, network), since=since)
        assert ref is None, f"find returned {ref!r}, which was there a minute before the post was sent."

    def _lost(self, channel: Channel, network: NetworkFixture) -> Request:
        """Return a request that never reached the network."""
        lost = self.request(channel, text="Deux fois")
        network.fail_next(Fault.DISCONNECTED)
        self.error_of(network, lambda: send_post(channel, lost))
        network.recover()
        return lost

    @requires("lookup_delay")
    def test_find_raises_when_unreadable(self, channel: Channel, network: NetworkFixture, unread: Fault) -> None:
        """`find` returns `None` only after a readable answer, and raises otherwise."""
        request = self.request(channel)
        ref, since = send_post(channel, request), network.clock.now()

        def look() -> PostRef | None:
            return cast("SupportsLookup", channel).find(request, since=since)

        network.fail_next(unread, "find")
        if unread is Fault.UNAUTHORIZED:  # a public timeline can be read without credentials
            with suppress(ChannelError):
                assert look() == ref, "find must raise where it is denied, or find the post: it would be sent again."
                return
        error = self.error_of(network, look)
        assert not isinstance(error, Refused), "find must not raise Refused: the post may be published."

    # --- replies

    @requires("replies")
    def test_replies_form_one_thread(self, channel: Channel, network: NetworkFixture) -> None:
        """Each later post replies to the one before, in the thread of the opening."""
        opening = send_post(channel, self.request(channel, text="Début"))
        update = send_post(channel, self.request(channel, opening, text="Suite"))
        send_post(channel, self.request(channel, opening, update, text="Fin"))
        first, second, third = (self.visible_once(network, text) for text in ("Début", "Suite", "Fin"))
        assert first.parents == (), f"The opening answers {first.parents}."
        assert set(second.parents) == {first.id}, f"The update answers {second.parents}, not the opening {first.id!r}."
        assert third.parents in {(second.id,), (first.id, second.id)}, (
            f"The end answers {third.parents}, not {first.id!r}, then {second.id!r}: reply_to[0] starts the thread, "
            "reply_to[-1] is the post to answer."
        )

    @requires("replies")
    def test_foreign_post_is_not_replied_to(self, channel: Channel, network: NetworkFixture) -> None:
        """A post of another account in `reply_to` is ignored."""
        foreign = send_post(channel, self.request(channel)).model_copy(update={"account": "another@elsewhere.example"})
        send_post(channel, self.request(channel, foreign, text="Seule"))
        parents = self.visible_once(network, "Seule").parents
        assert parents == (), f"It answers {parents}: ignore posts in reply_to whose account is not the channel's."

    # --- images

    @requires("images")
    def test_images_arrive_with_alt_text(self, channel: Channel, network: NetworkFixture) -> None:
        """Pictures arrive in order, unchanged, with their alternative texts."""
        text, pictures = "Voir les images", tuple(map(texts.picture, range(channel.capabilities.images)))
        html = texts.formatted(text, pictures) if channel.capabilities.html else ""
        send_post(channel, self.request(channel, text=text, pictures=pictures, html=html))
        arrived = self.visible_once(network, text).pictures
        assert [alt for alt, _ in arrived] == [each.alt for each in pictures], "Alternative texts are lost or changed."
        assert [data for _, data in arrived] == [each.data for each in pictures], "Pictures are lost or changed."

    # --- structured

    @requires("structured")
    def test_message_is_not_lost(self, channel: Channel, network: NetworkFixture) -> None:
        """A request carries the message: its place, its severity and its words in each language."""
        request = self.request(channel, text="Avec message")
        stored = request.model_dump_json()
        for value in ("34172", "Severe", texts.HEADLINE_IN_ENGLISH, texts.THREAD):
            assert value in stored, f"{value!r} of Post.message is not in the Request, so that no reader can get it."
        send_post(channel, request)
        self.visible_once(network, "Avec message")

    @requires("structured")
    def test_post_without_message_is_refused(self, channel: Channel, network: NetworkFixture) -> None:
        """`prepare` raises `Refused` for a post without a message, which the core never makes."""
        post = self.post(channel).model_copy(update={"message": None})
        error = self.error_of(network, lambda: channel.prepare(post, ()))
        assert isinstance(error, Refused), f"For a post without a message raise Refused, not {type(error).__name__}."

    # --- edits, deletes

    @requires("edits")
    def test_edit_replaces_the_post(self, channel: Channel, network: NetworkFixture) -> None:
        """`edit` replaces the post in place, and raises the same errors as `send`."""
        ref = send_post(channel, self.request(channel, text="Faux"))
        request, edits = self.request(channel, text="Juste"), cast("SupportsEdit", channel)
        self._assert_raises_like_send(network, "edit", lambda: edits.edit(ref, request))
        edited = edits.edit(ref, request)
        assert len(network.visible_posts) == 1, "An edit makes no further post."
        shown = self.visible_once(network, "Juste")
        assert not shown.id or edited.id == shown.id, f"edit returns {edited.id!r}; the post is {shown.id!r}."

    @requires("deletes")
    def test_delete_removes_the_post(self, channel: Channel, network: NetworkFixture) -> None:
        """`delete` removes one post, is repeatable, and raises the errors of `send`."""
        ref = send_post(channel, self.request(channel, text="À retirer"))
        send_post(channel, self.request(channel, text="À garder"))
        deletes = cast("SupportsDelete", channel)
        self._assert_raises_like_send(network, "delete", lambda: deletes.delete(ref))
        deletes.delete(ref)
        deletes.delete(ref)
        self.visible_once(network, "À garder")
        assert len(network.visible_posts) == 1, "The deleted post is still shown."

    def _assert_raises_like_send(self, network: NetworkFixture, call: Call, do: Callable[[], object]) -> None:
        for fault, kind in _ERRORS.items():
            if fault not in network.faults:
                continue
            network.fail_next(fault, call)
            error = self.error_of(network, do)
            self.assert_kind(kind, error, fault)
            if fault is Fault.RATE_LIMITED:
                self._assert_retry_at(network, error)
            network.recover()

    # --- recipients

    @requires("recipients")
    def test_recipients_get_private_copies(self, channel: Channel, network: NetworkFixture) -> None:
        """Each recipient gets the post once, has one outcome, and sees no other address."""
        outcomes = send_to(channel, self.request(channel, text="À tous"), PEOPLE)
        assert {each.outcome for each in outcomes} == {"posted"}, f"A network that accepts everything gave {outcomes}."
        self._assert_received(network, *PEOPLE)
        for shown in network.visible_posts:
            assert shown.reader.encode() in shown.whole, (
                "The fixture must put into `whole` everything that reached a recipient."
            )
            others = [person for person in PEOPLE if person.address.encode() in shown.whole]
            assert len(others) == 1, "A recipient sees another one's address."

    @requires("recipients")
    def test_refused_recipient_does_not_stop_the_others(self, channel: Channel, network: NetworkFixture) -> None:
        """A rejected recipient is `refused`, and the others get the post."""
        network.refuse_recipient(PEOPLE[1].address)
        outcomes = {each.key: each for each in send_to(channel, self.request(channel), PEOPLE)}
        refused = outcomes.pop(PEOPLE[1].key)
        assert refused.outcome == "refused", f"A recipient who is refused for good is reported as {refused.outcome!r}."
        assert {each.outcome for each in outcomes.values()} == {"posted"}, (
            f"The others did not get the post: {outcomes}."
        )
        self._assert_received(network, PEOPLE[0], *PEOPLE[2:])
        self.assert_no_secret(network, repr(refused), "the outcome of a recipient")

    @requires("recipients")
    def test_unconfirmed_call_leaves_its_people_in_doubt(self, channel: Channel, network: NetworkFixture) -> None:
        """After a lost answer the people of this call are in doubt, and the next call serves others."""
        request, most = self.request(channel), channel.capabilities.people_per_call
        network.fail_next(Fault.DISCONNECTED_AFTER)
        try:
            values = {each.outcome for each in send_to(channel, request, PEOPLE[:most])}
        except Unconfirmed:
            values = {"unconfirmed"}
        assert "unconfirmed" in values <= {"unconfirmed", "posted"}, f"The answer was lost: {values}."
        network.recover()
        send_to(channel, request, PEOPLE[most:])
        self._assert_received(network, *PEOPLE)

    @requires("recipients")
    def test_unreached_recipients_are_not_in_doubt(self, channel: Channel, network: NetworkFixture) -> None:
        """`Unavailable` is raised for the people of a call that never reached the network."""
        request = self.request(channel)
        send_to(channel, request, PEOPLE[:1])
        network.fail_next(Fault.UNREACHABLE)
        error = self.error_of(network, lambda: send_to(channel, request, PEOPLE[1:]))
        self.assert_kind(Unavailable, error, Fault.UNREACHABLE)
        self._assert_received(network, PEOPLE[0])

    @requires("recipients")
    def test_several_channel_objects_send_at_once(self, channel: Channel, network: NetworkFixture) -> None:
        """As many channel objects as `calls_at_once` send one request to different people at the same time."""
        request = self.request(channel)

        def run(person: Recipient) -> str:
            with closing(self.open(network)) as own:
                return send_to(own, request, (person,))[0].outcome

        people = PEOPLE[: channel.capabilities.calls_at_once]
        values = self.at_once([partial(run, person) for person in people])
        assert set(values) == {"posted"}, f"Calls at the same time had these outcomes: {values}."
        self._assert_received(network, *people)

    def _assert_received(self, network: NetworkFixture, *people: Recipient) -> None:
        received = sorted(shown.reader.partition("@")[0] for shown in network.visible_posts)
        expected = sorted(person.address.partition("@")[0] for person in people)
        assert received == expected, f"The post reached {received} in place of {expected}."
