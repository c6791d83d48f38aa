"""SMS through a gateway of apprise: one post, many recipients."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

    from policenotify.networks._apprise.client import CapturedLog, ReplyReader

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Recipient, RecipientOutcome, Request
from policenotify.errors import (
    Blocked,
    ChannelError,
    MissingExtra,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
    forget_locals_of,
)
from policenotify.networks import import_lock
from policenotify.networks._apprise.url import VERIFIED, NumberFormat, gateway
from policenotify.text import Budget, sms, to_gsm

_GATEWAY = "The SMS gateway"
_FICTITIOUS = "+33639980001"  # ARCEP reserves 06 39 98 00 00 to 99 for fiction; it is never called
_MAX_TIMEOUT = 30.0  # seconds: connecting and answering take one each, within half a lease (a minute)
_MAX_DOUBTS = 2  # unknown results in a row, after which the gateway counts as unavailable
_SUSPECTED = 3  # refusals without a success, after which a refusal counts for all recipients
_SINGLE = {"GSM-7": 160, "UCS-2": 70}  # 3GPP TS 23.038, section 4: units of a single SMS
_JOINED = {"GSM-7": 153, "UCS-2": 67}  # 3GPP TS 23.040, section 9.2.3.24.1: less the header of joined segments
_SEGMENTS = 3
_FRANCE = "33"
# Mobile numbers of overseas departments (ARCEP), dialled like mainland numbers, but with other country codes.
_OVERSEAS = {
    "639": "YT", "690": "GP", "691": "GP", "692": "RE", "693": "RE", "694": "GF", "696": "MQ", "697": "MQ",
}  # fmt: skip
# Country codes of the overseas departments and territories (ITU-T E.164, list of assigned codes).
_OVERSEAS_CODES = ("262", "508", "590", "594", "596", "681", "687", "689")
_SEPARATORS = re.compile(r"\(0\)|[\s.\-/()\u2010-\u2015]")  # +33 (0)6 …, as on business cards
_COUNTRY_CODE = re.compile(r"[1-9][0-9]{0,2}")  # ITU-T E.164, section 6.2.1
_FRENCH_MOBILE = re.compile(r"33[67]\d{8}")
# Refusals that come with HTTP 200, as the plugins of apprise 2.3.0 log them.
_NAME = re.compile(r"[A-Z_]{3,60}")  # infobip.com/docs/essentials/response-status-and-error-codes
_SFR = re.compile(r"server_error=(?!UNKNOWN)([\w-]{1,40}),")
_CM = re.compile(r"CM\.com did not accept \S+: (?!no reason was given)()")
_SERWERSMS = re.compile(r"API error (\d{1,6}) - ")


@cache  # so that equal options give equal capabilities
def _budget(segments: int, *, unicode: bool) -> Budget:
    """Return a budget of *segments*, measured in letters of GSM 03.38.

    The units of a UCS-2 text are scaled up to these letters. A text of one segment too many never fits, even where only
    an escaped letter at a segment's end makes the difference.
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


