"""What a channel promises by its abilities; nobody else is asked."""
# ruff: noqa: S101 - these are tests, one for each promise, and expected numbers are their point

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from typing import Final, cast

from policenotify.channel import (
    Capabilities,
    Channel,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    SupportsBulkSend,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
)
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.testing.contract import texts
from policenotify.testing.contract.case import SLOTS, ContractCase, requires
from policenotify.testing.contract.fixtures import BulkFixture, Call, Fault, NetworkFixture
from policenotify.testing.contract.texts import PEOPLE, say

_AS_SEND: Final[dict[Fault, type[ChannelError]]] = {
    Fault.REFUSED: Refused,
    Fault.RATE_LIMITED: Unavailable,
    Fault.UNREACHABLE: Unavailable,
    Fault.UNAUTHORIZED: Blocked,
    Fault.DISCONNECTED: Unconfirmed,
    Fault.HTML_PAGE: Unconfirmed,
    Fault.SERVER_ERROR: Unconfirmed,
}
_FOR_EVER = timedelta(days=3_650)  # longer than any incident


def _remembers(can: Capabilities) -> bool:
    return bool(can.idempotency_window)


def _nearly(remembers: timedelta) -> tuple[float, ...]:
    """Just before the key may be forgotten; of what is remembered for ever no end is tried."""
    return (remembers.total_seconds() - 1,) if timedelta(seconds=1) < remembers < _FOR_EVER else ()


def _finds(can: Capabilities) -> bool:
    return can.lookup_delay is not None


def _replies(can: Capabilities) -> bool:
    return can.replies


def _images(can: Capabilities) -> bool:
    return can.images > 0


def _edits(can: Capabilities) -> bool:
    return can.edits


def _deletes(can: Capabilities) -> bool:
    return can.deletes


def _mails(can: Capabilities) -> bool:
    return can.recipients


