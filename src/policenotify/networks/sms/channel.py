"""SMS: one post, many people, through one of the gateways that apprise speaks to; an outcome for each person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar

from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Recipient, RecipientOutcome, Request
from policenotify.errors import Blocked, ChannelError, MissingExtra, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.networks import import_lock
from policenotify.networks._apprise.gateways import VERIFIED, NumberFormat, gateway
from policenotify.networks.sms.numbers import BadNumber, e164
from policenotify.text import Budget, sms, to_gsm

_GATEWAY = "The SMS gateway"
_NOBODY = "+33639980001"  # 06 39 98 00 00 to 99 belong to nobody (ARCEP, numbers for films); it is never called
_LONGEST_TIMEOUT = 30.0  # seconds: to connect and to answer take one each, and half a lease is a minute
_DOUBTS = 2  # so many doubts in a row: the gateway is not well, and everybody after would be in doubt, too
_SAME_FOR_ALL = 3  # so many refused, and nobody served: it is neither the people nor their numbers
_SINGLE = {"GSM-7": 160, "UCS-2": 70}  # 3GPP TS 23.038, section 4: units that one SMS holds
_SEGMENTS = 3  # of one text, unless the installation pays for more
_JOINED = {"GSM-7": 153, "UCS-2": 67}  # 3GPP TS 23.040, section 9.2.3.24.1: less the header that joins several


@cache  # so that the same options make equal abilities
def _budget(segments: int, *, unicode: bool) -> Budget:
    """What `segments` hold, in letters of GSM 03.38.

    A text that needs UCS-2 counts each of its units for as much more as it takes; and never is a text within the
    limit that makes one segment too many, as where an escaped letter does not fit at a segment's end.
    """
    holds = {code: _SINGLE[code] if segments == 1 else _JOINED[code] * segments for code in _SINGLE}
    limit = holds["GSM-7"]

    def measure(text: str) -> int:
        counted = sms(text if unicode else to_gsm(text).text)
        units = -(-counted.units * limit // holds[counted.encoding])
        return min(units, limit) if counted.segments <= segments else max(units, limit + 1)

    def spell(text: str) -> str:
        return to_gsm(text).text

    def loses(text: str) -> tuple[str, ...]:
        return to_gsm(text).lost

    if unicode:
        return Budget(limit, measure, describe=_describe)
    return Budget(limit, measure, transliterate=spell, find_losses=loses, describe=_describe)


def _describe(text: str) -> str:
    counted = sms(text)
    return f"{counted.encoding}, {counted.segments} segment{'s' if counted.segments > 1 else ''}"


class Sms:
    """A sender at an SMS gateway.

    Texts are written in the alphabet of GSM 03.38, in which a segment holds 160 letters: `ê` becomes `e`, `’` becomes
    `'`, emoji go. With `unicode` they stay as they are, and a text with one such letter takes more than twice as many
    segments. A text is one SMS, however many segments it has; nothing is ever cut or split.

    Each person gets a request of his own, and has an outcome of his own. What a "yes" of the gateway is worth is in
    `capabilities.acceptance`; that an SMS has arrived, no gateway can tell at once.

    Args:
        url: The gateway, in apprise's words (<https://appriseit.com/services/>), with `{recipient}` where the person's
            number belongs: `octopush://{sender}:login@police.example/API-KEY/{recipient}`. `{sender}` stands for the
            option below. A gateway without a plugin is called by `forms://` or `jsons://`; there `{coding}` stands for
            0 (GSM 03.38) or 2 (UCS-2), as Kannel wants it, and `{data_coding}` for 0 or 8, as SMPP has it.
            Percent-encode `@ : / ? #` in user and password.
        sender: Who is shown as sender: 3 to 11 letters and digits that the service may use, or its short code.
        country_code: The country of numbers written without one.
        number_format: How the gateway wants numbers: `+` (+33612345678), `00` (0033612345678), `bare` (33612345678);
            only where the URL spells the call itself (`forms://`, `jsons://`, `xmls://`).
        segments: Of how many segments an SMS may be made at the most; each is paid for.
        unicode: Leave letters that GSM 03.38 has not, and pay for them. A URL that spells the call itself then needs
            `{coding}` or `{data_coding}`.
        unencrypted: The gateway may be called without encryption, in a network of your own.
        timeout: Seconds to wait for a connection, and again for each piece of an answer.
        clock: Time, handed in.

    Raises:
        SettingsError: An option makes no sense.
        MissingExtra: apprise is not installed.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=_budget(_SEGMENTS, unicode=False), recipients=True, hashtags=False, acceptance="unverified"
    )

    def __init__(
        self,
        *,
        url: SecretStr,
        sender: str = "",
        country_code: str = "33",
        number_format: NumberFormat = "auto",
        segments: int = _SEGMENTS,
        unicode: bool = False,
        unencrypted: bool = False,
        timeout: float = 10.0,
        clock: Clock,
    ) -> None:
        if find_spec("apprise") is None or find_spec("requests") is None:
            raise MissingExtra("The network 'sms'", "sms")
        if not (country_code.isascii() and country_code.isdigit() and len(country_code) < 4 and country_code[0] != "0"):  # noqa: PLR2004 - ITU-T E.164, section 6.2.1
            raise SettingsError("country_code: must be 1 to 3 digits without + and 00, such as '33'")
        if not 0 < timeout <= _LONGEST_TIMEOUT:
            raise SettingsError("timeout: must be a number of seconds above 0, and 30 at the most")
        self._gateway = gateway(
            url.get_secret_value(),
            sender=sender,
            country_code=country_code,
            number_format=number_format,
            unicode=unicode,
            segments=segments,
        )
        self._country_code = country_code
        self._unicode = unicode
        self._unencrypted = unencrypted
        self._timeout = timeout
        self._clock = clock
        self._abilities = replace(
            self.default_capabilities,
            budget=_budget(segments, unicode=unicode),
            acceptance="verified" if self._gateway.scheme in VERIFIED else "unverified",
        )

    def __repr__(self) -> str:
        return f"Sms({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        """What SMS can do. No replies: a telephone shows messages of one sender in their order."""
        return self._abilities

    @property
    def account(self) -> str:
        """The gateway's scheme, its host where the URL names one, and the sender where it is a name."""
        return self._gateway.account

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:  # noqa: ARG002 - an SMS answers nothing
        """Write the text in the alphabet that will be sent.

        Raises:
            Refused: It is longer than `segments` allows, or holds pictures.
        """
        text = post.text if self._unicode else to_gsm(post.text).text.strip()  # what goes may leave a space behind
        budget = self._abilities.budget
        if not text:
            raise Refused("Nothing of the text can be written in an SMS.", remedy="Set unicode = true, or reword it.")
        if not budget.fits(text):
            used, limit = budget.usage(text)
            raise Refused(
                f"The text takes {used} of {limit} characters of SMS ({_describe(text)}).",
                remedy="Shorten it, or allow more segments.",
            )
        return Request(account=self.account, key=post.key, body={"text": text})

    def send_each(self, request: Request, recipients: Iterable[Recipient]) -> Iterator[RecipientOutcome]:
        """Hand the text over for each person, in a request of his own.

        A number that cannot be right costs nobody else the message. Who is left when the gateway does not answer
        twice in a row hears from a later attempt.

        Yields:
            One outcome for each recipient.

        Raises:
            Blocked: The gateway does not accept our credentials, is not there, is out of credit, or refuses everybody.
            Unavailable: It cannot be reached, asks us to wait, or does not answer.
        """
        text = str(request.body["text"])
        served, doubts, aside = False, 0, list[RecipientOutcome]()
        for recipient in recipients:
            try:
                number = e164(recipient.address, self._country_code)
            except BadNumber as error:
                yield RecipientOutcome(key=recipient.key, outcome="refused", reason=str(error))
                continue
            problem = self._hand_over(number, text)
            match problem:
                case Unconfirmed():
                    doubts += 1
                    yield _outcome(recipient, problem)
                    if doubts == _DOUBTS:
                        raise Unavailable(f"{_GATEWAY} does not answer.", code=problem.code)
                    continue
                case Refused() if not served:
                    aside.append(_outcome(recipient, problem))  # told when it is clear whose fault it is
                    if len(aside) == _SAME_FOR_ALL:
                        raise _refuses_all(problem)
                case None | Refused():
                    served = True
                    yield _outcome(recipient, problem)
                    while aside:
                        yield aside.pop()
                case _:
                    raise problem
            doubts = 0
        yield from aside

    def spell(self, address: str) -> str:
        """A number in its one form, by which the journal knows the person; what is none stays as it is.

        Else who stands on a list twice, as `06 39 98 00 01` and as `+33639980001`, would be told twice, and who wants
        no more messages would get them all the same.
        """
        try:
            return e164(address, self._country_code)
        except BadNumber:
            return address

    def whoami(self) -> Account:
        """Read the URL as apprise does, and look whether the gateway can be reached. Sends nothing.

        No gateway tells through apprise whether it accepts our credentials before an SMS is sent: that is not proven.

        Raises:
            Blocked: The URL makes no sense to apprise, or the call would not be safe.
            Unavailable: The gateway cannot be reached.
        """
        with import_lock():
            from policenotify.networks._apprise.client import reach  # noqa: PLC0415 - loads apprise

        service = self._service(_NOBODY, "")
        if len(targets := _targets(service)) > 1:
            raise Blocked(
                "The channel's url names telephone numbers.",
                remedy="Take them out: who gets the messages is said in `recipients`. Then: policenotify doctor",
            )
        if not targets:
            raise Blocked(
                "apprise finds no telephone number where the channel's url has {recipient}.",
                remedy=f"Write it as {service.setup_url} tells, then: policenotify doctor",
            )
        reach(service, timeout=self._timeout, where=_GATEWAY)
        return Account(id=self.account, name=str(service.service_name))

    def close(self) -> None:
        """Nothing is kept open. May be called twice."""

    def _service(self, number: str, text: str) -> Any:  # noqa: ANN401 - each plugin has its own fields
        with import_lock():
            from policenotify.networks._apprise.client import open_service  # noqa: PLC0415 - loads apprise

        counted = sms(text)
        url = self._gateway.url_for(number, gsm=counted.encoding == "GSM-7", segments=counted.segments)
        return open_service(url, timeout=self._timeout, unencrypted=self._unencrypted)

    def _hand_over(self, number: str, text: str) -> ChannelError | None:
        """What went wrong; `None`: the gateway took it."""
        with import_lock():
            from policenotify.networks._apprise.client import say  # noqa: PLC0415 - loads apprise
            from policenotify.networks.sms.replies import READINGS  # noqa: PLC0415 - the same

        service = self._service(number, text)
        if not _targets(service):
            return Refused("apprise takes no telephone numbers of this length.")
        reading = READINGS.get(self._gateway.scheme, lambda _: None)
        return say(service, text, where=_GATEWAY, now=self._clock.now(), reading=reading)


def _targets(service: Any) -> list[object]:  # noqa: ANN401 - as above
    """Whom a service will write to; a call spelled in the URL says it in its own way, and is believed."""
    return list(getattr(service, "targets", [True]) or [])


def _outcome(recipient: Recipient, problem: ChannelError | None) -> RecipientOutcome:
    match problem:
        case None:
            return RecipientOutcome(key=recipient.key, outcome="posted")
        case Refused():
            return RecipientOutcome(key=recipient.key, outcome="refused", code=problem.code, reason=problem.reason)
        case _:
            return RecipientOutcome(key=recipient.key, outcome="unconfirmed", code=problem.code, reason=problem.reason)


def _refuses_all(problem: Refused) -> Blocked:
    return Blocked(
        f"{_GATEWAY} refuses the message for everybody. Its last answer: {problem.reason}",
        code=problem.code,
        remedy="Look into the gateway's console (sender, credit, text), then: policenotify doctor",
    )
