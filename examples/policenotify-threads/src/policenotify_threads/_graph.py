"""Calls of Meta's Graph API, the errors of its answers, and the renewal of the token."""

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
_DOWN = {1, 2}  # "Possibly a temporary issue due to downtime": it may have had an effect

# Threads API, "Long-Lived Tokens": valid for 60 days, "can be refreshed as long as they are at least 24 hours old".
_OLD_ENOUGH = timedelta(hours=24)
_RETRY_DELAY = timedelta(hours=1)  # our choice after a failed renewal; the token stays valid for weeks

# The token is part of the URL (Threads API, every "Example Request"), which urllib3 logs.
_hush = mute_loggers(logging.getLogger("urllib3.connectionpool"))


class Graph:
    """A client of the Graph API for one account.

    Args:
        server: The URL of the server.
        token: The first long-lived token. Its successors are stored in *store*.
        timeout: Seconds to wait for a connection, and again for each part of an answer.
        clock: The time.
        store: Stores the token for all processes.
    """

    def __init__(self, *, server: str, token: SecretStr, timeout: float, clock: Clock, store: StateStore) -> None:
        self._server, self._first, self._timeout, self._clock, self._state = server, token, timeout, clock, store
        self._http = requests.Session()

    def ask(self, method: str, path: str, **fields: str) -> dict[str, Any]:
        """Make one call and return the object of its answer.

        Raises:
            ChannelError: The call failed. Its `code` is `CODE/SUBCODE`.
        """
        return self._call(method, f"/v1.0/{path}", fields, self._token())

    def close(self) -> None:
        """Close connections."""
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
        detail, now = body.get("error") if isinstance(body, dict) else None, self._clock.now()
        # 5xx first: a post may be published although the body denies permission (tirthpatell/threads-go #30).
        if not isinstance(detail, dict) or answer.status_code >= requests.codes.server_error:
            return error_for_status(answer.status_code, answer.headers, now=now, where=WHERE)
        number, code = detail.get("code"), f"{detail.get('code')}/{detail.get('error_subcode') or ''}".rstrip("/")
        if number in _TOKEN:  # the text is not repeated: it may hold the token
            reason, remedy = "no longer accepts the token", "Get a long-lived token, put it into the channel's settings"
        elif number in _FORBIDDEN:
            reason, remedy = "does not let the account do this", "Check the account, and its app's permissions"
        elif number in _LATER:
            at = retry_at(answer.headers, now=now)
            return Unavailable(f"{WHERE} asks us to wait.", retry_at=at, whole_channel=True, code=code)
        elif number in _DOWN or detail.get("is_transient"):
            return Unconfirmed(f"{WHERE} is temporarily down.", code=code)
        else:
            words = str(detail.get("error_user_msg") or "no reason is given").replace(token, "…")
            return Refused(f"{WHERE} rejected it: {words}", code=code)
        return Blocked(f"{WHERE} {reason}.", code=code, remedy=f"{remedy}, then: policenotify doctor")

    # --- the token

    def _token(self) -> str:
        token, renew_at = self._stored()
        if self._clock.now() >= renew_at:
            with suppress(JournalError), self._state.lease("token", seconds=4 * self._timeout):
                token, renew_at = self._stored()
                if self._clock.now() >= renew_at:  # else another process renewed it first
                    token = self._renew(token)
        return token

    def _renew(self, token: str) -> str:
        """Return the successor of a token, or the token itself if there is none.

        (Threads API, "Long-Lived Tokens", "Refresh a Long-Lived Token".)
        """
        fields = {"grant_type": "th_refresh_token"}
        try:
            answer = self._call("GET", "/refresh_access_token", fields, token)
            token, wait = str(answer["access_token"]), timedelta(seconds=int(answer["expires_in"])) / 2
        except (ChannelError, KeyError, ValueError):
            wait = _RETRY_DELAY
        self._store(token, self._clock.now() + wait)
        return token

    def _stored(self) -> tuple[str, datetime]:
        """Return the token and the time of its renewal. A new token in the settings replaces the stored one."""
        first = self._first.get_secret_value()
        stored = self._state.load("token")
        state = json.loads(stored.value) if stored else {}
        if state.get("first") == sha256(first.encode()).hexdigest():
            return state["token"], datetime.fromisoformat(state["renew_at"])
        renew_at = self._clock.now() + _OLD_ENOUGH  # its age is unknown
        self._store(first, renew_at)
        return first, renew_at

    def _store(self, token: str, renew_at: datetime) -> None:
        first = sha256(self._first.get_secret_value().encode()).hexdigest()
        stored = self._state.load("token")
        value = json.dumps({"first": first, "token": token, "renew_at": renew_at.isoformat()})
        self._state.compare_and_swap("token", value, version=stored.version if stored else None)
