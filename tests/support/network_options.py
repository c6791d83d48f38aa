"""The options of channels on fake servers."""

from __future__ import annotations

from typing import Any

from policenotify.testing import FakeBlueskyServer, FakeMailServer, FakeMastodonServer, FakeSmsServer, FakeXServer
from policenotify.testing.servers.webhook import FakeWebhookServer


def x_options(server: FakeXServer) -> dict[str, Any]:
    return {
        "handle": server.handle,
        "consumer_key": server.consumer[0],
        "consumer_secret": server.consumer[1],
        "access_token": server.access[0],
        "access_token_secret": server.access[1],
        "service": server.url,
    }


def mastodon_options(server: FakeMastodonServer) -> dict[str, Any]:
    return {"handle": server.handle, "token": server.token, "server": server.url}


def bluesky_options(server: FakeBlueskyServer) -> dict[str, Any]:
    return {"handle": server.handle, "password": server.password, "service": server.url}


def mail_options(server: FakeMailServer, login: tuple[str, str] | None = None) -> dict[str, Any]:
    user = f"{':'.join(login)}@" if login else ""
    return {"url": f"mailto://{user}{server.host}:{server.port}/?from=alerte@police34.example&mode=insecure"}


def sms_options(server: FakeSmsServer) -> dict[str, Any]:
    """Return the options of a channel through Kannel."""
    url = (
        f"form://{server.url.removeprefix('http://')}{server.KANNEL}?method=GET&:username={server.user}"
        f"&:password={server.password}&:version=&:title=&:type=&:message=text&:charset=UTF-8"
        "&:coding={coding}&:from=POLICE34&:to={recipient}"
    )
    return {"url": url}


def webhook_options(server: FakeWebhookServer) -> dict[str, Any]:
    return {"url": f"{server.url}/police", "secret": server.secret}
