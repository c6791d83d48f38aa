"""Rendering: how a message reads on one channel.

A `RenderContext` holds a message in one language, and `render` renders it for one target. Both are pure: the same
arguments give the same text, on any host and on any day. `short_post` and `mail` describe the parts and their order.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from policenotify.render.context import RenderContext
    from policenotify.render.renderer import render

__all__ = ["RenderContext", "render"]

_HOMES: Final = {"RenderContext": "context", "render": "renderer"}


def __getattr__(name: str) -> object:  # settings need the locales below, and nothing that renders
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
