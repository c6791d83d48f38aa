"""URLs of apprise, and the senders, numbers and codings of its SMS gateways.

The facts are from the plugins of apprise 2.3.0 (`apprise/plugins/<name>.py`). `alpha` senders were tried.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, unquote

from policenotify.errors import SettingsError
from policenotify.translation import Text

GENERIC: Final = frozenset({"form", "forms", "json", "jsons", "xml", "xmls"})
"""Schemes whose URL spells the whole call, so that only the installation knows the service."""

_URL = re.compile(r"(?P<scheme>[A-Za-z0-9_.+-]+)://(?P<authority>[^/?]*)[^?]*(\?(?P<query>.*))?", re.DOTALL)
# Options that policenotify decides.
_RESERVED = frozenset({"overflow", "retry", "wait", "optional", "tag", "redirect", "cto", "rto"})


@dataclass(frozen=True, slots=True)
class ServiceUrl:
    """A parsed apprise URL.

    Attributes:
        scheme: In lower case.
        user: The part before `@` and before the password.
        has_password: A password follows the user.
        host: The part in its place, which is a token for many services.
        options: The query, with names in lower case.
    """

    scheme: str
    user: str = field(repr=False)
    has_password: bool
    host: str = field(repr=False)
    options: dict[str, str] = field(repr=False)


def scheme_of(url: str) -> str:
    """Return the part before `://` in lower case."""
    return url.partition("://")[0].strip().lower()


def read(url: str, *, example: str) -> ServiceUrl:
    """Parse an apprise URL. *example* is a correct one for the error text.

    Raises:
        SettingsError: It cannot be parsed, is not secure, or sets an option that policenotify decides.
    """
    match = _URL.fullmatch(url)
    if match is None or not url.isprintable():
        raise SettingsError(Text("url: is not an apprise URL. Write it like this: {example}", example=example))
    user, _, host = match["authority"].rpartition("@")
    options = {
        unquote(name).lower(): unquote(value)
        for name, _, value in (each.partition("=") for each in (match["query"] or "").split("&") if each)
    }
    if useless := sorted(options.keys() & _RESERVED):
        raise SettingsError(
            Text(
                "url: {useless} has no effect. Remove it; `timeout` is an option of the channel.",
                useless=", ".join(useless),
            )
        )
    if options.get("verify", "yes").lower() not in {"yes", "true", "on", "1"}:
        raise SettingsError(
            Text(
                "url: verify=no would send passwords to any server that answers in the service's place. "
                "Remove it; for an authority of your own, name its certificate in REQUESTS_CA_BUNDLE."
            )
        )
    return ServiceUrl(
        scheme=match["scheme"].lower(),
        user=unquote(user.partition(":")[0]),
        has_password=":" in user,
        host=unquote(re.sub(r":\d+\Z", "", host)).lower(),
        options=options,
    )


NumberFormat = Literal["auto", "+", "00", "bare"]
"""The form of numbers: `+33612345678`, `0033612345678`, `33612345678`; `auto`: the usual one of the gateway."""

EXAMPLE: Final = "octopush://{sender}:login@police.example/API-KEY/{recipient}"

SCHEMES: Final = frozenset(
    {
        "46elks", "atalk", "bulksms", "bulkvs", "burstsms", "clickatell", "clicksend", "cm", "d7sms", "eight00com",
        "elks", "exotel", "httpsms", "infobip", "kaleyra", "kavenegar", "klr", "kudosity", "mobilemessage",
        "mobilemsg", "msg91", "msgbird", "nexmo", "notifyre", "octopush", "plivo", "ringc", "serwersms", "seven",
        "sfr", "sinch", "smpp", "smpps", "smsc", "smseagle", "smseagles", "smsmanager", "smsmgr", "smstunnel", "sns",
        "telesign", "telnyx", "twilio", "voipms", "vonage",
    }
)  # fmt: skip
"""Schemes of SMS gateways."""

VERIFIED: Final = frozenset({"cm", "infobip", "serwersms", "sfr"})
"""Gateways whose plugin reads the result for each number from the answer.

