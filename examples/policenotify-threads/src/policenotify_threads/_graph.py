"""Asking Meta's Graph API: what its answers mean for a post, and a token that is renewed before it dies."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import requests
from pydantic import SecretStr

from policenotify.channel import Clock, StateStore
from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unavailable, Unconfirmed
from policenotify.transport import error_for_exception, error_for_status, mute_loggers, retry_at

WHERE = "Threads"

# Graph API, "Handling Errors", table "Error Codes"; 32 and 613: "Rate Limits", "Error Codes".
_TOKEN = {102, 190}
_FORBIDDEN = {3, 10, *range(200, 300), 368}  # the last: "Temporarily blocked for policies violations"
_LATER = {4, 17, 32, 341, 613}
_DOWN = {1, 2}  # "Possibly a temporary issue due to downtime": that it did nothing is not said

# Threads API, "Long-Lived Tokens": valid for 60 days, "can be refreshed as long as they are at least 24 hours old".
_OLD_ENOUGH = timedelta(hours=24)
_AGAIN = timedelta(hours=1)  # ours: after a renewal that failed; the token is still good for weeks

# A token goes in the address (Threads API, every "Example Request"), which urllib3 writes into its log.
_hush = mute_loggers(logging.getLogger("urllib3.connectionpool"))


class Graph:
    """A line to the Graph API, in the name of one account.

    Args:
        server: Where it is.
        token: The first long-lived token, as a person got it. Its successors live in *keep*.
        timeout: Seconds to wait for a connection, and again for each piece of an answer.
        clock: Time.
        keep: Where the token lives, shared by all processes.
    """

    def __init__(self, *, server: str, token: SecretStr, timeout: float, clock: Clock, keep: StateStore) -> None:
        self._server, self._first, self._timeout, self._clock, self._keep = server, token, timeout, clock, keep
        self._http = requests.Session()

    def ask(self, method: str, path: str, **fields: str) -> dict[str, Any]:
        """Make a call, once, and give the object that it brings.

        Raises:
            ChannelError: One of its four kinds; its `code` is `CODE/SUBCODE`.
        """
        return self._call(method, f"/v1.0/{path}", fields, self._token())

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def _call(self, method: str, path: str, fields: Mapping[str, str], token: str) -> dict[str, Any]:
        sent, posts = {**fields, "access_token": token}, method == "POST"
        try:
            with _hush():
                answer = self._http.request(
                    method,
                    self._server + path,
                    data=sent if posts else None,
                    params=None if posts else sent,
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            body = answer.json()
        except requests.JSONDecodeError:
            body = None
        except requests.RequestException as error:
            raise error_for_exception(error, where=WHERE) from None
        if answer.status_code == requests.codes.ok and isinstance(body, dict) and "error" not in body:
            return body
        raise self._judge(answer, body, token)

    def _judge(self, answer: requests.Response, body: object, token: str) -> ChannelError:
        said, now = body.get("error") if isinstance(body, dict) else None, self._clock.now()
        # 5xx first: a post may be out although the body says that we have no permission (tirthpatell/threads-go #30).
        if not isinstance(said, dict) or answer.status_code >= requests.codes.server_error:
            return error_for_status(answer.status_code, answer.headers, now=now, where=WHERE)
        number, code = said.get("code"), f"{said.get('code')}/{said.get('error_subcode') or ''}".rstrip("/")
        if number in _TOKEN:  # its words are not repeated: they may hold the token
            what, remedy = "no longer accepts the token", "Get a long-lived token, put it into the channel's settings"
        elif number in _FORBIDDEN:
            what, remedy = "does not let the account do this", "Look at the account, and at its app's permissions"
        elif number in _LATER:
            at = retry_at(answer.headers, now=now)
            return Unavailable(f"{WHERE} asks us to wait.", retry_at=at, whole_channel=True, code=code)
        elif number in _DOWN or said.get("is_transient"):
            return Unconfirmed(f"{WHERE} is down for a moment.", code=code)
        else:
            words = str(said.get("error_user_msg") or "no reason is given").replace(token, "…")
            return Refused(f"{WHERE} does not take it: {words}", code=code)
        return Blocked(f"{WHERE} {what}.", code=code, remedy=f"{remedy}, then: policenotify doctor")

    # --- the token

    def _token(self) -> str:
        token, renew_at = self._kept()
        if self._clock.now() >= renew_at:
            with suppress(JournalError), self._keep.lease("token", seconds=4 * self._timeout):
                token, renew_at = self._kept()
                if self._clock.now() >= renew_at:  # else another process was faster
                    token = self._renewed(token)
        return token

    def _renewed(self, token: str) -> str:
        """The token's successor; where it brings none, the token itself, and whether it still opens the door is seen.

        (Threads API, "Long-Lived Tokens", "Refresh a Long-Lived Token".)
        """
        fields = {"grant_type": "th_refresh_token"}
        try:
            said = self._call("GET", "/refresh_access_token", fields, token)
            token, wait = str(said["access_token"]), timedelta(seconds=int(said["expires_in"])) / 2
        except (ChannelError, KeyError, ValueError):
            wait = _AGAIN
        self._store(token, self._clock.now() + wait)
        return token

    def _kept(self) -> tuple[str, datetime]:
        """The token, and from when on it is to be renewed. One that a person put into the settings anew comes first."""
        first = self._first.get_secret_value()
        kept = self._keep.load("token")
        said = json.loads(kept.value) if kept else {}
        if said.get("first") == sha256(first.encode()).hexdigest():
            return said["token"], datetime.fromisoformat(said["renew_at"])
        renew_at = self._clock.now() + _OLD_ENOUGH  # how old it is nobody says
        self._store(first, renew_at)
        return first, renew_at

    def _store(self, token: str, renew_at: datetime) -> None:
        first = sha256(self._first.get_secret_value().encode()).hexdigest()
        kept = self._keep.load("token")
        value = json.dumps({"first": first, "token": token, "renew_at": renew_at.isoformat()})
        self._keep.compare_and_swap("token", value, version=kept.version if kept else None)
