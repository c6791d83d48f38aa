"""What our networks share of apprise: one plugin at a time, at once, and without a word in the log.

Importing this module loads apprise itself, but not its plugins: `Apprise.add("…://…")` imports all of them, importing
a plugin's module only that one. So networks import this where they first need it.
"""

from __future__ import annotations

import logging
import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar, cast

from apprise import AppriseAsset
from apprise.exception import AppriseImproperlyConfigured
from apprise.logger import logger
from apprise.plugins.base import NotifyBase

from policenotify.errors import Blocked
from policenotify.networks._loading import loading
from policenotify.transport import mute_loggers

Service = TypeVar("Service", bound=NotifyBase)

# service_timeout=0: apprise would abandon a service after 60 seconds, and go on sending behind our back.
# http_redirects: a post and its secrets go to nobody else. image_url_…: readers' apps would fetch pictures from GitHub.
ASSET = AppriseAsset(
    app_id="policenotify",
    service_timeout=0,
    secure_logging=True,
    allow_templates=False,
    http_redirects=False,
    image_url_mask="",
    image_url_logo="",
)

# What apprise's plugins call logs, at DEBUG, whole addresses with what stands in their query.
_LOUD = (logger, *map(logging.getLogger, ("urllib3.connectionpool", "urllib3.util.retry", "smpplib.Client")))


hush = mute_loggers(*_LOUD)
"""Keep apprise from logging what this thread makes it do."""


def service(plugin: type[Service], url: str) -> Service:
    """Make one of apprise's services from its URL, as `Apprise.instantiate` does, for one known plugin.

    Args:
        plugin: The plugin's class.
        url: The URL.

    Returns:
        The service: no wait between its requests (apprise's default is 5.5 seconds), no retries of its own.

    Raises:
        Blocked: The URL makes no sense to the plugin. It is not repeated: it holds a password.
    """
    made = _made(plugin, url)
    if made is None:  # outside of `except`: apprise's own words hold the password
        raise Blocked(
            "The channel's url cannot be read.",
            remedy=f"Write it as {plugin.setup_url} tells; percent-encode @ : / ? # in user and password.",
        )
    made.request_rate_per_sec = 0
    made.retry = 0
    return made


def _made(plugin: type[Service], url: str) -> Service | None:
    with hush():
        try:
            parsed = plugin.parse_url(url)
            return plugin(asset=ASSET, **parsed) if parsed else None
        except (AppriseImproperlyConfigured, TypeError, ValueError, AttributeError):
            return None


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
    with loading(), warnings.catch_warnings():  # apprise's e-mail plugin looks for imghdr, which is to leave the stdlib
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
