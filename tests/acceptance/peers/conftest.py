"""Real servers for the tests. They start side by side, and tests of unavailable ones are skipped.

With `POLICENOTIFY_PEERS=required`, as in `.ci/run`, no test may be skipped.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policenotify.channel import ChannelConfig
from policenotify.journal.keys import Keys
from policenotify.publishing.publisher import Publisher
from tests.acceptance.peers.kannel_server import Kannel
from tests.acceptance.peers.mail_server import MailServer
from tests.acceptance.peers.pds_server import Pds
from tests.acceptance.peers.programs import CannotBeHad
from tests.acceptance.peers.snac_server import Snac
from tests.acceptance.peers.spam_filter import SpamAssassin
from tests.support.installation import open_journal_publisher, soon

_REQUIRED = os.environ.get("POLICENOTIFY_PEERS") == "required"
_SERVERS: dict[str, Any] = {
    "mail_server": MailServer,
    "kannel": Kannel,
    "pds": Pds,
    "snac": Snac,
    "spam_filter": SpamAssassin,
}
_STARTED = pytest.StashKey[dict[str, Future[Any]]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that need the server which takes longest to start come last."""
    items.sort(key=lambda item: "pds" in getattr(item, "fixturenames", ()))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what the collected tests will ask for, all at once."""
    names = {name for item in session.items for name in getattr(item, "fixturenames", ()) if name in _SERVERS}
    if not session.config.option.collectonly:
        _start(names, session.config)


def _start(names: set[str], config: pytest.Config) -> None:
    started = config.stash.setdefault(_STARTED, {})
    missing = names - started.keys()
    if missing:
        threads = ThreadPoolExecutor(len(missing))
        started.update({name: threads.submit(_SERVERS[name]) for name in sorted(missing)})
        threads.shutdown(wait=False)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was started."""
    for started in config.stash.get(_STARTED, {}).values():
        if started.exception() is None:
            started.result().__exit__(None, None, None)


def _server(name: str, config: pytest.Config) -> Any:
    _start({name}, config)  # one that a test asks for only as it runs
    try:
        return config.stash[_STARTED][name].result()
    except CannotBeHad as missing:
        if _REQUIRED:
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def mail_server(pytestconfig: pytest.Config) -> Any:
    return _server("mail_server", pytestconfig)


@pytest.fixture(scope="session")
def pds(pytestconfig: pytest.Config) -> Any:
    return _server("pds", pytestconfig)


@pytest.fixture(scope="session")
def kannel(pytestconfig: pytest.Config) -> Any:
    return _server("kannel", pytestconfig)


@pytest.fixture(scope="session")
def snac(pytestconfig: pytest.Config) -> Any:
    return _server("snac", pytestconfig)


@pytest.fixture(scope="session")
def spam_filter(pytestconfig: pytest.Config) -> Any:
    return _server("spam_filter", pytestconfig)


@pytest.fixture
def mail(mail_server: MailServer) -> MailServer:
    """postfix and dovecot, with empty mailboxes."""
    mail_server.empty()
    return mail_server


NewPublisher = Callable[..., Publisher]


@pytest.fixture
def new_publisher(tmp_path: Path) -> Iterator[NewPublisher]:
    """Makes publishers on one journal, with the channels that it is given."""
    keys = Keys.create(secrets.token_bytes)
    opened: list[Publisher] = []

    def make(*channels: ChannelConfig, **how: Any) -> Publisher:
        usual = {"wait": timedelta(seconds=30), "backoff": soon}
        opened.append(open_journal_publisher(tmp_path / "journal.db", keys, *channels, **{**usual, **how}))
        return opened[-1]

    yield make
    for publisher in opened:
        publisher.close()
