"""Inputs made from valid ones by small changes, and the rule for all of them.

Only errors of policenotify are raised, soon, and without a secret in their text.
"""

from __future__ import annotations

import copy
import json
import signal
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from typing import Any, Final, NoReturn

from hypothesis import settings
from hypothesis import strategies as st

from policenotify.errors import PolicenotifyError
from policenotify.testing.strategies import nasty_text

FEW: Final = max(10, settings().max_examples // 4)  # examples, where each takes long
HANG: Final = 60  # seconds for what takes milliseconds
SURROGATE: Final = "\ud83d"  # half an emoji, as JSON can escape it

ODD_NUMBERS: Final = (
    0, -1, 1, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"),
)  # fmt: skip
ODD_TEXTS: Final = (
    "", " ", "a" * 5_000, "é" * 999, SURROGATE, "\0", "1", "-1", "1e999", "null", "{}", "[", "../..", "%00", "\r\nX: 1",
    "2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "P9999999Y", "https://[", "http://a:x/",
    "١٢٣", "²", "1_0", "İ", "ſ", "\u2028",
)  # fmt: skip
SCALARS: Final = (
    st.none() | st.booleans() | st.sampled_from(ODD_NUMBERS) | st.sampled_from(ODD_TEXTS) | nasty_text(max_parts=3)
)


def values() -> st.SearchStrategy[Any]:
    """Generate JSON values of every type, odd ones among them."""
    keys = st.sampled_from(("", "a", "id", "__class__", "file", "env", SURROGATE))
    return st.recursive(SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(keys, some, max_size=3))


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a document, with each key in it."""
    match value:
        case dict():
            entries: Any = list(value.items())
        case list():
            entries = list(enumerate(value))
        case _:
            return
    for key, child in entries:
        yield value, key
        yield from _places(child)


@st.composite
def mutated(draw: st.DrawFn, document: Any, *, most: int = 3) -> Any:
    """Generate documents that differ from a valid one in one to *most* places."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(document))
        if not places:
            return draw(values())
        container, key = places[draw(st.integers(0, len(places) - 1))]
        old = container[key]
        match draw(st.sampled_from(("value", "value", "remove", "rename", "repeat", "wrap", "text"))):
            case "remove":
                del container[key]
            case "rename" if isinstance(container, dict):
                container[draw(st.sampled_from((f"{key}s", f"{key}"[:-1], f"{key}".upper(), "")))] = container.pop(key)
            case "repeat" if isinstance(container, list):
                container.extend([old] * draw(st.integers(1, 50)))
            case "wrap":
                container[key] = draw(st.sampled_from(([old], {"a": old}, {key: old}, str(old))))
            case "text" if isinstance(old, str):
                at = draw(st.integers(0, len(old)))
                container[key] = old[:at] + draw(nasty_text(max_parts=2) | st.sampled_from(ODD_TEXTS)) + old[at:]
            case _:
                container[key] = draw(values())
    return document


@st.composite
def damaged(draw: st.DrawFn, content: bytes, *, most: int = 4) -> bytes:
    """Generate bytes that differ from valid ones: cut, overwritten, inserted or repeated somewhere."""
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(content)))
        size = draw(st.sampled_from((0, 1, 2, 4, 16, 256)))
        new = draw(st.binary(max_size=4) | st.sampled_from((b"\xff" * 4, bytes(4), content[at : at + size] * 3)))
        content = content[:at] + new + content[at + size :]
    return content if draw(st.integers(0, 4)) else content[: draw(st.integers(0, len(content)))]


def json_texts(document: object) -> st.SearchStrategy[bytes]:
    """Generate a changed document as JSON, which may be damaged, too."""
    written = mutated(document).map(lambda value: json.dumps(value).encode())
    return written | st.one_of(damaged(json.dumps(document).encode())) | written.flatmap(damaged)


def toml(table: Mapping[str, Any]) -> str:
    """Return a table as TOML, all inner ones inline. What TOML does not have is left out."""
    return "".join(f"{_toml(str(key))} = {_toml(value)}\n" for key, value in table.items() if value is not None)


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case Mapping():
            inner = (f"{_toml(str(key))} = {_toml(one)}" for key, one in value.items() if one is not None)
            return f"{{{', '.join(inner)}}}"
        case list() | tuple():
            return f"[{', '.join(_toml(one) for one in value if one is not None)}]"
        case date() | time():
            return value.isoformat()
        case _:
            text = str(value).encode("utf-8", "replace").decode()
            return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


class Hung(BaseException):
    """It took far longer than it may. No handler of the package catches this."""


def _hang(*_: object) -> NoReturn:
    raise Hung(f"nothing came for {HANG} seconds")


@contextmanager
def only_ours(*allowed: type[Exception], secrets: tuple[str, ...] = ()) -> Iterator[list[Exception]]:
    """Allow success, our own errors and those *allowed*, soon, and without any secret in what an error shows.

    Yields:
        A list that then holds the error, if there was one.
    """
    raised: list[Exception] = []
    expected: tuple[type[Exception], ...] = (PolicenotifyError, *allowed)
    before = signal.signal(signal.SIGALRM, _hang)
    signal.alarm(HANG)
    try:
        yield raised
    except expected as error:
        raised.append(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    for one in raised:
        shown = "".join(traceback.format_exception(one)) + repr(one)
        assert not [secret for secret in secrets if secret in shown], shown
        assert allowed or str(one).encode(), "an error needs a text that can be printed"
