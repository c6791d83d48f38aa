"""A mail as bytes that any server takes: rendered once for all, with a head of its own for each person.

Everything is 7-bit and no line is longer than 998 octets (RFC 5321, section 4.5.3.1.6; RFC 5322, section 2.1.1), so
that no extension of the server is needed. Header lines are written here and not by `EmailMessage`: it decodes encoded
words in what it is given, and older releases then write the line breaks hidden in them (CVE-2024-6923).
The body is its work: unlike `MIMEText` it does not depend on the process-wide table of `email.charset`, which
apprise changes.
"""

from __future__ import annotations

import re
import textwrap
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import policy
from email.message import MIMEPart
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import quote

from policenotify.channel import Picture, Post, Recipient
from policenotify.text.budget import grapheme_ends
from policenotify.text.wrap import wrap

_WIDTH = 78  # RFC 5322, section 2.1.1: what a line should keep to
# Octets in an encoded word, four characters of which hold three: a line with one of them has 76 characters at most, an
# encoded word 75 (RFC 2047, section 2). The first one stands behind the header's name.
_NEXT_WORDS = 45
_FIRST_WORD = 39
_FIRST_OF_A_PART = 30  # behind `Content-Description`, the longest name of ours
_NOT_IN_A_LINE = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")  # spaces too, but none that typography made hard
_NOT_IN_A_BODY = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")  # RFC 5322, 3.2.3
_DOMAIN = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_POST_KEY = re.compile(r"[0-9a-f]{64}")
_ENCODED_LINE = 76  # characters: RFC 2045, section 6.7, rule 5, and section 6.8
_CONTENT = policy.SMTP.clone(cte_type="7bit", max_line_length=_ENCODED_LINE)
_FLAT = _CONTENT.clone(max_line_length=998)  # the head of a part is not folded


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who a mail comes from, or where answers go.

    Attributes:
        address: In ASCII, as [`ascii_address`][policenotify.networks.email.mime.ascii_address] returns it.
        name: What readers see; may be empty.
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
    """What all mails of a channel have in common.

    Attributes:
        sender: Whom they come from; without a name, the post's sender gives it.
        domain: The right-hand side of their Message-IDs.
        reply_to: Where answers go, if not to the sender.
        list_id: The list's identifier (RFC 2919), without angle brackets; may be empty.
    """

    sender: Mailbox
    domain: str
    reply_to: Mailbox | None = None
    list_id: str = ""


class BadAddress(ValueError):
    """Nothing can be mailed there; the text says why, without the address."""


def ascii_address(address: str) -> str:
    """Check an address (RFC 5321, section 4.1.2) and write its domain in A-labels, as plain SMTP takes it.

    Raises:
        BadAddress: It is none, or its part before the `@` needs SMTPUTF8 (RFC 6531), which few servers have.
    """
    local, at, domain = address.strip().rpartition("@")
    if at and not local.isascii():
        raise BadAddress("The part before the @ holds letters that mail servers do not commonly take.")
    if not domain.isascii():
        import idna  # noqa: PLC0415 - only international domains need it; the stdlib's codec sends ß elsewhere (IDNA 2003)

        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            domain = ""
    if not _LOCAL.fullmatch(local) or len(local) > 64 or not _DOMAIN.fullmatch(domain):  # noqa: PLR2004 - RFC 5321, section 4.5.3.1.1
        raise BadAddress("This is not an e-mail address.")
    return f"{local}@{domain}"


def is_domain(text: str) -> bool:
    """Whether the text is a domain name in ASCII."""
    return _DOMAIN.fullmatch(text) is not None


def compose(post: Post, letterhead: SenderHeaders) -> str:
    """Render the mail without what is each person's own: pure ASCII, lines ended by CR LF.

    Args:
        post: What to say; its pictures hold their bytes.
        letterhead: What all mails of the channel have in common.

    Returns:
        The mail; the personal head goes in front of it.
    """
    sender = letterhead.sender
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
    if letterhead.reply_to:
        head.append(f"Reply-To: {letterhead.reply_to}")
    if letterhead.list_id:
        head.append(f"List-Id: <{letterhead.list_id}>")
    return "\r\n".join(head) + "\r\n" + _content(post)


def personal_head(
    recipient: Recipient, address: str, *, key: str, thread: Sequence[str], domain: str, unsubscribe: str
) -> str:
    """Write the header lines that are one person's own. The same post and person always get the same.

    Args:
        recipient: Whom the mail is for.
        address: Where it goes, in ASCII.
        key: The post's key.
        thread: The keys of our earlier posts of the incident, from the opening to the one to answer.
        domain: The right-hand side of the Message-IDs.
        unsubscribe: An `https` URL with `{recipient}` in it, or empty.
    """
    person = sha256(recipient.key.encode()).hexdigest()[:16]  # whatever a key is made of, this fits in an id
    own, *earlier = [f"<{each[:32]}.{person}@{domain}>" for each in (key, *thread)]
    # In angle brackets: filters for spam distrust a mail with a picture that has none.
    lines = [f"To: <{address}>", f"Message-ID: {own}"]
    if earlier:  # RFC 5322, section 3.6.4
        lines += [f"In-Reply-To: {earlier[-1]}", "References: " + "\r\n ".join(earlier)]
    if unsubscribe:  # RFC 8058, section 3.1; the relay's DKIM signature must cover both (section 4)
        url = unsubscribe.replace("{recipient}", quote(recipient.key, safe=""))
        lines += [f"List-Unsubscribe: <{url}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    return "\r\n".join(lines) + "\r\n"


def plain(text: str) -> str:
    """The text as the plain version of a mail has it: its lines broken, no control characters."""
    return wrap(_body(text))


def is_post_key(text: str) -> bool:
    """Whether an id is a post's key, and so may stand in a Message-ID."""
    return _POST_KEY.fullmatch(text) is not None


def _content(post: Post) -> str:
    """Return the body: text, a formatted version beside it, and pictures as attachments (RFC 2046, section 5.1).

    A picture inside the formatted version counts as spam where there are few words around it: SpamAssassin 4.0 gives it
    2.1 of 5 points. Mail programs show attached pictures below the text.
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
    """Return a picture as a part of its own, with what it shows (RFC 2045, section 8; RFC 2183)."""
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
        # Some programs take a header for empty that has nothing beside its name.
        if all(len(line) <= _WIDTH for line in lines) and lines[0] != f"{name}:":
            return "\r\n".join(lines)
    return f"{name}: " + "\r\n ".join(_words(text, first=first))


def _words(text: str, *, first: int = _FIRST_WORD) -> Iterator[str]:
    """Encode the text in words of RFC 2047, never cutting a character (section 5), nor what readers see as one.

    Only what alone is longer than a word, such as a letter under twenty accents, is cut between its code points.
    """
    word, room = b"", first
    for piece in _whole(text, most=first):
        if len(word) + len(piece) > room:
            yield _encoded(word)
            word, room = b"", _NEXT_WORDS
        word += piece
    yield _encoded(word)


def _whole(text: str, *, most: int) -> Iterator[bytes]:
    """The graphemes of a text in UTF-8, or their code points where a grapheme is too long for the first word."""
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