The others use the HTTP status. Seven, vonage, clicksend, 46elks and smpp are known to refuse with a success; octopush,
`form://` and `json://` report nothing about a number.
"""

_AT_HOST = GENERIC | {"infobip", "smseagle", "smseagles"}  # where the host is a host, not a token
_OWN_NAME = frozenset({"cm", "octopush"})  # without a sender the plugin uses the program's name
_NUMBERS_ONLY = frozenset({"msgbird", "nexmo", "plivo", "smpp", "smpps", "telnyx", "vonage"})
_NUMBERS_OR_SHORT = frozenset({"sinch", "twilio"})
_NO_NAMES = _NUMBERS_ONLY | _NUMBERS_OR_SHORT | {"bulksms", "clickatell", "clicksend", "sns", "telesign"}
MOST_SEGMENTS: Final = 8  # octopush and cm take 1224 letters: eight of 153
_CODING = "{coding}"
_CODING_FIELD = re.compile(r"[:-](coding|data[_-]?coding|dcs)")  # in the form (`:`) or the query (`-`)
_WRITE_CODING = Text('Write :coding={{coding}} for Kannel (0 or 2), or :coding=0 with accents = "fold" for jasmin')
_SENDERS = ("from", "sender", "source", ":from", ":sender", ":source")

_SHORT_CODE = re.compile(r"3[68]\d{3}")  # AF2M: 36xxx and 38xxx
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{3,11}")  # 3GPP TS 23.040, section 9.1.2.5; AF2M's charter of senders
_BLOCKED_NAMES = frozenset({"ALERT", "INFO", "NOTICE"})  # AF2M blocks generic words since 10 March 2025


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway of the settings.

    Attributes:
        scheme: apprise's name for it.
        account: The account without a secret: scheme, host if it is one, sender if it is a name.
        template: The URL with its placeholders and with the sender.
        number_format: The form of its numbers.
    """

    scheme: str
    account: str
    template: str = field(repr=False)
    number_format: NumberFormat

    def url_for(self, number: str, *, gsm: bool, segments: int, fields: Sequence[tuple[str, str]] = ()) -> str:
        """Return the URL that sends one text.

        Args:
            number: In E.164.
            gsm: The text is in the alphabet of GSM 03.38.
            segments: The number of its segments.
            fields: Further names and values, for a URL that spells the call itself.
        """
        form = self.number_format
        written = number if form == "+" else f"{'00' if form == '00' else ''}{number[1:]}"
        url = self.template.replace("{recipient}", quote(written))
        for name, value in fields:
            url = _with(url, f":{quote(name, safe='')}={quote(value, safe='')}")
        url = url.replace(_CODING, "0" if gsm else "2")
        if self.scheme == "sfr":  # its default takes 70 letters
            return _with(url, f"media=SMS{'' if gsm else 'Unicode'}{'Long' if segments > 1 else ''}")
        if self.scheme == "bulksms":  # its default costs double
            return _with(url, f"unicode={'no' if gsm else 'yes'}")
        return url


def gateway(url: str, *, sender: str, country_code: str, number_format: NumberFormat, keeps_accents: bool) -> Gateway:
    """Return the gateway of a URL, after all checks that need no network.

    Raises:
        SettingsError: An option is not valid. The text names the option, and never a secret.
    """
    parts = read(url, example=EXAMPLE)
    scheme, generic = parts.scheme, parts.scheme in GENERIC
    if scheme == "freemobile":
        raise SettingsError(Text("url: freemobile reaches only its owner's line. Use the network 'apprise' for it."))
    if url.count("{recipient}") != 1:
        raise SettingsError(
            Text("url: write {{recipient}} once, where the person's number belongs: {example}", example=EXAMPLE)
        )
    if sender and "{sender}" not in url:
        raise SettingsError(
            Text("sender: the url has no {{sender}} for it. Write it there: {example}", example=EXAMPLE)
        )
    if not sender and "{sender}" in url:
        raise SettingsError(Text("sender: is missing; the url has a {{sender}} for it"))
    if not generic and number_format not in {"auto", "+"}:
        raise SettingsError(Text("number_format: apprise formats the numbers for {scheme}. Remove it", scheme=scheme))
    name = sender or _visible_sender(parts)
    _check_sender(scheme, name, country_code)
    _check_coding(parts, keeps_accents=keeps_accents, has_coding=_CODING in url)
    host = parts.host if scheme in _AT_HOST else ""
    public_name = name if re.search("[A-Za-z]", name) or _SHORT_CODE.fullmatch(name) else ""
    return Gateway(
        scheme=scheme,
        account=" ".join(filter(None, (scheme, host, public_name))),
        template=url.replace("{sender}", quote(sender, safe="")),
        # Kannel and similar gateways behind a form want digits only, all others E.164.
        number_format=("bare" if scheme in {"form", "forms"} else "+") if number_format == "auto" else number_format,
    )