@forget_locals_of
class Sms:
    """A sender at an SMS gateway.

    Texts use the alphabet of GSM 03.38, with 160 letters in a segment: `ê` becomes `e`, `’` becomes `'`, emoji are
    removed. With `unicode` they are kept, and a text with one such letter takes more than twice as many segments. A
    text is one SMS of several segments, and is never cut or split.

    Each recipient gets a separate request and has a separate outcome. `capabilities.acceptance` states what a gateway's
    success means. No gateway reports at once that an SMS has arrived.

    Args:
        url: The gateway as an apprise URL (<https://appriseit.com/services/>), with `{recipient}` in place of the
            number: `octopush://{sender}:login@police.example/API-KEY/{recipient}`. `{sender}` stands for the option
            below. A gateway without a plugin is called by `forms://` or `jsons://`. There `{coding}` stands for 0 (GSM
            03.38) or 2 (UCS-2), as Kannel needs it, and `{data_coding}` for 0 or 8, as SMPP does. Percent-encode
            `@ : / ? #` in user and password.
        sender: The sender's name: 3 to 11 letters and digits that the service may use, or its short code.
        country_code: The country of numbers without a country code.
        countries: The country codes to which SMS may go, such as `["33", "32"]`. By default `country_code`, and for
            France its overseas departments and territories. Premium-rate and satellite numbers are refused in any case.
            `1` includes the Caribbean.
        number_format: The gateway's form of numbers: `+` (+33612345678), `00` (0033612345678), `bare` (33612345678).
            Only for a URL that spells the call itself (`forms://`, `jsons://`, `xmls://`).
        segments: The largest number of segments of an SMS. Each is paid for.
        unicode: Keep letters outside GSM 03.38, and pay for them. A URL that spells the call itself then needs
            `{coding}` or `{data_coding}`.
        unencrypted: Allow calls without encryption, in a network of your own.
        timeout: Seconds to wait for a connection, and again for the whole answer.
        clock: The time.

    Raises:
        SettingsError: An option is not valid.
        MissingExtra: The extra `sms` is not installed.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=_budget(_SEGMENTS, unicode=False), recipients=True, hashtags=False, acceptance="unverified"
    )

    def __init__(  # noqa: PLR0913 - the options of a gateway; all named, most with a default
        self,
        *,
        url: SecretStr,
        sender: str = "",
        country_code: str = "33",
        countries: tuple[str, ...] = (),
        number_format: NumberFormat = "auto",
        segments: int = _SEGMENTS,
        unicode: bool = False,
        unencrypted: bool = False,
        timeout: float = 10.0,
        clock: Clock,
    ) -> None:
        if not all(map(find_spec, ("apprise", "phonenumbers", "requests"))):
            raise MissingExtra("The network 'sms'", "sms")
        if not _COUNTRY_CODE.fullmatch(country_code):
            raise SettingsError("country_code: must be 1 to 3 digits without + and 00, such as '33'")
        if not all(map(_COUNTRY_CODE.fullmatch, countries)):
            raise SettingsError("countries: each must be 1 to 3 digits without + and 00, such as '33'")
        if not 0 < timeout <= _MAX_TIMEOUT:
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
        overseas = _OVERSEAS_CODES if country_code == _FRANCE else ()
        self._countries = frozenset(countries or (country_code, *overseas))
        self._unicode = unicode
        self._unencrypted = unencrypted
        self._timeout = timeout
        self._clock = clock
        self._capabilities = replace(
            self.default_capabilities,
            budget=_budget(segments, unicode=unicode),
            acceptance="verified" if self._gateway.scheme in VERIFIED else "unverified",
        )

    def __repr__(self) -> str:
        return f"Sms({getattr(self, 'account', 'not opened')})"

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of SMS, which has no replies."""
        return self._capabilities

    @property
    def account(self) -> str:
        """The gateway's scheme, its host if known, and the sender's name."""
        return self._gateway.account

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:  # noqa: ARG002 - SMS has no replies
        """Write the text in the alphabet to be sent.

        Raises:
            Refused: It is longer than `segments` allows, or has no letter that can be sent.
        """
        text = post.text if self._unicode else to_gsm(post.text).text.strip()  # removed letters may leave a space
        budget = self._capabilities.budget
        if not text:
            raise Refused("No letter of the text can be written in an SMS.", remedy="Set unicode = true, or reword it.")
        if not budget.fits(text):
            used, limit = budget.usage(text)
            raise Refused(
                f"The text takes {used} of {limit} characters of SMS ({_describe(text)}).",
                remedy="Shorten it, or allow more segments.",
            )
        return Request(account=self.account, key=post.key, body={"text": text})

    def send_each(self, request: Request, recipients: Iterable[Recipient]) -> Iterator[RecipientOutcome]:
        """Send the text to each recipient, in a separate request.

        Raises:
            Blocked: The gateway rejects our credentials, does not exist, has no credit, or refuses all recipients.
            Unavailable: It cannot be reached, asks us to wait, or twice in a row gives no answer.
        """
        text = str(request.body["text"])
        served, doubts, pending = False, 0, list[RecipientOutcome]()
        for recipient in recipients:
            try:
                number = e164(recipient.address, self._country_code, self._countries)
            except BadNumber as problem:
                yield RecipientOutcome(key=recipient.key, outcome="refused", reason=str(problem))
                continue
            error = self._deliver(number, text)
            match error:
                case Unconfirmed():
                    doubts += 1
                    yield _outcome(recipient, error)
                    if doubts == _MAX_DOUBTS:
                        raise Unavailable(f"{_GATEWAY} does not answer.", code=error.code)
                    continue
                case Refused() if not served:
                    pending.append(_outcome(recipient, error))  # until it is clear whether it concerns all
                    if len(pending) == _SUSPECTED:
                        raise _refused_for_all(error)
                case None | Refused():
                    served = True
                    yield _outcome(recipient, error)
                    while pending:
                        yield pending.pop()
                case _:
                    raise error
            doubts = 0
        yield from pending

    def spell(self, address: str) -> str:
        """Return a number in E.164, or unchanged if it is not a number.

        The journal identifies recipients by this form, so that one person in two spellings gets one message.
        """
        try:
            return e164(address, self._country_code)
        except BadNumber:
            return address

    def whoami(self) -> Account:
        """Check the URL with apprise, and that the gateway can be reached. Sends nothing.

        apprise cannot check the credentials of a gateway without sending an SMS.

        Raises:
            Blocked: apprise cannot read the URL, or the call would not be safe.
            Unavailable: The gateway cannot be reached.
        """
        with import_lock():
            from policenotify.networks._apprise.client import reach  # noqa: PLC0415 - loads apprise

        service = self._service(_FICTITIOUS, "")
        if len(targets := _targets(service)) > 1:
            raise Blocked(
                "The channel's url names telephone numbers.",
                remedy="Remove them, and write them in `recipients`. Then: policenotify doctor",
            )
        if not targets:
            raise Blocked(
                "apprise finds no telephone number where the channel's url has {recipient}.",
                remedy=f"Write it as described at {service.setup_url}, then: policenotify doctor",
            )
        reach(service, timeout=self._timeout, where=_GATEWAY)
        return Account(id=self.account, name=str(service.service_name))

    def close(self) -> None:
        """Do nothing: no connection is kept open."""

    def _service(self, number: str, text: str) -> Any:  # noqa: ANN401 - each plugin has its own fields
        with import_lock():
            from policenotify.networks._apprise.client import open_service  # noqa: PLC0415 - loads apprise

        counted = sms(text)
        url = self._gateway.url_for(number, gsm=counted.encoding == "GSM-7", segments=counted.segments)
        return open_service(url, timeout=self._timeout, unencrypted=self._unencrypted)

    def _deliver(self, number: str, text: str) -> ChannelError | None:
        """Return the error, or `None` if the gateway accepted the text."""
        with import_lock():
            from policenotify.networks._apprise.client import send  # noqa: PLC0415 - loads apprise

        service = self._service(number, text)
        if not _targets(service):
            return Refused("apprise takes no telephone numbers of this length.")
        reader = _READERS.get(self._gateway.scheme, lambda _: None)
        return send(service, text, where=_GATEWAY, now=self._clock.now(), reader=reader)


