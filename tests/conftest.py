"""Hypothesis profiles, isolation from the machine's settings, and set-up shared by all tests."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Dialect, Engine, event

# No example has a deadline, and no machine is too slow.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
anywhere = settings.get_profile("any")
settings.register_profile("dev", anywhere, max_examples=30)
settings.register_profile("ci", anywhere, max_examples=60, derandomize=True)
settings.register_profile("brief", anywhere, max_examples=10, derandomize=True)
settings.register_profile("deep", anywhere, max_examples=5_000)
os.umask(0o077)  # files that others may read are refused; a test of that opens them itself

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A module is compiled once, and not by every worker and every process that a test starts.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Use one process more than there are cores, for a third of the time tests wait for a fake server."""
    return (yield) + 1


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("POLICENOTIFY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # the desk is English unless a test speaks French


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager that listens, as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


@pytest.fixture(autouse=True, scope="session")
def _few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust no authority of the machine: each client would read those hundred again, and the loopback needs none."""
    end = "-----END CERTIFICATE-----\n"
    one = tmp_path_factory.mktemp("authorities") / "one.pem"
    one.write_text(certifi.contents().partition(end)[0] + end, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(one))
        yield


@pytest.fixture(autouse=True, scope="module")
def _what_is_loaded_stays() -> Iterator[None]:
    """The client libraries are a million objects: no later collection goes through them again."""
    yield
    gc.collect()
    gc.freeze()


_dialects: dict[type[Dialect], Dialect] = {}
_statements: dict[Any, Any] = {}


@event.listens_for(Engine, "engine_connect")
def _written_once(connection: Connection) -> None:
    """A statement is made into SQL once, and not for each of a thousand journals."""
    engine = connection.engine
    if "compiled_cache" not in engine.get_execution_options():
        shared = _dialects.setdefault(type(engine.dialect), engine.dialect)  # a statement is known by its dialect too
        engine.dialect = connection.dialect = shared
        engine.update_execution_options(compiled_cache=_statements)
        connection.execution_options(compiled_cache=_statements)
