"""SMS through a gateway of apprise: one post, many recipients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr

from policenotify.channel import (
    Account,
    Capabilities,
    Post,
    PostRef,
    ReadReceipt,
    Recipient,
    RecipientOutcome,
    Request,
    Services,
)
from policenotify.errors import Blocked, ChannelError, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.model.channel_settings import BySeverity, by_severity
from policenotify.networks import require
from policenotify.networks._apprise import load_service
from policenotify.networks._apprise.answers import judge
from policenotify.networks._apprise.url import GENERIC, MOST_SEGMENTS, VERIFIED, NumberFormat, gateway, passes_coding
from policenotify.networks._http import AnswerRule
from policenotify.networks.options import CallSeconds, ChannelOptions
from policenotify.networks.sms.numbers import FRANCE, OVERSEAS_CODES, BadNumber, e164
from policenotify.networks.sms.receipts import GatewayName, UnreadableReceipt, read_receipt, request_fields
from policenotify.text import Budget, find_losses, sms, to_gsm
from policenotify.text.sms import SEVERAL, SINGLE, accented
from policenotify.translation import Text, text_of
from policenotify.transport import is_secure_url

_WHERE = Text("The SMS gateway")  # in error texts
_FICTITIOUS = "+33639980001"  # ARCEP reserves 06 39 98 00 00 to 99 for fiction; it is never called
_PARALLEL = 5
_FEWEST_MARKED = 3  # as many refusals show that the gateway refuses everybody
_MOST_PARALLEL = 32  # each is a thread and a connection
_PERSON = "{token}"  # in receipt_url
_RECEIPT_EXAMPLE = "https://alerte.police.example/dlr/sms/{token}"
_SEGMENTS = 3


_REFUSED: Final = Text("The SMS gateway refused the message for this person.")
_SILENT: Final = Text("The answer of the SMS gateway does not show whether it took the message for this person.")

_PERSONAL: Final[Mapping[str, tuple[AnswerRule, ...]]] = {
    "cm": (
        AnswerRule(Unconfirmed, _SILENT, phrases=(": no reason was given",)),
        AnswerRule(Refused, _REFUSED, phrases=("cm.com did not accept ",)),
    ),
    # The plugin complains of a status 200 only if a refusal is in it.
    # infobip.com/docs/essentials/response-status-and-error-codes
    "infobip": (AnswerRule(Refused, _REFUSED, statuses={200}),),
    "serwersms": (AnswerRule(Refused, _REFUSED, phrases=("api error ",)),),
    "sfr": (
        AnswerRule(Unconfirmed, _SILENT, phrases=("server_error=unknown",)),
        AnswerRule(Refused, _REFUSED, phrases=("server_error=",)),
    ),
}
"""What answers mean for one person, as the plugins of apprise 2.3.0 log them."""


def _country_code(code: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", code):  # ITU-T E.164, section 6.2.1
        raise SettingsError(Text("must be 1 to 3 digits without + and 00, such as '33'"))
    return code


CountryCode = Annotated[str, AfterValidator(_country_code)]

Accents: TypeAlias = Literal["keep", "fold"]
"""What becomes of letters outside GSM 03.38: kept and paid for, or written without their accents."""

_ALL_FOLDED: Final[BySeverity[Accents]] = BySeverity(severe="fold", minor="fold")
DEFAULT_ACCENTS: Final[BySeverity[Accents]] = BySeverity(severe="keep", minor="fold")


@cache  # so that equal options give equal capabilities
def _budget(segments: int, accents: Accents) -> Budget:
    """Return a budget of *segments*, measured in letters of GSM 03.38.

    The units of a UCS-2 text are scaled up to these letters. A text of one segment too many never fits, even where only
    an escaped letter at a segment's end makes the difference.
    """
    holds = {code: SINGLE[code] if segments == 1 else SEVERAL[code] * segments for code in SINGLE}
    limit = holds["GSM-7"]

    def measure(text: str) -> int:
        counted = sms(spell(text))
        units = -(-counted.units * limit // holds[counted.encoding])
        return min(units, limit) if counted.segments <= segments else max(units, limit + 1)

    def spell(text: str) -> str:
        return accented(text, segments) if accents == "keep" else to_gsm(text)

    losses = find_losses if accents == "fold" else None
    return Budget(limit, measure, transliterate=spell, find_losses=losses, describe=_describe, price=_price)


def _price(text: str) -> int:
    return sms(text).segments


def _describe(text: str) -> Text:
    """Return the price of a text, and what it would be without accents: `UCS-2, 2 segments (1 without accents)`."""
    counted, folded = sms(text), _price(to_gsm(text))
    price = Text.counted(
        "{encoding}, {count} segment", "{encoding}, {count} segments", count=counted.segments, encoding=counted.encoding
    )
    if not 0 < folded < counted.segments:
        return price
    return Text("{price} ({folded} without accents)", price=price, folded=folded)


class Sms:
    """A sender at an SMS gateway.

    Texts use the alphabet of GSM 03.38, with 160 letters in a segment: `ê` becomes `e`, `’` becomes `'`, emoji are
    removed. With `accents = "keep"`, as by default from severity Severe on, a text with one such letter stays as it is,
    if `segments` is enough for it. It then takes more than twice as many segments. A text is one SMS of several
    segments, and is never cut or split.

    Each recipient has a separate request and outcome. `capabilities.acceptance` states what a gateway's success means.
    No gateway reports at once that an SMS has arrived.

    Raises:
        SettingsError: An option is not valid for the gateway.
        MissingExtra: The extra `sms` is not installed.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=_budget(_SEGMENTS, DEFAULT_ACCENTS.minor),
        severe_budget=_budget(_SEGMENTS, DEFAULT_ACCENTS.severe),
        recipients=True,
        hashtags=False,
        calls_at_once=_PARALLEL,
        people_per_chunk=_PARALLEL,
        acceptance="unverified",
    )

    class Options(ChannelOptions):
        """A sender and its gateway."""

        url: SecretStr
        """The gateway as an apprise URL (<https://appriseit.com/services/>), with `{recipient}` in place of the number:
        `octopush://{sender}:login@police.example/API-KEY/{recipient}`. `{sender}` stands for the option below. A
        gateway without a plugin is called by `forms://` or `jsons://`. There `{coding}` stands for 0 (GSM 03.38) or 2
        (UCS-2), as Kannel needs it. Percent-encode `@ : / ? #` in user and password."""
        sender: str = ""
        """The sender's name: 3 to 11 letters and digits that the service may use, or its short code."""
        country_code: CountryCode = "33"
        """The country of numbers without a country code."""
        countries: tuple[CountryCode, ...] = ()
        """The country codes to which SMS may go, such as `["33", "32"]`. By default `country_code`, and for France its
        overseas departments and territories. Premium-rate and satellite numbers are refused in any case. `1` includes
        the Caribbean."""
        number_format: NumberFormat = "auto"
        """The gateway's form of numbers: `+` (+33612345678), `00` (0033612345678), `bare` (33612345678). Only for a URL
        that spells the call itself (`forms://`, `jsons://`, `xmls://`)."""
        segments: Annotated[int, Field(ge=1, le=MOST_SEGMENTS)] = _SEGMENTS
        """The largest number of segments of an SMS. Each is paid for."""
        accents: Annotated[Accents | BySeverity[Accents] | None, *by_severity(DEFAULT_ACCENTS, "keep", "fold")] = None
        """Whether to `keep` the letters that GSM 03.38 lacks (ê, ç, î, œ, À) and pay for them, or to `fold` them into
        others: one choice for every message, or one by severity. By default they are kept from severity Severe on. A
        URL that spells the call itself needs `{coding}` to keep them."""
        parallel: Annotated[int, Field(ge=1, le=_MOST_PARALLEL)] = _PARALLEL
        """Requests in flight at once, 1 to 32. They share the channel's `rate`. So many people can be in doubt after a
        crash."""
        receipt_url: str = ""
        """The address for delivery receipts, with `{token}` in place of what names person and post:
        `https://alerte.police.example/dlr/sms/{token}`. For a URL that spells the call itself."""
        receipt_format: GatewayName | None = None
        """The gateway whose receipts those are."""
        unencrypted: bool = False
        """Allow calls without encryption, in a network of your own."""
        timeout: CallSeconds = 10.0
        """Seconds to wait for a connection, and again for the answer."""

    def __init__(self, options: Options, services: Services) -> None:
        require("sms", "apprise", "phonenumbers", "requests")
        self._options = options
        country_code, segments, parallel = options.country_code, options.segments, options.parallel
        url, chosen = options.url.get_secret_value(), options.accents
        if not isinstance(chosen, BySeverity):
            chosen = DEFAULT_ACCENTS if passes_coding(url) else _ALL_FOLDED
        self._keeps = "keep" in {chosen.severe, chosen.minor}
        self._gateway = gateway(
            url,
            sender=options.sender,
            country_code=country_code,
            number_format=options.number_format,
            keeps_accents=self._keeps,
        )
        self.account: str = self._gateway.account
        _check_receipts(
            options.receipt_url, options.receipt_format, self._gateway.scheme, unencrypted=options.unencrypted
        )
        overseas = OVERSEAS_CODES if country_code == FRANCE else ()
        self._countries = frozenset(options.countries or (country_code, *overseas))
        self._clock = services.clock
        self.capabilities: Capabilities = replace(
            self.default_capabilities,
            budget=_budget(segments, chosen.minor),
            severe_budget=None if chosen.severe == chosen.minor else _budget(segments, chosen.severe),
            calls_at_once=parallel,
            people_per_chunk=max(parallel, _FEWEST_MARKED),
            acceptance="verified" if self._gateway.scheme in VERIFIED else "unverified",
        )

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:  # noqa: ARG002 - SMS has no replies
        """Write the text in the alphabet to be sent.

        Raises:
            Refused: It is longer than `segments` allows, or has no letter that can be sent.
        """
        # The wording of a message below Severe is folded already, if only the others keep their accents.
        budget = _budget(self._options.segments, "keep" if self._keeps else "fold")
        text = (budget.transliterate or str)(post.text).strip()  # removed letters may leave a space
        if not text:
            remedy = Text('Set accents = "keep", or reword it.')
            raise Refused(Text("No letter of the text can be written in an SMS."), remedy=remedy)
        if not budget.fits(text):
            used, limit = budget.usage(text)
            raise Refused(
                Text(
                    "The text takes {used} of {limit} characters of SMS ({describe}).",
                    used=used,
                    limit=limit,
                    describe=_describe(text),
                ),
                remedy=Text("Shorten it, or allow more segments."),
            )
        return Request(account=self.account, key=post.key, body={"text": text})

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        """Send the text to each person, in a request of its own.

        Raises:
            Blocked: The gateway rejects our credentials, does not exist, or has no credit.
            Unavailable: It cannot be reached, or asks us to wait.
        """
        return [self._send_one(str(request.body["text"]), person) for person in people]

    def _send_one(self, text: str, person: Recipient) -> RecipientOutcome:
        try:
            number = e164(person.address, self._options.country_code, self._countries)
        except BadNumber as problem:
            return RecipientOutcome(key=person.key, outcome="refused", reason=text_of(problem), personal=True)
        error = self._deliver(text, number, person.token("receipt") if self._options.receipt_url else "")
        if error is None:
            return RecipientOutcome(key=person.key, outcome="posted")
        if isinstance(error, Blocked | Unavailable):
            raise error  # it concerns everybody
        outcome: Literal["refused", "unconfirmed"] = "refused" if isinstance(error, Refused) else "unconfirmed"
        return RecipientOutcome(key=person.key, outcome=outcome, code=error.code, reason=error.reason)

    def read_receipt(self, body: bytes, query: str) -> ReadReceipt:
        """Read a delivery receipt of the gateway. See `SupportsReceipts`."""
        if self._options.receipt_format is None:
            raise UnreadableReceipt(Text("The channel asks for no receipts."))
        return read_receipt(self._options.receipt_format, body, query)

    def spell(self, address: str) -> str:
        """Return a number in E.164, or unchanged if it is not a number.

        The journal identifies recipients by this form, so that one person in two spellings gets one message.
        """
        try:
            return e164(address, self._options.country_code)
        except BadNumber:
            return address

    def whoami(self) -> Account:
        """Check the URL with apprise, and that the gateway can be reached. Sends nothing.

        apprise cannot check the credentials of a gateway without sending an SMS.

        Raises:
            Blocked: apprise cannot read the URL, or the call would not be safe.
            Unavailable: The gateway cannot be reached.
        """
        service = self._service(_FICTITIOUS, "")
        if len(_targets(service)) != 1:
            raise Blocked(
                Text("apprise does not find one telephone number, where the channel's url has {{recipient}}."),
                remedy=Text(
                    "Write it as described at {setup_url}, then: policenotify doctor", setup_url=service.setup_url
                ),
            )
        load_service().reach(service, timeout=self._options.timeout, where=_WHERE)
        return Account(id=self.account, name=str(service.service_name))

    def close(self) -> None:
        """Nothing stays open."""

    def _service(self, number: str, text: str, receipt_token: str = "") -> Any:  # noqa: ANN401 - each plugin has its own fields
        counted, options = sms(text), self._options
        address = options.receipt_url.replace(_PERSON, receipt_token)
        fields = request_fields(options.receipt_format, address) if options.receipt_format and receipt_token else ()
        url = self._gateway.url_for(number, gsm=counted.encoding == "GSM-7", segments=counted.segments, fields=fields)
        return load_service().open_service(url, timeout=options.timeout, unencrypted=options.unencrypted)

    def _deliver(self, text: str, number: str, receipt_token: str) -> ChannelError | None:
        """Return the error of a call, about the person or about the whole call; `None` if it accepted the text."""
        service = self._service(number, text, receipt_token)
        if not _targets(service):
            return Refused(Text("apprise takes no telephone numbers of this length."))
        answer, now = load_service().send(service, text), self._clock.now()
        rules = _PERSONAL.get(self._gateway.scheme, ())
        if rule := next((each for each in rules if each.fits(answer.http)), None):
            return rule.judgement(answer.http, now=now)
        return None if answer.accepted else judge(answer, where=_WHERE, now=now)


def _check_receipts(url: str, form: GatewayName | None, scheme: str, *, unencrypted: bool) -> None:
    """Refuse an address that cannot be asked for, or that would show the tokens to the network.

    Raises:
        SettingsError: One of the two options is not valid.
    """
    if bool(url) != bool(form):
        raise SettingsError(Text("receipt_url: give both receipt_url and receipt_format, or neither"))
    if url and scheme not in GENERIC:
        raise SettingsError(
            Text(
                "receipt_url: apprise cannot pass it to {scheme}. Remove it, and set the address in the "
                "gateway's console",
                scheme=scheme,
            )
        )
    secure = unencrypted or is_secure_url(url.replace(_PERSON, "x"))
    if url and (url.count(_PERSON) != 1 or not url.isprintable() or set(" ?#%") & set(url) or not secure):
        raise SettingsError(
            Text(
                "receipt_url: write it with https://, with {person} once, and without ? # and %: {receipt_example}",
                person=_PERSON,
                receipt_example=_RECEIPT_EXAMPLE,
            )
        )


def _targets(service: Any) -> list[object]:  # noqa: ANN401 - see _service
    """Return the recipients of a service, or one if the URL spells the call."""
    return list(getattr(service, "targets", [True]) or [])
