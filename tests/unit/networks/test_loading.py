"""Two threads that load the libraries of two channels at the same moment get complete modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BOTH = """
import sys
import threading
import time
from importlib.machinery import SourceFileLoader
from unittest.mock import patch

from pydantic import SecretStr

from policenotify.networks.email.channel import Email
from policenotify.networks.sms.channel import Sms
from tests.support.channels import open_channel

CLOSED = "127.0.0.1:1"  # nobody listens on it
CHANNELS = {
    "email": lambda: open_channel(Email, url=SecretStr(f"mailto://{CLOSED}/?from=a@police.example&mode=insecure")),
    "sms": lambda: open_channel(Sms, url=SecretStr(f"form://{CLOSED}/?:coding={{coding}}&:to={{recipient}}")),
}
first, second = sys.argv[1:]
begun, met = threading.Event(), {}
load = SourceFileLoader.exec_module


def slowly(self, module):
    if module.__name__ == "apprise" and threading.current_thread().name == first:
        begun.set()
        time.sleep(0.3)
    return load(self, module)


def ask(name):
    if name == second:
        begun.wait()
    try:
        CHANNELS[name]().whoami()
    except BaseException as error:
        met[name] = type(error).__name__


with patch.object(SourceFileLoader, "exec_module", slowly):
    threads = [threading.Thread(target=ask, args=(name,), name=name) for name in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(met["email"], met["sms"])
"""


@pytest.mark.parametrize(("first", "second"), [("email", "sms"), ("sms", "email")])
def test_a_library_that_another_thread_is_loading_is_waited_for(first: str, second: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter, which has loaded nothing yet
        [sys.executable, "-c", _BOTH, first, second], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("Unavailable Unavailable\n", "")
