"""X: posts without a key, which are looked up on the account's own timeline."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.errors import (
    ChannelError,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.networks import require
from policenotify.networks.options import CallSeconds, ChannelOptions, Handle, Secret, SecureUrl
from policenotify.networks.x.api import Client
from policenotify.networks.x.post import IMAGES, LONGEST, SHORT, ShownPost, TweetBody, upload
from policenotify.networks.x.rules import (
    DUPLICATE,
    GONE,
    MISSING_PARENT,
    XAnswer,
    is_id,
    posted_at,
    without_side_effects,
)
from policenotify.text import Budget, x_weight
from policenotify.translation import Text

_SIGNING = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
_ROTATING = ("client_id", "refresh_token")
_EITHER = Text(
    "give either {signing} (OAuth 1.0a), or {rotating} (OAuth 2)",
    signing=", ".join(_SIGNING),
    rotating=", ".join(_ROTATING),
)
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")  # help.x.com, "How to change your handle"
_HOST = "api.x.com"
_LOOKUP_DELAY = timedelta(seconds=30)  # X documents none; a public alert service waits so long before it posts again
_DUPLICATE_AGE = timedelta(days=7)  # how far back an equal post is looked up when X refuses one; X does not document it
_SHOWN = timedelta(minutes=10)  # after so long X shows all it has; it also refuses words of deleted posts
_NEW = timedelta(seconds=60)  # a younger post may not yet be seen by the machine that takes a reply to it
_SOON = timedelta(seconds=5)  # node-twitter-api-v2 issue 366: after so long it was seen


class X:
    """One X account (formerly Twitter).

    X has no idempotency key: a post that is sent twice may appear twice. So a post in doubt is looked up on the
    account's own timeline, by its text. X refuses a text that the account has posted lately, be it for another
    incident. Such a post is sent once more, with the incident's reference and the hour.
    Posts are never edited: readers have seen the first wording, and each edit makes another post.

    Give *either* the four strings of OAuth 1.0a (`consumer_key`, `consumer_secret`, `access_token`,
    `access_token_secret`), which never expire and are the simplest for one account, *or* those of OAuth 2
    (`client_id`, `refresh_token`, and `client_secret` for an app that has one), whose tokens are renewed and stored.

    Raises:
        MissingExtra: tweepy is not installed.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=Budget(SHORT, x_weight),
        replies=True,
        images=IMAGES,
        lookup_delay=_LOOKUP_DELAY,
        deletes=True,
        refuses_repeats=True,
    )

    class Options(ChannelOptions):
        """An X account."""

        handle: Handle
        """The account's handle, such as `police34`. `@` before it is ignored. It is compared with the owner of the
        credentials before anything is posted."""
        consumer_key: Secret | None = None
        """The app's API key (OAuth 1.0a)."""
        consumer_secret: Secret | None = None
        """Its secret."""
        access_token: Secret | None = None
        """The account's access token for that app, made after the app was given "Read and write"."""
        access_token_secret: Secret | None = None
        """Its secret."""
        client_id: str | None = None
        """The app's client id (OAuth 2)."""
        client_secret: Secret | None = None
        """Its secret, for a confidential client."""
        refresh_token: Secret | None = None
        """The account's first refresh token, with the scopes `tweet.read tweet.write users.read media.write
        offline.access`. X replaces it at each renewal. Give a new one here only if that one is lost."""
        link_mode: Literal["reply", "standalone"] = "reply"
        """`reply`: updates and ends are replies to the opening. `standalone`: X does not allow it replies."""
        limit: Annotated[int, Field(gt=0, le=LONGEST)] = SHORT
        """The longest post, as X counts it: 280, with Premium up to 25,000."""
        service: SecureUrl = f"https://{_HOST}"
        """The address of X: `https://…`, or `http://` on the loopback."""
        timeout: CallSeconds = 10.0
        """Seconds to wait for a connection, and again for the answer."""

        @field_validator("handle")
        @classmethod
        def _is_handle(cls, handle: str) -> str:
            if not _HANDLE.fullmatch(handle):
                raise SettingsError(Text("an X handle has 1 to 15 letters, digits and _, such as 'police34'"))
            return handle

        @model_validator(mode="after")
        def _has_one_form_of_credentials(self) -> Self:
            signing = [name for name in _SIGNING if getattr(self, name)]
            rotating = [name for name in (*_ROTATING, "client_secret") if getattr(self, name)]
            if signing and rotating:
                raise SettingsError(Text("{rotating}: {either}, not both", rotating=rotating[0], either=_EITHER))
            if missing := [name for name in (_ROTATING if rotating else _SIGNING) if not getattr(self, name)]:
                raise SettingsError(Text("{missing}: is missing; {either}", missing=missing[0], either=_EITHER))
            return self

    def __init__(self, options: Options, services: Services) -> None:
        require("x", "tweepy", "requests_oauthlib")
        self._handle = options.handle
        host, handle = urlsplit(options.service).netloc.lower(), options.handle.lower()
        self.account: str = handle if host == _HOST else f"{handle}@{host}"  # other servers have accounts of their own
        budget, replies = Budget(options.limit, x_weight), options.link_mode == "reply"
        self.capabilities: Capabilities = replace(self.default_capabilities, budget=budget, replies=replies)
        self._clock = services.clock
        keys = (options.consumer_key, options.consumer_secret, options.access_token, options.access_token_secret)
        self._client = Client(
            self.account,
            handle=self._handle,
            service=options.service,
            timeout=options.timeout,
            keys=tuple(key.get_secret_value() for key in keys if key),
            client_id=options.client_id or "",
            refresh_token=options.refresh_token.get_secret_value() if options.refresh_token else "",
            client_secret=options.client_secret.get_secret_value() if options.client_secret else "",
            services=services,
        )

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Verify the owner of the credentials, upload the pictures, and freeze the call.

        Posts of another account are not replied to. See `Channel.prepare`.
        """
        self._client.number()
        with without_side_effects(Text("uploading a picture")):
            media = [upload(picture, self._client) for picture in post.pictures]
        thread = [ref.id for ref in reply_to if self.capabilities.replies and self._is_ours(ref)]
        tweet = TweetBody(
            text=post.text,
            media_ids=tuple(media),
            in_reply_to_tweet_id=thread[-1] if thread else None,
            created_at=post.created_at,
        )
        return Request(account=self.account, key=post.key, body=tweet.model_dump(mode="json", exclude_defaults=True))

    def send(self, request: Request) -> PostRef:
        """Post, once. See `SupportsSend.send`.

        Raises:
            Refused: With `fallback="standalone"`: only as a reply. With `"prepare"`: only its pictures, which are
                uploaded again. With `"distinct"`: only its words, which the account has posted lately.
            Unconfirmed: No readable answer came, or X refuses the text as a duplicate but does not show the first one.
        """
        self._client.number()
        post = TweetBody.model_validate(request.body)
        answer = self._client.ask("create_tweet", **post.arguments)
        if is_id(answer.data.get("id")):
            return self._ref(str(answer.data["id"]))
        if answer.gives(DUPLICATE):
            raise self._duplicate_error(post, answer)
        raise self._post_error(post, answer)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Look the post up on the account's timeline, by its text and its parent.

        Of several posts it is the first one that is not *known*. See `SupportsLookup.find`.
        """
        post = TweetBody.model_validate(request.body)
        with without_side_effects(Text("looking the post up")):
            same = (shown["id"] for shown in self._alike(post, since) if post.replies_as(shown))
            first = min((each for each in same if each not in known), key=int, default=None)
            return self._ref(first) if first else None

    def delete(self, ref: PostRef) -> None:
        """Delete the post, if it still exists. See `SupportsDelete.delete`."""
        if not self._is_ours(ref):
            raise Refused(Text("The post is not one of {account}; nothing was deleted.", account=self.account))
        self._client.number()
        answer = self._client.ask("delete_tweet", ref.id)
        if answer.data.get("deleted") is not True and not answer.gives(GONE):
            raise self._client.error(answer)

    def whoami(self) -> Account:
        """Ask X whose the credentials are, and compare. See `Channel.whoami`."""
        return self._client.whoami()

    def close(self) -> None:
        """See `Channel.close`."""
        self._client.close()

    def _is_ours(self, ref: PostRef) -> bool:
        return ref.account == self.account and is_id(ref.id)

    def _ref(self, post_id: str) -> PostRef:
        return PostRef(account=self.account, id=post_id, url=f"https://x.com/{self._handle}/status/{post_id}")

    def _alike(self, post: TweetBody, since: datetime) -> list[ShownPost]:
        """Return the account's posts since a time of our clock that read as this one."""
        return [shown for shown in self._client.posts_since(since) if post.reads_as(shown, self._handle)]

    def _duplicate_error(self, post: TweetBody, answer: XAnswer) -> ChannelError:
        """Return the error for a text that X has already.

        It may be that of an attempt whose answer was lost.
        """
        try:
            alike = self._alike(post, post.created_at - _DUPLICATE_AGE)
        except ChannelError as error:  # about the look-up, not about the post
            return Unconfirmed(
                Text(
                    "X answers that this text is out already, and could not be asked where. {reason}",
                    reason=error.reason,
                ),
                code=answer.code,
            )
        if alike or self._clock.now() - post.created_at > _SHOWN:
            return self._client.error(answer)
        return Unconfirmed(Text("X answers that this text is out already, but does not show it yet."), code=answer.code)

    def _post_error(self, post: TweetBody, answer: XAnswer) -> ChannelError:
        parent, error = post.in_reply_to_tweet_id, self._client.error(answer, all_posts=True)
        if not (parent and isinstance(error, Refused) and answer.gives(MISSING_PARENT)):
            return error
        now = self._clock.now()
        if self._client.x_time(now) - posted_at(parent) > _NEW:
            return error
        return Unavailable(
            Text("X does not show the post that this one answers yet."), retry_at=now + _SOON, code=error.code
        )
