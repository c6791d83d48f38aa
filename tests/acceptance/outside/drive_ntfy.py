"""Publish through the ntfy channel on a real server and print what subscribers get. Run in its environment.

Reads a JSON object: the server's address, a token that may read and write the topic, and one that may only write.
Prints one.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing

import requests
from policenotify_ntfy import Ntfy
from pydantic import SecretStr

from policenotify.channel import Post, PostRef, Services
from policenotify.errors import ChannelError
from policenotify.testing import FakeClock, InMemoryStateStore
from policenotify.testing.contract.texts import TEXTS, error_of, longest

_LINK = "https://police.example/a?b=c"


def main(server: str, token: str, writer: str) -> dict[str, object]:
    """Publish difficult texts, and the longest one."""

    def opened(password: str) -> closing[Ntfy]:
        options = Ntfy.Options(topic="police", token=SecretStr(password), server=server)
        return closing(Ntfy(options, Services(FakeClock(), InMemoryStateStore())))

    def failed(password: str) -> tuple[str, str]:
        with opened(password) as channel:
            error: ChannelError = error_of(channel.whoami)
        return type(error).__name__, error.code

    with opened(token) as channel:
        texts = (*TEXTS.values(), longest(channel.capabilities.budget))
        refs = [publish(channel, number, text) for number, text in enumerate(texts)]
        account = channel.whoami().id
    read = requests.get(f"{server}/police/json?poll=1", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    got = [json.loads(line) for line in read.text.splitlines()]
    return {
        "account": account,
        "denied": [failed("tk_nonsense"), failed(writer)],
        "arrived": [(each["title"], each["message"]) for each in got] == [("Titre « é »", text) for text in texts],
        "ids": [each["id"] for each in got] == [ref.id for ref in refs],
        "clicks": {each.get("click") for each in got} == {_LINK},
        "files": [each["attachment"]["name"] for each in got if "attachment" in each],
    }


def publish(channel: Ntfy, number: int, text: str) -> PostRef:
    """Publish a text."""
    post = Post.model_validate(
        {
            "key": f"{number:064x}",
            "account": channel.account,
            "stage": "opening",
            "category": "traffic",
            "language": "fr",
            "text": text,
            "title": "Titre « é »",
            "link": _LINK,
            "created_at": FakeClock().now(),
        }
    )
    return channel.send(channel.prepare(post, ()))


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))  # noqa: T201 - read by the test
