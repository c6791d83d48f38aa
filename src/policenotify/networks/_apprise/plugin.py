"""Plugins of apprise, loaded one at a time and kept from logging.

Importing this module loads apprise, but not its plugins. `Apprise.add("…://…")` would import all of them. Networks
import this module where they first need it.
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
from policenotify.networks import import_lock
from policenotify.transport import mute_loggers

Service = TypeVar("Service", bound=NotifyBase)

# service_timeout=0: apprise would abandon a service after 60 seconds while it goes on sending.
# http_redirects: posts and secrets go to no other host. image_url_…: apps would fetch pictures from GitHub.
ASSET = AppriseAsset(
    app_id="policenotify",
    service_timeout=0,
    secure_logging=True,
    allow_templates=False,
    http_redirects=False,
    image_url_mask="",
    image_url_logo="",
)

# At DEBUG, the libraries of the plugins log whole URLs with their queries.
_LOGGERS = (logger, *map(logging.getLogger, ("urllib3.connectionpool", "urllib3.util.retry", "smpplib.Client")))

hush = mute_loggers(*_LOGGERS)
"""Keep apprise from logging in this thread."""


def make_service(plugin: type[Service], url: str) -> Service:
    """Return the service of a URL from a known plugin, as `Apprise.instantiate` does.

    It waits neither before requests (apprise's default is 5.5 seconds) nor retries.

    Raises:
        Blocked: The plugin cannot read the URL. The URL is not repeated, because it holds a password.
    """
    service = _instance(plugin, url)
    if service is None:  # outside of `except`: apprise's error holds the password
        raise Blocked(
            "apprise cannot read the channel's url. Nothing was sent.",
            remedy=f"Write it as described at {plugin.setup_url}; percent-encode @ : / ? # in user and password.",
        )
    service.request_rate_per_sec = 0
    service.retry = 0
    return service


def _instance(plugin: type[Service], url: str) -> Service | None:
    with hush():
        try:
            parsed = plugin.parse_url(url)
            return plugin(asset=ASSET, **parsed) if parsed else None
        except (AppriseImproperlyConfigured, TypeError, ValueError, AttributeError):
            return None


# Plugins whose module is not named like their scheme. For a scheme in neither group all plugins are loaded.
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
    """Return the plugin of a lower-case scheme, loading as few as possible."""
    names = (_MODULES.get(scheme, scheme), scheme.removesuffix("s"))
    with import_lock(), warnings.catch_warnings():  # apprise imports imghdr, which is deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in names:
            if not name.isidentifier() or find_spec(f"apprise.plugins.{name}") is None:
                continue
            for kind in list(vars(import_module(f"apprise.plugins.{name}")).values()):
                if not (isinstance(kind, type) and issubclass(kind, NotifyBase)):
                    continue
                if scheme in schemes(kind, "protocol", "secure_protocol"):
                    return kind
        from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 - loads all plugins

        every = cast("Any", NotificationManager)()
        known: type[NotifyBase] | None = every[scheme] if scheme in every else None  # noqa: SIM401 - it has no get
        return known


def schemes(plugin: type[NotifyBase], *kinds: str) -> set[str]:
    """Return the schemes of a plugin in these of its attributes."""
    values = (getattr(plugin, kind, None) for kind in kinds)
    return {scheme for value in values for scheme in ([value] if isinstance(value, str) else value or ())}