class CapabilityContract(ContractCase):
    """The promises that abilities make."""

    # --- remembers_keys

    @requires(_remembers)
    def test_a_key_publishes_once(self, channel: Channel, network: NetworkFixture) -> None:
        """The same `Request` said again, after a lost answer and as long as it is remembered, publishes no more."""
        request = self.request(channel, text="Une clef")
        network.fail_next(Fault.DISCONNECTED_AFTER)
        self.error_of(network, lambda: say(channel, request))
        network.recover()
        first = say(channel, request)
        for later in (0.0, *_nearly(channel.capabilities.idempotency_window)):
            network.clock.pass_by(later)
            with closing(self.open(network)) as other:
                again = say(other, Request.read(request.model_dump_json()))
            self.visible_once(network, "Une clef")
            assert first.id == again.id, f"The same request has landed at {first.id!r} and at {again.id!r}."

    @requires(_remembers)
    def test_a_key_publishes_once_from_many_threads(self, channel: Channel, network: NetworkFixture) -> None:
        """The same `Request` said by several threads at once publishes once, and all learn where."""
        request = self.request(channel, text="Une clef")

        def run() -> str:
            with closing(self.open(network)) as mine:
                return say(mine, request).id

        places = set(self.at_once([run] * SLOTS))
        self.visible_once(network, "Une clef")
        assert len(places) == 1, f"The same request has landed at {places}."

    # --- lookup_settles

    @requires(_finds)
    def test_what_is_out_is_found(self, channel: Channel, network: NetworkFixture) -> None:
        """`find` says where a post is, also when its answer was lost, and also to another channel object."""
        since = network.clock.now()
        told, lost = self.request(channel, text="Dite"), self.request(channel, text="Perdue")
        ref = say(channel, told)
        network.fail_next(Fault.DISCONNECTED_AFTER)
        self.error_of(network, lambda: say(channel, lost))
        network.recover()
        with closing(self.open(network)) as other:
            found = [cast("SupportsLookup", each).find(told, since=since) for each in (channel, other)]
            after = cast("SupportsLookup", other).find(lost, since=since)
        assert found == [ref, ref], f"find must return the same PostRef as send, {ref!r}, not {found!r}."
        assert after is not None, "find does not find a post that is out, whose answer was lost."
        shown = self.visible_once(network, "Perdue")
        assert not shown.id or after.id == shown.id, f"find names {after.id!r}; the post is {shown.id!r}."

    @requires(_finds)
    def test_what_is_not_out_is_not_found(self, channel: Channel, network: NetworkFixture) -> None:
        """`find` returns `None` for what was never published, though a post like it is *known* as another's."""
        since = network.clock.now()
        other = say(channel, self.request(channel, text="Deux fois"))
        found = cast("SupportsLookup", channel).find(
            self._lost(channel, network), since=since, known=frozenset({other.id})
        )
        assert found is None, f"find has found {found!r} for a post that is not out: it would never be said again."

    @requires(_finds)
    def test_what_was_out_before_is_not_found(self, channel: Channel, network: NetworkFixture) -> None:
        """`find` returns `None` for what was never published, though a post like it was there before *since*."""
        say(channel, self.request(channel, text="Deux fois"))
        network.clock.pass_by(60)
        since = network.clock.now()
        found = cast("SupportsLookup", channel).find(self._lost(channel, network), since=since)
        assert found is None, f"find has found {found!r}, which was there a minute before the post was said."

    def _lost(self, channel: Channel, network: NetworkFixture) -> Request:
        """A request that never reached the network."""
        lost = self.request(channel, text="Deux fois")
        network.fail_next(Fault.DISCONNECTED)
        self.error_of(network, lambda: say(channel, lost))
        network.recover()
        return lost

    @requires(_finds)
    def test_what_cannot_be_read_stays_in_doubt(self, channel: Channel, network: NetworkFixture, unread: Fault) -> None:
        """`find` raises where the network cannot be read; only a readable "not there" is `None`."""
        request = self.request(channel)
        ref, since = say(channel, request), network.clock.now()

        def look() -> PostRef | None:
            return cast("SupportsLookup", channel).find(request, since=since)

        network.fail_next(unread, "find")
        if unread is Fault.UNAUTHORIZED:  # which lasts: who looks where everybody may is not denied
            with suppress(ChannelError):
                assert look() == ref, "find must raise where it is denied, or find the post: it would be said again."
                return
        error = self.error_of(network, look)
        assert not isinstance(error, Refused), "find must not raise Refused: the post may well be out."

    # --- replies

    @requires(_replies)
    def test_a_thread_hangs_together(self, channel: Channel, network: NetworkFixture) -> None:
        """An update answers the opening, and the end answers the update in the opening's thread."""
        opening = say(channel, self.request(channel, text="Début"))
        update = say(channel, self.request(channel, opening, text="Suite"))
        say(channel, self.request(channel, opening, update, text="Fin"))
        first, second, third = (self.visible_once(network, text) for text in ("Début", "Suite", "Fin"))
        assert first.parents == (), f"The opening answers {first.parents}."
        assert set(second.parents) == {first.id}, f"The update answers {second.parents}, not the opening {first.id!r}."
        assert third.parents in {(second.id,), (first.id, second.id)}, (
            f"The end answers {third.parents}, not {first.id!r}, then {second.id!r}: answers[0] starts the thread, "
            "answers[-1] is the post to answer."
        )

    @requires(_replies)
    def test_a_strangers_post_is_not_answered(self, channel: Channel, network: NetworkFixture) -> None:
        """A post of another account is passed over: ours then starts a thread."""
        stranger = say(channel, self.request(channel)).model_copy(update={"account": "another@elsewhere.example"})
        say(channel, self.request(channel, stranger, text="Seule"))
        under = self.visible_once(network, "Seule").parents
        assert under == (), f"It answers {under}: pass over answers whose account is not the channel's."

    # --- images

    @requires(_images)
    def test_pictures_arrive_with_their_words(self, channel: Channel, network: NetworkFixture) -> None:
        """As many pictures as claimed arrive, in order, unchanged, each with its alternative text."""
        text, pictures = (
            "Voir les images",
            tuple(texts.picture(number) for number in range(channel.capabilities.images)),
        )
        html = texts.formatted(text, pictures) if channel.capabilities.html else ""
        say(channel, self.request(channel, text=text, pictures=pictures, html=html))
        got = self.visible_once(network, text).pictures
        assert [alt for alt, _ in got] == [each.alt for each in pictures], "Alternative texts are lost or changed."
        assert [data for _, data in got] == [each.data for each in pictures], "Pictures are lost or changed."

    # --- edits, deletes

    @requires(_edits)
    def test_an_edit_replaces_the_post(self, channel: Channel, network: NetworkFixture) -> None:
        """`edit` replaces what readers see, in the same place; in trouble it raises as `send` does."""
        ref = say(channel, self.request(channel, text="Faux"))
        request, edits = self.request(channel, text="Juste"), cast("SupportsEdit", channel)
        self._raises_as_send(network, "edit", lambda: edits.edit(ref, request))
        edited = edits.edit(ref, request)
        assert len(network.visible_posts) == 1, "An edit makes no further post."
        shown = self.visible_once(network, "Juste")
        assert not shown.id or edited.id == shown.id, f"edit returns {edited.id!r}; the post is {shown.id!r}."

    @requires(_deletes)
    def test_what_is_deleted_is_gone(self, channel: Channel, network: NetworkFixture) -> None:
        """`delete` takes one post back, and only it; one that is gone already is no error; else it raises as `send`."""
        ref = say(channel, self.request(channel, text="À retirer"))
        say(channel, self.request(channel, text="À garder"))
        deletes = cast("SupportsDelete", channel)
        self._raises_as_send(network, "delete", lambda: deletes.delete(ref))
        deletes.delete(ref)
        deletes.delete(ref)
        self.visible_once(network, "À garder")
        assert len(network.visible_posts) == 1, "What was deleted is still shown."

    def _raises_as_send(self, network: NetworkFixture, call: Call, do: Callable[[], object]) -> None:
        for trouble, kind in _AS_SEND.items():
            if trouble not in network.faults:
                continue
            network.fail_next(trouble, call)
            error = self.error_of(network, do)
            self.is_kind(kind, error, trouble)
            if isinstance(error, Unavailable) and trouble is Fault.RATE_LIMITED:
                at = network.clock.now() + network.retry_after if network.retry_after else None
                assert error.retry_at == at, f"{call}: retry_at is {error.retry_at}, the network says {at}."
            network.recover()

    # --- recipients

    @requires(_mails)
    def test_everybody_has_an_outcome_and_nobody_sees_the_others(self, channel: Channel, network: BulkFixture) -> None:
        """Each person gets the post once, has one outcome, and finds nobody else's address in it."""
        outcomes = self._mail(channel, self.request(channel, text="À tous"))
        assert set(outcomes.values()) == {"posted"}, f"A network that takes everything brought {outcomes}."
        self._received(network, *PEOPLE)
        for shown in network.visible_posts:
            assert shown.reader.encode() in shown.whole, "The network must say in `whole` what reached a person."
            others = [person for person in PEOPLE if person.address.encode() in shown.whole]
            assert len(others) == 1, "A person sees another one's address."

    @requires(_mails)
    def test_one_who_is_refused_costs_nobody_else_the_post(self, channel: Channel, network: BulkFixture) -> None:
        """A person whom the network refuses is told as `refused`, without his address; the others get the post."""
        network.refuse_recipient(PEOPLE[1].address)
        mails = cast("SupportsBulkSend", channel)
        outcomes = {each.key: each for each in mails.send_each(self.request(channel), PEOPLE)}
        refused = outcomes.pop(PEOPLE[1].key)
        assert refused.outcome == "refused", f"A person who is refused for good is told as {refused.outcome!r}."
        assert {each.outcome for each in outcomes.values()} == {"posted"}, f"The others were not served: {outcomes}."
        self._received(network, PEOPLE[0], *PEOPLE[2:])
        self.tells_no_secret(network, repr(refused), "the outcome of a person")

    @requires(_mails)
    def test_a_doubt_about_one_is_a_doubt_about_one(self, channel: Channel, network: BulkFixture) -> None:
        """Where one person's answer is lost, he is `unconfirmed`, the others are served, and nobody gets it twice."""
        network.fail_next(Fault.DISCONNECTED_AFTER)
        outcomes = self._mail(channel, self.request(channel))
        told = sorted(outcomes.values())
        assert told == ["posted"] * (len(PEOPLE) - 1) + ["unconfirmed"], (
            f"One answer was lost, and it is told as {told}."
        )
        self._received(network, *PEOPLE)

    @requires(_mails)
    def test_who_was_not_reached_is_not_in_doubt(self, channel: Channel, network: BulkFixture) -> None:
        """Where the network goes away halfway, `Unavailable` is raised for those who are left; they heard nothing."""
        mails = iter(cast("SupportsBulkSend", channel).send_each(self.request(channel), PEOPLE))
        first = next(mails)
        network.fail_next(Fault.UNREACHABLE)
        error = self.error_of(network, lambda: list(mails))
        self.is_kind(Unavailable, error, Fault.UNREACHABLE)
        self._received(network, *(person for person in PEOPLE if person.key == first.key))

    @requires(_mails)
    def test_a_list_may_end_early(self, channel: Channel, network: BulkFixture) -> None:
        """A list that ends after any person ends as after the last: the others hear from the next call, and once."""
        request = self.request(channel)
        mails, first, others = cast("SupportsBulkSend", channel), PEOPLE[:1], PEOPLE[1:]
        for people in (first, others, ()):
            told = [each.key for each in mails.send_each(request, iter(people))]
            assert sorted(told) == sorted(person.key for person in people), f"Handed {people}, it has told of {told}."
        self._received(network, *PEOPLE)

    def _mail(self, channel: Channel, request: Request) -> dict[str, str]:
        told: list[RecipientOutcome] = list(cast("SupportsBulkSend", channel).send_each(request, PEOPLE))
        keys = sorted(each.key for each in told)
        assert keys == sorted(each.key for each in PEOPLE), f"Yield one outcome for each recipient; keys were {keys}."
        return {each.key: each.outcome for each in told}

    def _received(self, network: NetworkFixture, *people: Recipient) -> None:
        got = sorted(shown.reader.partition("@")[0] for shown in network.visible_posts)
        expected = sorted(person.address.partition("@")[0] for person in people)
        assert got == expected, f"The post reached {got} in place of {expected}."
