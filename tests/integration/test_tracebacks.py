"""A traceback with local variables, as error trackers make it, holds no secret.

Frames of the tests themselves are left out: they hold what a caller passes in.
"""

from __future__ import annotations

import secrets
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Recipient
from policenotify.errors import PolicenotifyError
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.networks.apprise.channel import Apprise
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.settings import open_publisher, read_settings
from policenotify.testing import FakeClock, FakeMailServer
from policenotify.testing.fakes import InMemoryStateStore
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.servers.http import FakeServer
from tests.support.channels import open_channel
from tests.support.installation import accident
from tests.support.network_calls import a_post

SECRET = "s3cretV4lue-geheim"
ADDRESS = f"{SECRET}@journal.example"
SETTINGS = f"""
journal = "journal.db"
keys = "keys"
zone = "Europe/Paris"
sender = "Police nationale 34"
sendre = "misspelt"

[channels.bluesky]
network = "bluesky"
handle = "police34.example"
password = "{SECRET}"
"""


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def misspelt_setting(folder: Path) -> None:
    (folder / "policenotify.toml").write_text(SETTINGS, encoding="utf-8")
    read_settings(folder / "policenotify.toml")


def misspelt_setting_of_a_publisher(folder: Path) -> None:
    (folder / "policenotify.toml").write_text(SETTINGS, encoding="utf-8")
    open_publisher(folder / "policenotify.toml")


def misspelt_option(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    configure_channel("sky", "bluesky", {"handel": "police34.example", "password": SECRET})


def wrong_mail_url(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    url = f"mailtos://alerte:{SECRET}@police.example?nonsense=1"
    configure_channel("press", "email", {"url": url}, recipients=lambda: [ADDRESS])


def wrong_push_url(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    configure_channel("push", "apprise", {"url": f"tgram://{SECRET}"})


def unknown_push_url(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    with closing(open_channel(Apprise, url=SecretStr(f"zzz://{SECRET}"), clock=FakeClock())) as channel:
        assert channel.capabilities


def unreachable_database(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    url = f"postgresql://desk:{SECRET}@127.0.0.1:{refused_port()}/desk"
    open_journal(url, keys=Keys.create(secrets.token_bytes), timeout=2)


def unreadable_database_url(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    open_journal(f"postgresql://desk:{SECRET}@host:port/desk", keys=Keys.create(secrets.token_bytes))


def damaged_keys(folder: Path) -> None:
    place = folder / "keys"
    place.touch(0o600)
    place.write_text(f'{{"schema_version": 1, "tagging": "{SECRET}"}}', encoding="utf-8")
    Keys.load(place)


def journal_that_fails(folder: Path) -> None:
    with ExitStack() as stack:
        journal = open_journal(str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), create=True)
        stack.callback(journal.close)
        server = stack.enter_context(FakeMailServer())
        url = f"mailto://{server.host}:{server.port}/?from=alerte@police34.example&mode=insecure"
        channel = configure_channel("press", "email", {"url": url}, recipients=lambda: [ADDRESS])
        publisher = Publisher(journal=journal, channels=[channel], zone=PARIS, sender=SENDER)
        with journal.write() as connection:
            connection.exec_driver_sql("DROP TABLE pn_expansion")
        publisher.publish(accident(), key="k", actor="brigadier", wait=timedelta(0))


def _opened(network: str, options: dict[str, Any], **how: Any) -> Any:
    channel = configure_channel("one", network, options, **how)
    return channel.open(FakeClock(), InMemoryStateStore())


def _whoami(network: str, options: dict[str, Any], **how: Any) -> None:
    with closing(_opened(network, options, **how)) as channel:
        channel.whoami()


def app_password(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    with FakeServer() as server:
        _whoami("bluesky", {"handle": "police34.example", "password": SECRET, "service": server.url})


def oauth_tokens(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    with FakeServer() as server:
        options = {"handle": "police34", "client_id": "app", "client_secret": SECRET, "refresh_token": f"{SECRET}2"}
        _whoami("x", {**options, "service": server.url})


def oauth_keys(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    with FakeServer() as server:
        names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
        _whoami("x", {"handle": "police34", **dict.fromkeys(names, SECRET), "service": server.url})


def mastodon_token(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    with FakeServer() as server:
        _whoami("mastodon", {"handle": "@p34@127.0.0.1", "token": SECRET, "server": server.url})


def mail_login(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    url = f"mailto://alerte:{SECRET}@127.0.0.1:{refused_port()}/?from=alerte@police34.example&mode=insecure"
    _whoami("email", {"url": url}, recipients=lambda: [ADDRESS])


def recipient_of_a_mail(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    with FakeMailServer() as server:
        server.refuse("*", 530, "5.7.0 log in")
        url = f"mailto://{server.host}:{server.port}/?from=alerte@police34.example&mode=insecure"
        with closing(_opened("email", {"url": url}, recipients=lambda: [ADDRESS])) as channel:
            request = channel.prepare(a_post(), ())
            channel.send_to(request, [Recipient(key="0" * 64, address=ADDRESS)])


def sms_password(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    url = f"forms://sms.example:{SECRET}?:password={SECRET}&:to=nobody"
    _whoami("sms", {"url": url}, recipients=lambda: ["+33639980000"])


def webhook_secret_that_is_wrong(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    options = {"url": f"https://redaction.example/{SECRET}", "secret": f"whsec_{SECRET}"}
    configure_channel("midi-libre", "webhook", options)


def webhook_path(folder: Path) -> None:  # noqa: ARG001 - the form of all cases
    options = {"url": f"http://127.0.0.1:{refused_port()}/{SECRET}", "secret": f"whsec_{'a' * 32}"}
    _whoami("webhook", options)


CASES: tuple[Callable[[Path], None], ...] = (
    misspelt_setting,
    misspelt_setting_of_a_publisher,
    misspelt_option,
    wrong_mail_url,
    wrong_push_url,
    unknown_push_url,
    unreachable_database,
    unreadable_database_url,
    damaged_keys,
    journal_that_fails,
    app_password,
    oauth_tokens,
    oauth_keys,
    mastodon_token,
    mail_login,
    recipient_of_a_mail,
    sms_password,
    webhook_secret_that_is_wrong,
    webhook_path,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_traceback_with_locals_holds_no_secret(tmp_path: Path, case: Callable[[Path], None]) -> None:
    with pytest.raises(PolicenotifyError) as caught:
        case(tmp_path)
    shown = list(_frames(caught.value))
    assert len(shown) > 1
    assert [frame for frame in shown if SECRET in frame] == []
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def _frames(error: BaseException) -> Iterator[str]:
    """Yield each frame of an error and its causes, with its local variables, but not those of the tests."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: list[traceback.TracebackException] = [found]
    while chain:
        one = chain.pop()
        chain += [each for each in (one.__cause__, one.__context__) if each is not None]
        for frame in one.stack:
            if frame.filename != __file__:
                yield f"{frame.filename}:{frame.lineno} {frame.name} {frame.locals}"
