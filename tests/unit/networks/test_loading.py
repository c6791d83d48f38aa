"""Client libraries: loaded on first use, complete in each thread, and named by their extra where they are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from policenotify.errors import MissingExtra
from policenotify.networks.registry import configure_channel

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


def in_a_new_interpreter(program: str, *arguments: str) -> str:
    """Return what a process prints that has loaded nothing yet. It must write no error."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_library_that_another_thread_is_loading_is_waited_for() -> None:
    assert in_a_new_interpreter(_BOTH, "email", "sms") == "Unavailable Unavailable\n"


KEYS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
_FIRST_USE = """
import sys
from pydantic import SecretStr
from policenotify.audiences.function import FunctionAudience
from policenotify.networks.registry import configure_channel, networks
from policenotify.testing import FakeClock, InMemoryStateStore

networks()
secret = "hush-hush-hush"
keys = dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), secret)
people = (FunctionAudience(name="people", function=list),)
made = [
    configure_channel("1", "x", {"handle": "police34", **keys}),
    configure_channel("2", "mastodon", {"server": "https://social.example", "handle": "police34", "token": secret}),
    configure_channel("3", "bluesky", {"handle": "police.example", "password": secret}),
    configure_channel("4", "email", {"url": f"mailtos://desk:{secret}@police.example"}, audiences=people),
    configure_channel("5", "sms", {"url": f"forms://sms.example/?:key={secret}&:to={{recipient}}"}, audiences=people),
]
channels = [each.open(FakeClock(), InMemoryStateStore()) for each in made]
assert secret not in f"{channels} {made}"
for channel in channels:
    channel.capabilities, channel.account
    channel.close()
heavy = "apprise atproto atproto_client httpx mastodon oauthlib phonenumbers requests sqlalchemy tweepy urllib3".split()
print([name for name in heavy if name in sys.modules])

push = configure_channel("6", "apprise", {"url": "ntfy://127.0.0.1:1/alertes"}).open(FakeClock(), InMemoryStateStore())
try:
    push.whoami()
except Exception as error:
    plugins = {name.split(".")[2] for name in sys.modules if name.startswith("apprise.plugins.")}
    print(type(error).__name__, len(plugins) < 12)
"""


def test_a_channel_loads_its_library_on_first_use_and_of_apprise_one_plugin() -> None:
    assert in_a_new_interpreter(_FIRST_USE) == "[]\nUnavailable True\n"  # of 189 plugins


@pytest.mark.parametrize(
    ("name", "library", "options"),
    [
        ("x", "tweepy", {"handle": "police34", **dict.fromkeys(KEYS, "k")}),
        ("mastodon", "mastodon", {"server": "https://social.example", "handle": "police34", "token": "t"}),
        ("bluesky", "atproto", {"handle": "police.example", "password": "p"}),
        ("email", "apprise", {"url": "mailtos://desk:p@police.example"}),
        ("sms", "phonenumbers", {"url": "forms://gateway.example/?:to={recipient}"}),
        ("apprise", "apprise", {"url": "ntfys://ntfy.example/alertes"}),
        ("webhook", "requests", {"url": "https://police.example/", "secret": "whsec_" + "A" * 32}),
        (
            "feed",
            "requests",
            {"url": "https://police.example/", "folder": "/f", "publisher": "P", "hubs": ["https://h.example/"]},
        ),
    ],
)
def test_a_missing_library_is_named_by_its_extra_when_the_settings_are_read(
    monkeypatch: pytest.MonkeyPatch, name: str, library: str, options: dict[str, object]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    extra = "webhook" if name == "feed" else name
    with pytest.raises(MissingExtra, match=rf"pip install 'policenotify\[{extra}\]'"):
        configure_channel("one", name, options)
