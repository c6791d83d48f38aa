"""E-mail: one post, many people, a mail and an outcome for each; an incident is one thread in each mailbox."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.utils import parseaddr
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Recipient, RecipientOutcome, Request
from policenotify.errors import MissingExtra, Refused, SettingsError
from policenotify.networks import import_lock
from policenotify.networks.email import mime
from policenotify.networks.email.replies import judged
from policenotify.text import Budget

if TYPE_CHECKING:
    from policenotify.networks.email.smtp import Connection, Session

_ABILITIES = Capabilities(
    budget=Budget(100_000, displayed=mime.plain),  # ours: no standard limits a text; patience does, far earlier
    title=True,
    html=True,
    recipients=True,
    replies=True,
    images=10,
)
_URL_OPTIONS = frozenset({"user", "pass", "from", "name", "smtp", "mode", "verify"})
_LABELS = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_IDLE = 10.0  # seconds: long enough for the next chunk of a list; after more, a firewall may have forgotten the session
_SAME_FOR_ALL = 3  # people of so many domains refused, and nobody served: it is neither the people nor their servers
_WRITE = "Write mailtos://user:password@police.example?…, with @ : / ? # in user and password percent-encoded"


class Email:
    """A sender's address at a mail server.

    Each person gets a mail of his own; nobody sees another's address. Mails of an incident carry Message-IDs derived
    from the post and the person, so every mailbox shows the incident as one thread (RFC 5322, section 3.6.4), and a
    mail that a retry brings twice is recognised by its id.

    Args:
        url: The mail server, in apprise's words:
            `mailtos://user:password@police.example?smtp=mx.police.example&name=Police de Montpellier`. `from=` gives
            another sender's address, `mode=` is `starttls`, `ssl` or `insecure`. A password leaves this machine only
            through TLS with a checked certificate.
        list_id: The list's identifier (RFC 2919), such as `alertes.police.example`.
        unsubscribe: An `https` URL with `{recipient}` in it, which stands for the person's opaque key: where one click
            unsubscribes him (RFC 8058). The relay must sign both headers with DKIM.
        reply_to: Where answers go; empty: to the sender.
        domain: The right-hand side of the Message-IDs; empty: the domain of the sender's address. Changing it splits
            the threads of open incidents.
        timeout: Seconds that each exchange with the server may take. RFC 5321, section 4.5.3.2, would wait for
            minutes; an alert has none.
        clock: Tells how long a session has been idle.

    Raises:
        SettingsError: An option makes no sense.
        MissingExtra: apprise is not installed.
    """

    def __init__(
        self,
        *,
        url: SecretStr,
        list_id: str = "",
        unsubscribe: str = "",
        reply_to: str = "",
        domain: str = "",
        timeout: float = 30.0,
        clock: Clock,
    ) -> None:
        if find_spec("apprise") is None:
            raise MissingExtra("The network 'email'", "email")
        sender, options = _read(url.get_secret_value())
        if list_id and not _LABELS.fullmatch(list_id):
            raise SettingsError(f"list_id: {list_id!r} is none. Write it like a domain: alertes.police.example")
        if unsubscribe and not re.fullmatch(r"https://[!-~]*\{recipient\}[!-~]*", unsubscribe):
            raise SettingsError("unsubscribe: write an https URL with {recipient} where the person's key belongs")
        if domain and not mime.is_domain(domain):
            raise SettingsError(f"domain: {domain!r} is none. Write it in ASCII: police.example")
        if not timeout > 0:
            raise SettingsError(f"timeout: {timeout} seconds is none. Write a number above 0, such as 30")
        self._url = url
        self._plain_is_meant = options.get("mode", "").lower() == "insecure"
        self._unsubscribe = unsubscribe
        self._timeout = timeout
        self._letterhead = mime.SenderHeaders(
            sender=sender,
            domain=domain or sender.address.rpartition("@")[2],
            reply_to=_mailbox("reply_to", reply_to) if reply_to else None,
            list_id=list_id,
        )
        self._clock = clock
        self._service: Any = None
        self._line: Connection | None = None
        self._said_at = 0.0

    @property
    def capabilities(self) -> Capabilities:
        """What mail can do."""
        return _ABILITIES

    @property
    def account(self) -> str:
        """The sender's address, and the list where there is one: one sender may have several lists.

        The server is not in it: it may change, and readers' mailboxes keep the thread.
        """
        return " ".join(filter(None, (self._letterhead.sender.address, self._letterhead.list_id)))

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Render the mail, without what is each person's own.

        Args:
            post: What to say.
            reply_to: Our earlier mails of the incident; the id of each is its post's key.

        Raises:
            Refused: The post shows a picture whose bytes are no longer there.
        """
        if not all(picture.data for picture in post.pictures):
            raise Refused("A picture of the post is missing.", remedy="Publish the message again, with its pictures.")
        thread = [ref.id for ref in reply_to if ref.account == self.account and mime.is_post_key(ref.id)]
        return Request(
            account=self.account,
            key=post.key,
            body={"mime": mime.compose(post, self._letterhead), "thread": thread, "domain": self._letterhead.domain},
        )

    def send_each(self, request: Request, recipients: Iterable[Recipient]) -> Iterator[RecipientOutcome]:
        """Hand the mail over for each person, in one session as long as the server keeps it, also from call to call.

        A session that the server ends before it has the mail is opened again, and nobody is passed over. One that
        ends after the mail was sent leaves this person in doubt. A second one without a reply in between ends the
        attempt for all who are left.

        Yields:
            One outcome for each recipient.

        Raises:
            Refused: The server does not take this mail: it is too large, or refused for everybody.
            Blocked: The server does not accept our login or our sender's address, or relays nothing for us.
            Unavailable: The server cannot be reached, or takes no mail now.
        """
        with import_lock():
            from policenotify.networks.email.smtp import Connection  # noqa: PLC0415 - loads apprise

        mail = str(request.body["mime"]).encode("ascii").replace(b"\r\n.", b"\r\n..")  # RFC 5321, section 4.5.2
        served, aside, domains = False, list[RecipientOutcome](), set[str]()
        if self._line is not None and self._clock.monotonic() - self._said_at > _IDLE:
            self._line.hang_up()
        self._line = self._line or Connection(self._open, self._letterhead.sender.address)
        line, done = self._line, False
        try:
            for recipient in recipients:
                try:
                    address = mime.ascii_address(recipient.address)
                except mime.BadAddress as error:
                    yield RecipientOutcome(key=recipient.key, outcome="refused", reason=str(error))
                    continue
                reply = line.hand_over(address, self._head(request, recipient, address) + mail)
                outcome, for_all = judged(reply, recipient.key)
                if for_all is not None and not served:
                    aside.append(outcome)  # told when it is clear whose fault it is
                    domains.add(address.rpartition("@")[2].lower())
                    if len(domains) == _SAME_FOR_ALL:
                        raise for_all
                    continue
                served = served or outcome.outcome == "posted"
                yield outcome
                while served and aside:
                    yield aside.pop()
            yield from aside
            done = True
        finally:
            self._said_at = self._clock.monotonic()
            if not done:
                self.close()

    def whoami(self) -> Account:
        """Connect, log in, and take leave. Sends nothing.

        Raises:
            Blocked: The server does not accept our login, or the url is not safe to use.
            Unavailable: The server cannot be reached.
        """
        session = self._open()
        try:
            session.noop()
        finally:
            session.quit()
        sender = self._letterhead.sender
        return Account(id=sender.address, name=sender.name or sender.address)

    def close(self) -> None:
        """Take leave of the server. May be called twice."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _open(self) -> Session:
        with import_lock():
            from policenotify.networks.email import smtp  # noqa: PLC0415 - loads apprise

        if self._service is None:
            self._service = smtp.service(
                self._url.get_secret_value(),
                sender=self._letterhead.sender.address,
                plain_is_meant=self._plain_is_meant,
            )
        return smtp.Session.open(self._service, self._timeout)

    def _head(self, request: Request, recipient: Recipient, address: str) -> bytes:
        thread = request.body["thread"]
        return mime.personal_head(
            recipient,
            address,
            key=request.key,
            thread=[str(key) for key in thread] if isinstance(thread, list) else [],
            domain=str(request.body["domain"]),
            unsubscribe=self._unsubscribe,
        ).encode("ascii")


def _mailbox(option: str, text: str) -> mime.Mailbox:
    name, address = parseaddr(text)
    try:
        return mime.Mailbox(mime.ascii_address(address), name)
    except mime.BadAddress:
        raise SettingsError(f"{option}: this is not an e-mail address: {text!r}") from None


def _read(url: str) -> tuple[mime.Mailbox, dict[str, str]]:
    """The sender that apprise will read from the URL, and the URL's options; nothing of it is repeated in an error."""
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, unquote(parts.username or "")
        _ = parts.port
    except ValueError:
        raise SettingsError(f"url: cannot be read. {_WRITE}") from None
    if parts.scheme not in {"mailto", "mailtos"} or not host or parts.fragment:
        raise SettingsError(f"url: cannot be read. {_WRITE}")
    options = {
        unquote(name).lower(): unquote(value)
        for name, _, value in (each.partition("=") for each in parts.query.split("&") if each)
    }
    if parts.path.strip("/") or options.keys() & {"to", "cc", "bcc"}:
        raise SettingsError("url: names recipients. Take them out: who gets the mails is said in `recipients`")
    if unknown := sorted(options.keys() - _URL_OPTIONS):
        raise SettingsError(
            f"url: {', '.join(unknown)} would change nothing. Known are: {', '.join(sorted(_URL_OPTIONS))}"
        )
    name, address = parseaddr(options.get("from", ""))
    if "@" not in address:
        name, address = options.get("from", ""), f"{(options.get('user') or user).partition('@')[0]}@{host}"
    if not address.isascii():
        raise SettingsError("url: write the sender's address in ASCII, an international domain in its xn-- form")
    try:
        return mime.Mailbox(mime.ascii_address(address), options.get("name") or name), options
    except mime.BadAddress:
        raise SettingsError("url: no sender's address. Add it: …?from=alertes@police.example") from None
