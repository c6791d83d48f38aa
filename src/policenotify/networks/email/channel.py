"""E-mail: one post, many recipients, with a mail and an outcome for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from email.utils import parseaddr
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator

from policenotify.channel import Account, Capabilities, Post, PostRef, Recipient, RecipientOutcome, Request, Services
from policenotify.errors import Refused, SettingsError, Unavailable
from policenotify.networks import load, require
from policenotify.networks.email import mime
from policenotify.networks.email.replies import SessionLost, judge
from policenotify.networks.options import CallSeconds, ChannelOptions
from policenotify.text import Budget
from policenotify.translation import Text, text_of

if TYPE_CHECKING:
    from policenotify.networks.email.smtp import SmtpSession

_URL_OPTIONS = frozenset({"user", "pass", "from", "name", "smtp", "mode", "verify"})
_LABELS = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_IDLE = 10.0  # seconds until the next chunk of a list; after more, a firewall may have dropped the connection
_MOST_SESSIONS = 50  # that postfix lets a client have (postconf(5), smtpd_client_connection_count_limit)
_SESSIONS = 2
_MOST_LOST = 2  # sessions in a row, without a reply to the mail, before the server counts as unavailable
_WRITE = Text("Write mailtos://user:password@police.example?…, with @ : / ? # in user and password percent-encoded")


class Email:
    """A sender's address at a mail server.

    Each recipient gets a separate mail and sees no other address. The Message-IDs of an incident are derived from the
    post and the recipient, so that every mailbox shows the incident as one thread (RFC 5322, section 3.6.4), and a mail
    that a retry sends twice is recognised.

    Raises:
        SettingsError: The URL is not valid.
        MissingExtra: The extra `email` is not installed.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=Budget(100_000, displayed=mime.plain),  # our own limit: no standard has one
        title=True,
        html=True,
        recipients=True,
        calls_at_once=_SESSIONS,
        replies=True,
        images=10,
    )

    class Options(ChannelOptions):
        """A sender and its mail server."""

        url: SecretStr
        """The mail server as an apprise URL:
        `mailtos://user:password@police.example?smtp=mx.police.example&name=Police de Montpellier`. `from=` gives
        another sender's address, `mode=` is `starttls`, `ssl` or `insecure`. A password leaves this machine only
        through TLS with a verified certificate."""
        list_id: str = ""
        """The list's identifier (RFC 2919), such as `alertes.police.example`."""
        unsubscribe: str = ""
        """An `https` URL for one-click unsubscription (RFC 8058), with `{token}` for a signed token that
        `policenotify.web` understands, or `{recipient}` for the recipient's opaque key. The relay must sign both
        headers with DKIM."""
        bounces: str = ""
        """The mailbox to which mails come back: `bounce@police.example`. The envelope's sender is then
        `bounce+TOKEN@police.example`, and the relay pipes what comes there to `policenotify bounce`. Empty: the
        sender's address."""
        reply_to: str = ""
        """The address for answers. Empty: the sender."""
        timeout: CallSeconds = 30.0
        """Seconds for each exchange with the server, instead of the minutes of RFC 5321, section 4.5.3.2."""
        sessions: Annotated[int, Field(ge=1, le=_MOST_SESSIONS)] = _SESSIONS
        """The most sessions with the server at once."""

        @field_validator("list_id")
        @classmethod
        def _is_list_id(cls, list_id: str) -> str:
            if list_id and not _LABELS.fullmatch(list_id):
                raise SettingsError(
                    Text("{list_id!r} is not valid. Write it like a domain: alertes.police.example", list_id=list_id)
                )
            return list_id

        @field_validator("unsubscribe")
        @classmethod
        def _has_token(cls, url: str) -> str:
            if url and not re.fullmatch(r"(?=[!-~]*+\Z)https://.*\{(token|recipient)\}.*", url):
                raise SettingsError(Text("write an https URL with {{token}} in place of the person's token"))
            return url

    def __init__(self, options: Options, services: Services) -> None:
        require("email", "apprise", "email_validator")
        sender, url_options = _read(options.url.get_secret_value())
        self._options = options
        self._allow_plain = url_options.get("mode", "").lower() == "insecure"
        self._bounces = _mailbox("bounces", options.bounces).address if options.bounces else ""
        mime.check_return_path(self._bounces)
        self.capabilities: Capabilities = replace(self.default_capabilities, calls_at_once=options.sessions)
        self._sender = sender
        self._reply_to = _mailbox("reply_to", options.reply_to) if options.reply_to else None
        # The server is not part of it: it may change, and mailboxes keep the thread.
        self.account: str = " ".join(filter(None, (sender.address, options.list_id)))
        self._clock = services.clock
        self._service: Any = None
        self._session: SmtpSession | None = None
        self._used_at = 0.0

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Render the mail without its personal headers.

        Raises:
            Refused: The bytes of a picture are missing.
        """
        if not all(picture.data for picture in post.pictures):
            raise Refused(
                Text("A picture of the post is missing."), remedy=Text("Publish the message again, with its pictures.")
            )
        thread = [ref.id for ref in reply_to if ref.account == self.account and mime.POST_KEY.fullmatch(ref.id)]
        mail = mime.compose(post, self._sender, reply_to=self._reply_to, list_id=self._options.list_id)
        return Request(account=self.account, key=post.key, body={"mime": mail, "thread": thread})

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        """Send the mail to each person, in the session of the last call if it is still open.

        A session that ends before the mail is sent is opened again. One that ends after it leaves the person in doubt.

        Raises:
            Refused: The server rejects this mail for all: it is too large.
            Blocked: The server rejects our login or sender.
            Unavailable: The server cannot be reached, or accepts no mail now.
        """
        thread = request.body["thread"]
        keys = [*map(str, thread if isinstance(thread, list) else ()), request.key]
        content = str(request.body["mime"]).encode("ascii")
        return [self._send_one(keys, content, person) for person in people]

    def _send_one(self, keys: Sequence[str], content: bytes, person: Recipient) -> RecipientOutcome:
        """Send a mail, if need be in a new session, and return its outcome."""
        try:
            address = mime.ascii_address(person.address)
        except mime.BadAddress as error:
            return RecipientOutcome(key=person.key, outcome="refused", reason=text_of(error), personal=True)
        own = self._sender.address
        sender = mime.return_path(self._bounces, person) if self._bounces else own
        domain, unsubscribe = own.rpartition("@")[2], self._options.unsubscribe
        mail = mime.personal_head(person, address, keys, domain=domain, unsubscribe=unsubscribe) + content
        lost = 0
        while True:
            session = self._alive()
            used = session.used
            try:
                reply = session.send(sender, address, mail)
            except SessionLost as end:
                lost += 1
                if end.in_doubt:
                    return judge(None, person.key)
                if lost == _MOST_LOST:
                    raise Unavailable(
                        Text("The mail server ends every session, or does not answer in time."),
                        remedy=Text(
                            "It will be tried again. If the server is slow on purpose, give the channel a longer "
                            "`timeout`."
                        ),
                    ) from None
            else:
                if not (used and reply.session_spent):  # the reply of a new session is final
                    return judge(reply, person.key)
                self.close()

    def _alive(self) -> SmtpSession:
        """Return an open session: the last one, unless it has ended, or may have without our knowledge."""
        now = self._clock.monotonic()
        if self._session is not None and now - self._used_at > _IDLE:
            self._session.drop()
        if self._session is None or not self._session.alive:
            self._session = self._open()
        self._used_at = now
        return self._session

    def spell(self, address: str) -> str:
        """Return an address in the form by which the journal recognises the person."""
        return mime.spell(address)

    def whoami(self) -> Account:
        """Connect, log in and quit, without sending. See `Channel.whoami`."""
        self._open().quit()
        return Account(id=self._sender.address, name=self._sender.name or self._sender.address)

    def close(self) -> None:
        """End the session. May be called twice."""
        session, self._session = self._session, None
        if session is not None:
            session.quit()

    def _open(self) -> SmtpSession:
        smtp = load("policenotify.networks.email.smtp")  # loads apprise
        if self._service is None:
            self._service = smtp.open_service(
                self._options.url.get_secret_value(),
                sender=self._sender.address,
                allow_plain=self._allow_plain,
            )
        session: SmtpSession = smtp.SmtpSession(self._service, self._options.timeout)
        return session


def _mailbox(option: str, text: str) -> mime.Mailbox:
    name, address = parseaddr(text)
    try:
        return mime.Mailbox(mime.ascii_address(address), name)
    except mime.BadAddress:
        raise SettingsError(
            Text("{option}: this is not an e-mail address: {text!r}", option=option, text=text)
        ) from None


def _read(url: str) -> tuple[mime.Mailbox, dict[str, str]]:
    """Return the sender as apprise reads it, and the options of the URL."""
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, unquote(parts.username or "")
        _ = parts.port
    except ValueError:
        raise SettingsError(Text("url: cannot be read. {write}", write=_WRITE)) from None
    if parts.scheme not in {"mailto", "mailtos"} or not host or parts.fragment:
        raise SettingsError(Text("url: cannot be read. {write}", write=_WRITE))
    options = {
        unquote(name).lower(): unquote(value)
        for name, _, value in (each.partition("=") for each in parts.query.split("&") if each)
    }
    if parts.path.strip("/") or options.keys() & {"to", "cc", "bcc"}:
        raise SettingsError(Text("url: names recipients. Remove them, and write them in `recipients`"))
    if unknown := sorted(options.keys() - _URL_OPTIONS):
        raise SettingsError(
            Text(
                "url: {unknown} has no effect. Known options: {url_options}",
                unknown=", ".join(unknown),
                url_options=", ".join(sorted(_URL_OPTIONS)),
            )
        )
    name, address = parseaddr(options.get("from", ""))
    if "@" not in address:
        name, address = options.get("from", ""), f"{(options.get('user') or user).partition('@')[0]}@{host}"
    if not address.isascii():
        raise SettingsError(Text("url: write the sender's address in ASCII, an international domain in its xn-- form"))
    try:
        return mime.Mailbox(mime.ascii_address(address), options.get("name") or name), options
    except mime.BadAddress:
        raise SettingsError(Text("url: no sender's address. Add it: …?from=alertes@police.example")) from None
