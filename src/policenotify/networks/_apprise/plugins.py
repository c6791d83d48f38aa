"""Which of apprise's plugins a scheme stands for.

Importing this module loads apprise.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from apprise.plugins.base import NotifyBase

from policenotify.networks import import_lock

# Plugins whose module has another name than their scheme; for what is neither here nor so named all must be loaded.
_MODULES = {
    "46elks": "fortysixelks",
    "elks": "fortysixelks",
    "form": "custom_form",
    "forms": "custom_form",
    "gchat": "google_chat",
    "json": "custom_json",
    "jsons": "custom_json",
    "mmost": "mattermost",
    "mmosts": "mattermost",
    "nctalk": "nextcloudtalk",
    "nctalks": "nextcloudtalk",
    "nexmo": "vonage",
    "rocket": "rocketchat",
    "rockets": "rocketchat",
    "signal": "signal_api",
    "signals": "signal_api",
    "tgram": "telegram",
    "xml": "custom_xml",
    "xmls": "custom_xml",
}


@cache
def plugin_of(scheme: str) -> type[NotifyBase] | None:
    """The plugin of apprise for a scheme; only its own module is loaded where its name can be told.

    Args:
        scheme: In lower case.
    """
    names = (_MODULES.get(scheme, scheme), scheme.removesuffix("s"))
    with (
        import_lock(),
        warnings.catch_warnings(),
    ):  # apprise's e-mail plugin looks for imghdr, which is to leave the stdlib
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in names:
            if not name.isidentifier() or find_spec(f"apprise.plugins.{name}") is None:
                continue
            for found in list(vars(import_module(f"apprise.plugins.{name}")).values()):
                if not (isinstance(found, type) and issubclass(found, NotifyBase)):
                    continue
                if scheme in schemes(found, "protocol", "secure_protocol"):
                    return found
        from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 - loads all plugins

        every = cast("Any", NotificationManager)()
        known: type[NotifyBase] | None = every[scheme] if scheme in every else None  # noqa: SIM401 - it has no get
        return known


def schemes(plugin: type[NotifyBase], *kinds: str) -> set[str]:
    """The schemes that a plugin has under these of its attributes."""
    spelled = (getattr(plugin, kind, None) for kind in kinds)
    return {one for each in spelled for one in ([each] if isinstance(each, str) else each or ())}
