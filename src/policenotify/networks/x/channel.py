"""X: posts that have no key, so that a doubt is settled by looking at the account's own timeline."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import JsonValue, SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Request, StateStore
from policenotify.errors import (
    ChannelError,
    MissingExtra,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.networks import import_lock
from policenotify.networks.x.account import Identity, Shown, posts_since
from policenotify.networks.x.auth import Credentials, TokenStore
from policenotify.networks.x.errors import DUPLICATE, GONE, MISSING_PARENT, Answer, judge, without_side_effects
from policenotify.networks.x.post import (
    IMAGES,
    LONGEST,
    SHORT,
    answers_same,
    arguments,
    check,
    is_id,
    posted_at,
    reads_same,
    upload,
)
from policenotify.text import Budget, x_weight
from policenotify.transport import is_secure_url

if TYPE_CHECKING:
    from policenotify.networks.x.client import Client

_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")  # help.x.com, "How to change your handle"
_SDKS = ("tweepy", "requests_oauthlib")
_OURS = "api.x.com"
_SETTLES = timedelta(seconds=30)  # X promises nothing; a public alert service waits so long before it says it again
_SKEW = timedelta(seconds=5)  # how far the clocks of X's own machines may be apart
_WIDE = timedelta(minutes=2)  # so much more is asked for: what X's clock tells is known only with its answer
_REPEATED = timedelta(days=7)  # how far back an equal post is looked for when X refuses one; X does not say
_SHOWN = timedelta(minutes=10)  # after so long X has shown what it has; it also refuses words of posts that are gone
_NEW = timedelta(seconds=60)  # a post so young may not yet be seen by the machine that takes an answer to it
_SOON = timedelta(seconds=5)  # node-twitter-api-v2 issue 366: after so long it was seen


class X:
    """One X account (Twitter, as it was).

    X knows no keys: whatever is said twice may be there twice. So a post in doubt is looked for on the account's own
    timeline, by its text. X refuses words that the account has said lately, be it of another incident; those are then
    posted with the incident's reference and the hour, once.
    Posts are never edited: readers have seen the first wording, and each edit makes another post.

    Give *either* the four strings of OAuth 1.0a (`consumer_key`, `consumer_secret`, `access_token`,
    `access_token_secret`), which never expire and are the simplest for one account, *or* those of OAuth 2
    (`client_id`, `refresh_token`, and `client_secret` for an app that has one), whose tokens are renewed and kept.

    Args:
        handle: The account's handle, such as `police34`; `@` before it is ignored. What the credentials belong to is
            compared with it before anything is posted.
        consumer_key: The app's API key (OAuth 1.0a).
        consumer_secret: Its secret.
        access_token: The account's access token for that app, made after the app was given "Read and write".
        access_token_secret: Its secret.
        client_id: The app's client id (OAuth 2).
        client_secret: Its secret, for a confidential client.
        refresh_token: The account's first refresh token, with the scopes `tweet.read tweet.write users.read
            media.write offline.access`. X replaces it at each renewal; only a lost one is given here anew.
        link_mode: `reply`: updates and ends hang under the opening. `standalone`: X refuses that to this account.
        limit: How long a post may be, as X counts it: 280; with Premium up to 25,000.
        service: Where X is: `https://…`; `http://` only on the loopback.
        timeout: Seconds to wait for a connection, and again for each piece of an answer.
        clock: Time, handed in.
        keep: Where tokens and the account's number live, shared by all processes of the installation.

    Raises:
        SettingsError: An option cannot be right, or the credentials are of both kinds, of none, or not all there.
        MissingExtra: tweepy is not installed.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=Budget(SHORT, x_weight),
        replies=True,
        images=IMAGES,
        lookup_delay=_SETTLES,
        deletes=True,
        refuses_repeats=True,
    )

    def __init__(  # noqa: PLR0913 - each is an option or handed in
        self,
        *,
        handle: str,
        consumer_key: SecretStr | None = None,
        consumer_secret: SecretStr | None = None,
        access_token: SecretStr | None = None,
        access_token_secret: SecretStr | None = None,
        client_id: str | None = None,
        client_secret: SecretStr | None = None,
        refresh_token: SecretStr | None = None,
        link_mode: Literal["reply", "standalone"] = "reply",
        limit: int = SHORT,
        service: str = f"https://{_OURS}",
        timeout: float = 10.0,
        clock: Clock,
        keep: StateStore,
    ) -> None:
        if not all(map(find_spec, _SDKS)):
            raise MissingExtra("The network 'x'", "x")
        self._handle = handle.removeprefix("@")
        self._service = service.rstrip("/")
        if not _HANDLE.fullmatch(self._handle):
            raise SettingsError("handle: an X handle has 1 to 15 letters, digits and _, such as 'police34'")
        if not is_secure_url(self._service):
            raise SettingsError("service: must be https://…, without user and password: tokens are sent there")
        if not timeout > 0:
            raise SettingsError("timeout: must be a number of seconds above 0")
        if not 0 < limit <= LONGEST:
            raise SettingsError(f"limit: X takes {SHORT}, with Premium up to {LONGEST}")
        self._abilities = replace(
            self.default_capabilities, budget=Budget(limit, x_weight), replies=link_mode == "reply"
        )
        self._credentials = Credentials.of(
            consumer_key=consumer_key,
            consumer_secret=consumer_secret,
            access_token=access_token,
            access_token_secret=access_token_secret,
            client_id=SecretStr(client_id) if client_id else None,
            refresh_token=refresh_token,
            client_secret=client_secret,
        )
        self._timeout = timeout
        self._clock = clock
        self._ahead: timedelta | None = None  # how far X's clock is ahead of ours; unknown before its first answer
        self._opened: Client | None = None
        self._tokens: TokenStore | None = None
        if not self._credentials.keys:
            self._tokens = TokenStore(
                account=self.account,
                credentials=self._credentials,
                form=lambda *form: self._line().form(*form),
                clock=clock,
                keep=keep,
                lease=4 * timeout,  # another process may wait for a renewal, to connect and to answer, twice
            )
        self._identity = Identity(
            account=self.account,
            handle=self._handle,
            credentials=self._credentials,
            ask=self._ask,
            clock=clock,
            keep=keep,
        )

    def __repr__(self) -> str:
        return f"X({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        """What X can do."""
        return self._abilities

    @property
    def account(self) -> str:
        """The handle in small letters (X does not tell them apart); with `@host` where the host is not X's own."""
        host = urlsplit(self._service).netloc.lower()
        return self._handle.lower() if host == _OURS else f"{self._handle.lower()}@{host}"

    def prepare(self, post: Post, answers: tuple[PostRef, ...]) -> Request:
        """Make sure whose the credentials are, upload the pictures, and freeze the call.

        Answers from another account are passed over: the post then starts a thread.

        Raises:
            Refused: The post is outside X's limits (the text names the numbers), or X does not take a picture.
            Blocked: X does not accept the credentials, or they are another account's.
            Unavailable: X could not be asked.
        """
        check(post, self._abilities.budget)
        self._identity.number()
        with without_side_effects("uploading a picture"):
            media = [upload(picture, ask=self._ask, clock=self._clock) for picture in post.pictures]
        thread = [ref for ref in answers if self._abilities.replies and self._is_ours(ref)]
        body: dict[str, JsonValue] = {
            "create_tweet": arguments(post, answers=thread, media=media),
            "said_at": post.created_at.astimezone(UTC).isoformat(),
        }
        return Request(account=self.account, key=post.key, body=body)

    def send(self, request: Request) -> PostRef:
        """Post, once.

        Raises:
            Refused: X refused the post. With `fallback="standalone"`: only as an answer; with `"prepare"`: only its
                pictures, which are to be uploaded anew; with `"distinct"`: only its words, which the account has said.
            Blocked: The account or its app cannot post: credentials, permissions, credits, a lock.
            Unavailable: X could not be reached, or asks us to wait.
            Unconfirmed: No readable answer came, or X says that it has the text but does not show it; `find` it.
        """
        self._identity.number()
        answer = self._ask("create_tweet", **_said(request))
        if is_id(answer.data.get("id")):
            return self._ref(str(answer.data["id"]))
        if answer.gives(DUPLICATE):
            raise self._said_before(request, answer)
        raise self._post_error(request, answer)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Look for the post on the account's timeline: the same text, answering nothing else, not before *since*.

        *since* is a time of our clock; that X's clock tells another one is seen from its answers.
        Of several posts it is the first one that is not *known*.

        Raises:
            Unavailable: The timeline could not be read; the doubt stays.
            Blocked: X does not accept the credentials, or has closed the account.
        """
        with without_side_effects("looking the post up"):
            said = _said(request)
            alike = (each for each in self._alike(request, since) if answers_same(said, each))
            first = min((each["id"] for each in alike if each["id"] not in known), key=int, default=None)
            return self._ref(first) if first else None

    def delete(self, ref: PostRef) -> None:
        """Delete the post; one that is gone already is no error.

        Raises:
            ChannelError: As `send` does.
        """
        if not self._is_ours(ref):
            raise Refused(f"The post is not one of {self.account}; nothing was deleted.")
        self._identity.number()
        answer = self._ask("delete_tweet", ref.id)
        if answer.data.get("deleted") is not True and not answer.gives(GONE):
            raise judge(answer, now=self._clock.now())

    def whoami(self) -> Account:
        """Ask X who the credentials belong to, and compare.

        Raises:
            Blocked: X does not accept the credentials, or they are another account's.
            Unavailable: X could not be asked.
        """
        return self._identity.asked()

    def close(self) -> None:
        """Let go of connections. May be called twice."""
        if self._opened is not None:
            self._opened.close()

    def _line(self) -> Client:
        if self._opened is None:
            with import_lock():
                from policenotify.networks.x.client import Client  # noqa: PLC0415 - loads tweepy, when it is first used

            keys = tuple(key.get_secret_value() for key in self._credentials.keys)
            self._opened = Client(self._service, self._timeout, keys, self._credentials.secrets)
        return self._opened

    def _ask(self, method: str, *args: object, **what: object) -> Answer:
        def call(token: str) -> Answer:
            return self._line().ask(method, *args, token=token, **what)

        answer = self._tokens.ask(call) if self._tokens else call("")
        self._ahead = answer.ahead(self._clock.now())
        return answer

    def _on_x(self, at: datetime) -> datetime:
        """A time of our clock, as X's own clock tells it."""
        if self._ahead is None:
            self._identity.asked()
        return at + (self._ahead or timedelta(0))

    def _is_ours(self, ref: PostRef) -> bool:
        return ref.account == self.account and is_id(ref.id)

    def _ref(self, post_id: str) -> PostRef:
        return PostRef(account=self.account, id=post_id, url=f"https://x.com/{self._handle}/status/{post_id}")

    def _alike(self, request: Request, since: datetime) -> list[Shown]:
        """The account's posts from a time of our clock on that read as this one.

        What that time is on X, its own answer tells; the clock may have been set since the answer before.
        """
        said, number = _said(request), self._identity.number()
        asked = self._on_x(since) - _WIDE
        shown = list(posts_since(asked, number=number, ask=self._ask, now=self._clock.now))
        if (first := self._on_x(since) - _SKEW) < asked:
            shown = list(posts_since(first, number=number, ask=self._ask, now=self._clock.now))
        return [each for each in shown if posted_at(each["id"]) >= first and reads_same(said, each, self._handle)]

    def _said_before(self, request: Request, answer: Answer) -> ChannelError:
        """X has these words already. Where it does not show them, they may be of an attempt whose answer was lost."""
        said_at = datetime.fromisoformat(str(request.body["said_at"]))
        try:
            alike = self._alike(request, said_at - _REPEATED)
        except ChannelError as error:  # true of the question, not of the post
            return Unconfirmed(
                f"X says that these very words are out already, and could not be asked where. {error.reason}",
                code=answer.code,
            )
        now = self._clock.now()
        if alike or now - said_at > _SHOWN:
            return judge(answer, now=now)
        return Unconfirmed(
            "X says that these very words are out already, but does not show them yet.", code=answer.code
        )

    def _post_error(self, request: Request, answer: Answer) -> ChannelError:
        parent = _said(request).get("in_reply_to_tweet_id")
        error = judge(answer, now=self._clock.now(), all_posts=True)
        if not (parent and isinstance(error, Refused) and answer.gives(MISSING_PARENT)):
            return error
        now = self._clock.now()
        if self._on_x(now) - posted_at(str(parent)) > _NEW:
            return error
        return Unavailable("X does not show the post that this one answers yet.", retry_at=now + _SOON, code=error.code)


def _said(request: Request) -> dict[str, Any]:
    said = request.body["create_tweet"]
    return dict(said) if isinstance(said, dict) else {}
