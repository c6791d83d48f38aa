"""E-mails as bytes that any server accepts.

Everything is 7-bit, and no line is longer than 998 octets (RFC 5321, section 4.5.3.1.6; RFC 5322, section 2.1.1), so
that no extension of the server is needed. Header lines are written here, because older releases of `EmailMessage`
decode encoded words and then write the line breaks hidden in them (CVE-2024-6923). `EmailMessage` makes the body.
Unlike `MIMEText` it ignores the process-wide table of `email.charset`, which apprise changes.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import policy
from email.message import MIMEPart
from email.utils import format_datetime
from hashlib import sha256
from typing import Self
from urllib.parse import quote

from policenotify.channel import Picture, Post, Recipient
from policenotify.errors import SettingsError
from policenotify.text.budget import grapheme_ends
from policenotify.text.wrap import wrap

_WIDTH = 78  # RFC 5322, section 2.1.1: recommended line length
# Octets in an encoded word: three take four characters, a word has at most 75 and its line 76 (RFC 2047, section 2).
# The first word follows the header's name.
_NEXT_WORDS = 45
_FIRST_WORD = 39
_FIRST_OF_A_PART = 30  # after `Content-Description`, the longest name
_NOT_IN_A_LINE = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")  # also spaces, but not no-break spaces
_NOT_IN_A_BODY = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SUFFIX = ".example"
_LOCAL = 64  # octets
_TOKEN = 57  # of a token with the plus before it, see `Recipient.token`
_TOKEN_PLACE = "{token}"  # noqa: S105 - not a secret
# Most addresses are certainly valid: a plain local part, and a domain without A-labels. A part of one that is no longer
# than this keeps the limit of 63 octets (RFC 1035, section 2.3.4) or 64 (RFC 5321, section 4.5.3.1.1).
_PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,}")
_PLAIN_LENGTH = 64
_POST_KEY = re.compile(r"[0-9a-f]{64}")
_ENCODED_LINE = 76  # characters: RFC 2045, section 6.7, rule 5, and section 6.8
_CONTENT = policy.SMTP.clone(cte_type="7bit", max_line_length=_ENCODED_LINE)
_PERSON, _KEY, _ADDRESS = "\0person", "\0key", "\0address"  # in a template; no header holds NUL
_FLAT = _CONTENT.clone(max_line_length=998)  # the head of a part is not folded


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The sender, or the address for answers.

    Attributes:
        address: In ASCII, as [`ascii_address`][policenotify.networks.email.mime.ascii_address] returns it.
        name: The display name. May be empty.
    """

    address: str
    name: str = ""

    def __str__(self) -> str:
        name = _one_line(self.name)
        if not name:
            return self.address
        plain = name.isascii() and "=?" not in name and len(name) <= _FIRST_WORD
        escaped = re.sub(r'(["\\])', r"\\\1", name)
        return f'"{escaped}" <{self.address}>' if plain else "\r\n ".join([*_words(name), f"<{self.address}>"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderHeaders:
    """The headers that all mails of a channel share.

    Attributes:
        sender: If its name is empty, mails use the post's sender.
        domain: The right-hand side of the Message-IDs.
        reply_to: The address for answers, if not the sender.
        list_id: The list's identifier (RFC 2919), without angle brackets. May be empty.
    """

    sender: Mailbox
    domain: str
    reply_to: Mailbox | None = None
    list_id: str = ""


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """The mailbox to which mails come back, with an address for each person (VERP).

    Attributes:
        local: The part before the @.
        domain: The part behind it.
    """

    local: str
    domain: str

    @classmethod
    def of(cls, address: str) -> Self:
        """Return the mailbox of an address in ASCII.

        Raises:
            SettingsError: No token fits behind it: a local part has 64 octets (RFC 5321, section 4.5.3.1.1).
        """
        local, _, domain = address.rpartition("@")
        if len(local) > _LOCAL - _TOKEN or "+" in local or local.startswith('"'):
            raise SettingsError(f"bounces: write a mailbox without +, of at most {_LOCAL - _TOKEN} characters")
        return cls(local, domain)

    def address(self, recipient: Recipient) -> str:
        """Return the envelope's sender of a mail. Without a journal it is the mailbox itself."""
        token = recipient.token("bounce")
        return f"{self.local}+{token}@{self.domain}" if token else f"{self.local}@{self.domain}"


class BadAddress(ValueError):
    """An address that cannot get mail. The text gives the reason without the address."""


def ascii_address(address: str) -> str:
    """Return a valid address with its domain in lower-case A-labels.

    Raises:
        BadAddress: It is not an address (RFC 5321, section 4.1.2), or its local part needs SMTPUTF8 (RFC 6531), which
            few servers support.
    """
    address = address.strip()
    if len(address) <= _PLAIN_LENGTH and _PLAIN.fullmatch(address):  # email-validator takes a hundred times as long
        local, _, domain = address.rpartition("@")
        return f"{local}@{domain.lower()}"
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - only this extra needs it

    if not address.rpartition("@")[0].isascii():
        raise BadAddress("The part before the @ holds letters that most mail servers do not support.")
    try:
        # The suffix admits names of a local network, such as localhost, which email-validator rejects.
        checked = validate_email(f"{address}{_SUFFIX}", allow_smtputf8=False, check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise BadAddress("This is not an e-mail address.") from None
    return str(checked.ascii_email).removesuffix(_SUFFIX)


def spell(address: str) -> str:
    """Return the one form of an address, in which the journal recognises the person.

    Letters are composed (NFC), the domain is in small letters and A-labels, and has no dot at its end. What is no
    address stays as it is, and is refused when it is sent to.
    """
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    plain = f"{local}{at}{domain.rstrip('.').lower()}"
    if plain.isascii():  # most are, and a list is spelled at each publication
        return plain
    try:
        return ascii_address(plain)
    except BadAddress:
        return plain


def compose(post: Post, headers: SenderHeaders) -> str:
    """Return the mail without personal headers, in ASCII with CR LF."""
    sender = headers.sender
    if not sender.name:
        sender = Mailbox(sender.address, post.sender)
    head = [
        f"From: {sender}",
        _unstructured("Subject", post.title or post.text.partition("\n")[0]),
        f"Date: {format_datetime(post.created_at)}",
        "Auto-Submitted: auto-generated",  # RFC 3834, section 5: no out-of-office replies
        f"Content-Language: {_token(post.language)}",
        "MIME-Version: 1.0",
    ]
    if headers.reply_to:
        head.append(f"Reply-To: {headers.reply_to}")
    if headers.list_id:
        head.append(f"List-Id: <{headers.list_id}>")
    return "\r\n".join(head) + "\r\n" + _content(post)


@dataclass(frozen=True, slots=True, eq=False)
class OutgoingMail:
    """A mail to one recipient.

    Attributes:
        key: The recipient's opaque key.
        sender: The envelope's sender, which gets bounces, in ASCII.
        address: The recipient's address in ASCII.
        content: The whole mail, 7-bit, with CR LF line ends and doubled leading dots (RFC 5321, section 4.5.2).
    """

    key: str
    sender: str
    address: str
    content: bytes

    def __repr__(self) -> str:
        return f"OutgoingMail({self.key[:8]}…)"


class PersonalHead:
    """The header lines that differ between the recipients of a post. A recipient's are always the same.

    Args:
        key: The post's key.
        thread: The keys of our earlier posts of the incident, from the opening to the one to reply to.
        domain: The right-hand side of the Message-IDs.
        unsubscribe: An `https` URL that contains `{token}` or `{recipient}`, or empty.
    """

    def __init__(self, *, key: str, thread: Sequence[str], domain: str, unsubscribe: str) -> None:
        own, *earlier = [f"<{each[:32]}.{_PERSON}@{domain}>" for each in (key, *thread)]
        # In angle brackets: spam filters distrust a mail with an attached picture that has none.
        lines = [f"To: <{_ADDRESS}>", f"Message-ID: {own}"]
        if earlier:  # RFC 5322, section 3.6.4
            lines += [f"In-Reply-To: {earlier[-1]}", "References: " + "\r\n ".join(earlier)]
        self._template = "\r\n".join(lines) + "\r\n"
        self._leave, self._signed = "", _TOKEN_PLACE in unsubscribe
        if unsubscribe:  # RFC 8058, section 3.1; the relay's DKIM signature must cover both (section 4)
            url = unsubscribe.replace("{recipient}", _KEY)
            self._leave = f"List-Unsubscribe: <{url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"

    def of(self, recipient: Recipient, address: str) -> bytes:
        """Return the lines of one recipient, whose address is in ASCII."""
        person = sha256(recipient.key.encode()).hexdigest()[:16]  # valid in an id, whatever the key contains
        leave = self._leave
        if self._signed:  # without a journal there is no token, and no header leads nowhere
            leave = leave.replace(_TOKEN_PLACE, token) if (token := recipient.token("stop")) else ""
        head = (self._template + leave).replace(_PERSON, person)
        if _KEY in leave:
            head = head.replace(_KEY, quote(recipient.key, safe=""))
        return head.replace(_ADDRESS, address).encode("ascii")


def plain(text: str) -> str:
    """Return the plain-text version of a text: wrapped, without control characters."""
    return wrap(_body(text))


def is_post_key(text: str) -> bool:
    """Return True for a post's key, which is valid in a Message-ID."""
    return _POST_KEY.fullmatch(text) is not None


def _content(post: Post) -> str:
    """Return the body: text, alternative and attachments (RFC 2046, 5.1).

    SpamAssassin 4.0 gives 2.1 of 5 points to a picture inside a formatted version of few words. Mail programs show
    attached pictures below the text.
    """
    boundary = f"=_{post.key[:24]}_"  # "=_" occurs in no encoded line (RFC 2045, section 6.7), the key in no other text
    part = MIMEPart(policy=_CONTENT)
    part.set_content(plain(post.text))
    if post.html:
        part.make_alternative(boundary + "1")
        part.add_alternative(_body(post.html), subtype="html")
    text = part.as_bytes(policy=_FLAT).decode("ascii")
    if not post.pictures:
        return text
    parts = [text, *(_attachment(picture, number) for number, picture in enumerate(post.pictures, 1))]
    inside = "".join(f"--{boundary}0\r\n{each}\r\n" for each in parts)
    return f'Content-Type: multipart/mixed; boundary="{boundary}0"\r\n\r\n{inside}--{boundary}0--\r\n'


def _attachment(picture: Picture, number: int) -> str:
    """Return a picture as a part with its description (RFC 2045, section 8; RFC 2183)."""
    kind = picture.media_type.removeprefix("image/")
    head = (
        f"Content-Type: {picture.media_type}",
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment; filename="{number}.{kind}"',
        _unstructured("Content-Description", picture.alt, first=_FIRST_OF_A_PART),
    )
    data = b64encode(picture.data).decode()
    lines = (data[start : start + _ENCODED_LINE] for start in range(0, len(data), _ENCODED_LINE))
    return "\r\n".join((*head, "", *lines))


def _body(text: str) -> str:
    return _NOT_IN_A_BODY.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _unstructured(name: str, text: str, *, first: int = _FIRST_WORD) -> str:
    text = _one_line(text)
    if text.isascii() and "=?" not in text:
        lines = textwrap.wrap(
            f"{name}: {text}", _WIDTH, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False
        )
        # Some programs read a header as empty if nothing follows its name on the line.
        if all(len(line) <= _WIDTH for line in lines) and lines[0] != f"{name}:":
            return "\r\n".join(lines)
    return f"{name}: " + "\r\n ".join(_words(text, first=first))


def _words(text: str, *, first: int = _FIRST_WORD) -> Iterator[str]:
    """Encode a text in encoded words (RFC 2047) that cut no grapheme.

    Only a grapheme that is longer than a word, such as a letter under twenty accents, is cut between its code points.
    """
    word, room = b"", first
    for piece in _whole(text, most=first):
        if len(word) + len(piece) > room:
            yield _encoded(word)
            word, room = b"", _NEXT_WORDS
        word += piece
    yield _encoded(word)


def _whole(text: str, *, most: int) -> Iterator[bytes]:
    """Yield graphemes in UTF-8, or the code points of too long ones."""
    ends = range(1, len(text) + 1) if text.isascii() else grapheme_ends(text)
    start = 0
    for end in ends:
        grapheme = text[start:end]
        whole = grapheme.encode()
        yield from [whole] if len(whole) <= most else map(str.encode, grapheme)
        start = end


def _encoded(word: bytes) -> str:
    return f"=?utf-8?B?{b64encode(word).decode()}?="


def _one_line(text: str) -> str:
    return _NOT_IN_A_LINE.sub(" ", text).strip(" ")


def _token(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "", text)
