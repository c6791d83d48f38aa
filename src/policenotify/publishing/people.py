"""The people who are written to: who left, what comes back, and what is held about one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policenotify.audiences.model import Subscriber
from policenotify.channel import ChannelConfig, Clock, SupportsReceipts
from policenotify.errors import SettingsError
from policenotify.model.person import ErasedPerson, PersonRecord, ReportResult, Suppression
from policenotify.networks.registry import NoStateStore
from policenotify.publishing.arguments import check_channel, checked_reason
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.formats.mail_report import ReportKind
    from policenotify.journal.journal import Journal
    from policenotify.model.person import Reported

_RECORDED: Final[Mapping[str, Reported]] = {"gone": "gone", "soft": "soft", "complaint": "complaint"}  # by kind
_SEPARATOR: Final = "+"  # between our mailbox and the token: postfix calls it `recipient_delimiter`


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail that came back, and what was recorded.

    Attributes:
        kind: What it reports.
        status: The enhanced status code (RFC 3463), or the type of a complaint. May be empty.
        result: What became of it. `None` if such a mail changes nothing: a delay, an absence note.
    """

    kind: ReportKind
    status: str
    result: ReportResult | None


class People:
    """The people who are written to. A publisher has it as `people`.

    Every decision names its *actor*, who decided it. All of them raise `NotAllowed` if the installation's rule refuses
    it to the actor, and those with a *channel* `SettingsError` if none has that name.

    Args:
        journal: The journal.
        channels: The channels of the installation, by name.
        clock: The clock that channels get.
    """

    def __init__(self, journal: Journal, channels: Mapping[str, ChannelConfig], clock: Clock) -> None:
        self._journal = journal
        self._channels = channels
        self._clock = clock

    # --- decisions of the service

    def suppressed(self, channel: str | None = None) -> tuple[Suppression, ...]:
        """Return who is not written to now: on one channel, also by what holds for all, or on any."""
        return self._journal.suppressions.list(channel)

    def suppress(self, address: str, *, actor: str, reason: str, channel: str | None = None) -> bool:
        """Stop writing to a mail address or telephone number at once, on one channel or on all.

        The journal keeps the reason, of at least 10 characters and without the address.

        Returns:
            False if the person was not written to already, for this or a weightier reason.

        Raises:
            ValueError: *reason* states none, or names the address.
        """
        reason = checked_reason("reason", reason)
        if "@" in reason or _compared(address) in reason.casefold():
            raise ValueError(Text("reason: leave the address out, for it is kept. Nothing was changed"))
        check_channel(channel, self._channels)
        return self._journal.suppressions.add(self._forms(address, channel), channel, actor, evidence=reason)

    def release(self, address: str | None, *, actor: str, channel: str | None = None) -> int:
        """Write again to a person, or to everybody on a channel. It takes effect with the next publication.

        Args:
            address: The mail address, the telephone number, or the beginning of a key. `None` stands for everybody.
            actor: Who decided it.
            channel: The channel's name. `None` stands for any, and `"*"` for what holds for all channels.

        Returns:
            How many suppressions were ended.

        Raises:
            ValueError: Neither a person nor a channel is named.
        """
        if address is None and channel is None:
            raise ValueError(Text("release: name a person or a channel. Nothing was changed"))
        forms = None if address is None else self._forms(address, channel)
        ended = self._journal.suppressions.release(channel, forms, actor)
        if not ended and channel != "*":
            check_channel(channel, self._channels)
        return ended

    def export(self, address: str, *, actor: str) -> PersonRecord:
        """Return everything that the journal holds about a person, for a request for access (RGPD, article 15)."""
        return self._journal.people.export(self._forms(address, None), actor)

    def erase(self, address: str, *, actor: str) -> ErasedPerson:
        """Erase a person's address, and what links the person to publications.

        A suppression by the person's own will stays. The updates and the end of open incidents do not reach the person
        any more, unless a list still names the address: see `listed` of the result.

        Raises:
            NotErasable: A publication is still being delivered to the person.
        """
        forms = self._forms(address, None)
        erased = self._journal.people.erase(forms, actor)
        people, listed = {_compared(form) for form in forms}, []
        for config in self._channels.values():
            with suppress(SettingsError):  # a list that cannot be read is passed over
                if any(_compared(each) in people for each in _addresses(config)):
                    listed.append(config.name)
        return erased.model_copy(update={"listed": tuple(listed)})

    def counts(self, channel: str | None = None) -> dict[str, int | None]:
        """Return how many people the lists of each channel name, without wrong rows. `None`: one cannot be read."""
        check_channel(channel, self._channels)
        counts: dict[str, int | None] = {}
        for config in self._channels.values():
            if not config.audiences or channel not in {None, config.name}:
                continue
            try:
                counts[config.name] = sum(1 for _ in _addresses(config))
            except SettingsError:
                counts[config.name] = None
        return counts

    # --- what comes back

    def knows(self, token: str) -> bool:
        """Return True if a link to leave is ours. Nothing is read or changed."""
        return self._journal.reports.named(token, "stop")

    def leave(self, token: str) -> bool:
        """Stop writing to the person of a link to leave. Repeating it changes nothing.

        Returns:
            False if the link is not ours.
        """
        return self._journal.reports.leave(token) is not ReportResult.UNKNOWN

    def bounce(self, mail: bytes, recipients: Iterable[str] = ()) -> Bounce:
        """Record what a mail reports that came back.

        Args:
            mail: The mail, as the relay hands it over. Its first megabyte is read.
            recipients: The envelope's recipients. Without them the headers of the mail must name ours.
        """
        from policenotify.formats.mail_report import read_report  # noqa: PLC0415 - few processes read mails

        report = read_report(mail)
        if (kind := _RECORDED.get(report.kind)) is None:
            return Bounce(report.kind, report.status, None)
        result = ReportResult.UNKNOWN
        for token in _tokens((*recipients, *report.addresses)):
            result = self._journal.reports.add(token, "bounce", kind, report.status)
            if result is not ReportResult.UNKNOWN:
                break
        return Bounce(report.kind, report.status, result)

    def receipt(self, channel: str, token: str, *, body: bytes, query: str) -> str:
        """Record what a gateway's delivery receipt reports. Repeating it changes nothing.

        A person in doubt who has the message is settled as posted. Channel and token are those that the called address
        names.

        Returns:
            The body that confirms it. Empty: the token is not ours, or the channel takes no receipts.

        Raises:
            ValueError: It is not a receipt of the channel's gateway. The text repeats nothing of the call.
        """
        config = self._channels.get(channel)
        if config is None or config.blocked or not self._journal.reports.named(token, "receipt"):
            return ""
        with closing(config.open(self._clock, NoStateStore())) as opened:
            if not isinstance(opened, SupportsReceipts):
                return ""
            kind, code, confirmation = opened.read_receipt(body, query)
        if kind is None:
            known = True
        elif kind == "delivered":
            known = self._journal.sendings.confirm(token, channel=channel)
        else:
            result = self._journal.reports.add(token, "receipt", kind, code, channel=channel)
            known = result is not ReportResult.UNKNOWN
        return confirmation if known else ""

    # --- addresses

    def _forms(self, address: str, channel: str | None) -> list[str]:
        """Return the forms by which the journal may know an address: each network has its own."""
        forms = dict.fromkeys(self._spelled(address, channel))
        numbers = [form for form in forms if form.startswith("+")]  # a network for mail leaves 0612345678 as it is
        return numbers or [*forms] or [address]

    def _spelled(self, address: str, channel: str | None) -> Iterator[str]:
        for config in self._channels.values():
            if config.blocked or not config.capabilities.recipients or channel not in {None, "*", config.name}:
                continue
            with closing(config.open(self._clock, NoStateStore())) as opened:
                yield getattr(opened, "spell", str)(address)  # a network may know several forms of one address


def _addresses(config: ChannelConfig) -> Iterator[str]:
    for audience in config.audiences:
        yield from (row.address for row in audience.rows() if isinstance(row, Subscriber))


def _compared(address: str) -> str:
    return address.strip().casefold()


def _tokens(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        local, _, _ = address.rpartition("@")
        _, found, token = local.rpartition(_SEPARATOR)
        if found:
            yield token