def _targets(service: Any) -> list[object]:  # noqa: ANN401 - see _service
    """Return the recipients of a service, or one if the URL spells the call."""
    return list(getattr(service, "targets", [True]) or [])


def _outcome(recipient: Recipient, error: ChannelError | None) -> RecipientOutcome:
    if error is None:
        return RecipientOutcome(key=recipient.key, outcome="posted")
    outcome: Literal["refused", "unconfirmed"] = "refused" if isinstance(error, Refused) else "unconfirmed"
    return RecipientOutcome(key=recipient.key, outcome=outcome, code=error.code, reason=error.reason)


def _refused_for_all(error: Refused) -> Blocked:
    return Blocked(
        f"{_GATEWAY} refuses the message for all recipients. Its last answer: {error.reason}",
        code=error.code,
        remedy="Check sender, credit and text in the gateway's console, then: policenotify doctor",
    )


class BadNumber(ValueError):
    """A number that cannot get SMS. The text gives the reason without the number."""


def e164(number: str, country_code: str, countries: Collection[str] = ()) -> str:
    """Return a number as `+33612345678` (ITU-T E.164).

    Args:
        number: As people write it: `06 12 34 56 78`, `+33 (0)6.12.34.56.78`, `0033612345678`.
        country_code: The country of numbers without a country code: `33`.
        countries: The country codes that are allowed. Empty: all.

    Raises:
        BadNumber: It cannot be a number that gets SMS.
    """
    import phonenumbers  # noqa: PLC0415 - only this extra needs it

    text = re.sub(r"^00", "+", _SEPARATORS.sub("", number))
    if not re.fullmatch(r"\+?[0-9]+", text):
        raise BadNumber("This is not a telephone number.")
    if country_code == _FRANCE and _FRENCH_MOBILE.fullmatch(text):
        text = f"+{text}"
    if not text.startswith(("+", "0")):
        raise BadNumber("This number has neither a country's code nor a 0 in front. Write it as +33639980001.")
    region = phonenumbers.region_code_for_country_code(int(country_code))
    if country_code == _FRANCE and text.startswith("0"):
        region = _OVERSEAS.get(text[1:4], region)
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed and parsed.country_code == int(_FRANCE) and not _FRENCH_MOBILE.fullmatch(f"33{parsed.national_number}"):
        raise BadNumber("This is not a French mobile number (06 or 07 and eight digits): it receives no SMS.")
    if not parsed or not phonenumbers.is_possible_number(parsed):
        raise BadNumber("This telephone number is too short, too long, or has no country's code.")
    _refuse_expensive(parsed, countries)
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _refuse_expensive(parsed: PhoneNumber, countries: Collection[str]) -> None:
    """Refuse numbers that cost the sender, and earn their owner, far more than an SMS."""
    import phonenumbers  # noqa: PLC0415 - only this extra needs it

    code = parsed.country_code
    if code != int(_FRANCE):  # whose numbers are mobile ones here
        kind = phonenumbers.number_type(parsed)
        if kind in {phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST}:
            raise BadNumber("This is a premium-rate number: nothing is sent to it.")
    if code is None or phonenumbers.region_code_for_country_code(code) == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY:
        raise BadNumber("This is a satellite or international number: nothing is sent to it.")
    if countries and str(code) not in countries:
        raise BadNumber(
            f"The country code {code} is not in the channel's `countries`. Add it there if this person is to get SMS."
        )


def _refused(code: str = "") -> Refused:
    return Refused("The SMS gateway refused the message for this person.", code=code)


def _log_reader(pattern: re.Pattern[str]) -> ReplyReader:
    """Return a reader of refusals in the log; the pattern's group is the code."""

    def read(log: CapturedLog) -> Refused | None:
        match = next(filter(None, map(pattern.search, log.messages)), None)
        return _refused(match[1]) if match else None

    return read


def _infobip(log: CapturedLog) -> Refused | None:
    if log.status != 200:  # noqa: PLR2004 - the plugin complains of a 200 only if a refusal is in it
        return None
    try:
        name = str(json.loads(log.body)["messages"][0]["status"]["name"])
    except (ValueError, LookupError, TypeError):  # apprise quotes at most 2000 bytes
        name = ""
    return _refused(name if _NAME.fullmatch(name) else "")


_READERS: Final[Mapping[str, ReplyReader]] = {
    "cm": _log_reader(_CM),
    "infobip": _infobip,
    "serwersms": _log_reader(_SERWERSMS),
    "sfr": _log_reader(_SFR),
}