def _visible_sender(parts: ServiceUrl) -> str:
    if sender := next((parts.options[name] for name in _SENDERS if parts.options.get(name)), ""):
        return sender
    # octopush://sender:login@…; without a sender the user is the login
    return parts.user if parts.scheme == "cm" or (parts.scheme == "octopush" and parts.has_password) else ""


def _check_sender(scheme: str, sender: str, country_code: str) -> None:
    french, short = country_code == "33", bool(_SHORT_CODE.fullmatch(sender))
    if french and (scheme in _NUMBERS_ONLY or (scheme in _NUMBERS_OR_SHORT and not short)):
        also = Text(" or short codes") if scheme in _NUMBERS_OR_SHORT else ""
        raise SettingsError(
            Text(
                "url: apprise's {scheme} takes only telephone numbers{also} as sender, and in France no "
                "service may send from a 06 or 07 number (ARCEP 2018-0881). Use another gateway: octopush, "
                "cm, infobip, sfr, forms://",
                scheme=scheme,
                also=also,
            )
        )
    if not sender:
        if scheme in _OWN_NAME:
            raise SettingsError(Text("sender: is missing; {scheme} would use the program's name", scheme=scheme))
        return
    if scheme in _NO_NAMES and re.search("[A-Za-z]", sender):
        raise SettingsError(
            Text("sender: apprise's {scheme} supports no names. Remove it, or use another gateway", scheme=scheme)
        )
    if short or (not french and re.fullmatch(r"\+?\d{3,15}", sender)):
        return
    if not _NAME.fullmatch(sender):
        raise SettingsError(
            Text(
                "sender: must be 3 to 11 letters and digits without space or accent, one letter at least, "
                "such as 'POLICE34', or a short code 36xxx or 38xxx; 06 and 07 numbers may not send in "
                "France (ARCEP 2018-0881)"
            )
        )
    if french and sender.upper() in _BLOCKED_NAMES:
        raise SettingsError(
            Text(
                "sender: French operators block {sender!r} as too general. Name the service: 'POLICE34'", sender=sender
            )
        )


def passes_coding(url: str) -> bool:
    """Return True if a gateway is known to get the coding of each message."""
    return url.partition("://")[0].lower() not in GENERIC or _CODING in url


def _check_coding(parts: ServiceUrl, *, keeps_accents: bool, has_coding: bool) -> None:
    fixed = {"sfr": "media", "bulksms": "unicode"}.get(parts.scheme, "")
    if fixed in parts.options:
        raise SettingsError(
            Text("url: {fixed} is chosen for each message. Remove it; see `segments` and `accents`", fixed=fixed)
        )
    for name, coding in parts.options.items():
        if _CODING_FIELD.fullmatch(name) and coding != _CODING and (keeps_accents or coding != "0"):
            raise SettingsError(
                Text("url: {name}= must follow each message. {write_coding}", name=name, write_coding=_WRITE_CODING)
            )
    if keeps_accents and parts.scheme in GENERIC and not has_coding:
        raise SettingsError(
            Text(
                "accents: the url does not pass the coding of each message. {write_coding}", write_coding=_WRITE_CODING
            )
        )


def _with(url: str, option: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{option}"
