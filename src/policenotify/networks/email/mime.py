"""E-mails that any server accepts.

Everything is 7-bit, and no line is longer than 998 octets (RFC 5321, section 4.5.3.1.6; RFC 5322, section 2.1.1), so
that no extension of the server is needed. `EmailMessage` makes the body. Headers with texts of people are encoded by
`Header`: `EmailMessage` decodes encoded words in them and, in older releases, writes the line breaks hidden there
(CVE-2024-6923). It also loses spaces between encoded words (Python 3.11).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from email.charset import BASE64, Charset
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import quote as escape
from hashlib import sha256
from urllib.parse import quote

from policenotify.channel import Post, Recipient
from policenotify.errors import SettingsError
from policenotify.text.wrap import wrap
from policenotify.translation import Text

_PLAIN_HEADER = 60  # characters: with the longest name, fewer than the 78 of RFC 5322, section 2.1.1
_NOT_IN_A_LINE = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")  # also spaces, but not no-break spaces
_NOT_IN_A_BODY = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SUFFIX = ".example"
_LOCAL = 64  # octets
_TOKEN = 57  # of a token with the plus before it, see `Recipient.token`
POST_KEY = re.compile(r"[0-9a-f]{64}")  # valid in a Message-ID
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=76)  # RFC 2045, section 6.7, rule 5, and section 6.8
_UTF_8 = Charset("utf-8")
_UTF_8.header_encoding = BASE64


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
        return f'"{escape(name)}" <{self.address}>' if _is_plain(name) else f"{_folded(name)}\r\n <{self.address}>"


def check_return_path(mailbox: str) -> None:
    """Refuse a mailbox behind which no token fits: a local part has 64 octets (RFC 5321, section 4.5.3.1.1).

    Raises:
        SettingsError: It is too long, or has a `+` already.
    """
    local = mailbox.rpartition("@")[0]
    if len(local) > _LOCAL - _TOKEN or "+" in local or local.startswith('"'):
        raise SettingsError(
            Text("bounces: write a mailbox without +, of at most {local} characters", local=_LOCAL - _TOKEN)
        )


def return_path(mailbox: str, recipient: Recipient) -> str:
    """Return the address to which a recipient's mail comes back (VERP). Without a journal it is the mailbox itself."""
    local, at, domain = mailbox.rpartition("@")
    token = recipient.token("bounce")
    return f"{local}+{token}{at}{domain}" if token else mailbox


class BadAddress(ValueError):
    """An address that cannot get mail. The text gives the reason without the address."""


def ascii_address(address: str) -> str:
    """Return a valid address with its domain in lower-case A-labels.

    Raises:
        BadAddress: It is not an address (RFC 5321, section 4.1.2), or its local part needs SMTPUTF8 (RFC 6531), which
            few servers support.
    """
    address = address.strip()
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - only this extra needs it

    if not address.rpartition("@")[0].isascii():
        raise BadAddress(Text("The part before the @ holds letters that most mail servers do not support."))
    try:
        # The suffix admits names of a local network, such as localhost, which email-validator rejects.
        checked = validate_email(f"{address}{_SUFFIX}", allow_smtputf8=False, check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise BadAddress(Text("This is not an e-mail address.")) from None
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


def compose(post: Post, sender: Mailbox, *, reply_to: Mailbox | None = None, list_id: str = "") -> str:
    """Return the mail without personal headers, in ASCII with CR LF.

    SpamAssassin 4.0 gives 2.1 of 5 points to a picture inside a formatted version of few words, so pictures are
    attached. Mail programs show them below the text.

    Args:
        post: The post.
        sender: The sender. Without a name, the post's sender is its name.
        reply_to: The address for answers, if not the sender.
        list_id: The list's identifier (RFC 2919), without angle brackets. May be empty.
    """
    sender = sender if sender.name else Mailbox(sender.address, post.sender)
    subject = _one_line(post.title or post.text.partition("\n")[0])
    language = re.sub(r"[^A-Za-z0-9-]", "", post.language)
    lines = [f"From: {sender}", f"Subject: {_folded(subject)}", f"Content-Language: {language}"]
    if reply_to:
        lines.append(f"Reply-To: {reply_to}")
    if list_id:
        lines.append(f"List-Id: <{list_id}>")
    mail = EmailMessage(policy=_POLICY)
    mail["Date"] = post.created_at
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: no out-of-office replies
    mail.set_content(plain(post.text))
    if post.html:
        mail.add_alternative(_body(post.html), subtype="html")
    for number, picture in enumerate(post.pictures, 1):
        kind = picture.media_type.removeprefix("image/")
        description = f"Content-Description: {_one_line(picture.alt).replace('=?', '= ?')}"
        mail.add_attachment(
            picture.data, maintype="image", subtype=kind, filename=f"{number}.{kind}", headers=[description]
        )
    for number, part in enumerate(each for each in mail.walk() if each.is_multipart()):
        part.set_boundary(f"=_{post.key[:24]}_{number}")  # "=_" occurs in no encoded line, the key in no other text
    return "\r\n".join(lines) + "\r\n" + mail.as_bytes().decode("ascii")


def personal_head(recipient: Recipient, address: str, keys: Sequence[str], *, domain: str, unsubscribe: str) -> bytes:
    """Return the header lines of one recipient of a post, which are always the same.

    Args:
        recipient: The person.
        address: The address in ASCII.
        keys: The keys of our posts of the incident, from the opening to this one.
        domain: The right-hand side of the Message-IDs.
        unsubscribe: An `https` URL that contains `{token}` or `{recipient}`, or empty.
    """
    person = sha256(recipient.key.encode()).hexdigest()[:16]  # valid in an id, whatever the key contains
    *earlier, own = [f"<{key[:32]}.{person}@{domain}>" for key in keys]
    # In angle brackets: spam filters distrust a mail with an attached picture that has none.
    lines = [f"To: <{address}>", f"Message-ID: {own}"]
    if earlier:  # RFC 5322, section 3.6.4
        lines += [f"In-Reply-To: {earlier[-1]}", "References: " + "\r\n ".join(earlier)]
    if "{token}" in unsubscribe:  # without a journal there is no token, and no header leads nowhere
        unsubscribe = unsubscribe.replace("{token}", token) if (token := recipient.token("stop")) else ""
    if unsubscribe:  # RFC 8058, section 3.1; the relay's DKIM signature must cover both (section 4)
        leave = unsubscribe.replace("{recipient}", quote(recipient.key, safe=""))
        lines += [f"List-Unsubscribe: <{leave}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    return "\r\n".join((*lines, "")).encode("ascii")


def plain(text: str) -> str:
    """Return the plain-text version of a text: wrapped, without control characters."""
    return wrap(_body(text))


def _body(text: str) -> str:
    return _NOT_IN_A_BODY.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _one_line(text: str) -> str:
    return _NOT_IN_A_LINE.sub(" ", text).strip(" ")


def _is_plain(text: str) -> bool:
    """Return True if a header can hold a text as it is, in its first line."""
    return text.isascii() and "=?" not in text and len(text) <= _PLAIN_HEADER


def _folded(text: str) -> str:
    """Return the text of a header with a name as long as `Reply-To`: as it is, or in encoded words (RFC 2047)."""
    plain = all(map(_is_plain, text.split(" ")))
    return Header(text, "us-ascii" if plain else _UTF_8, 74, "Reply-To").encode(splitchars=" ", linesep="\r\n")
