"""The settings of an installation: read from a TOML file, the environment and files of secrets; and its publisher.

What is wrong is told all at once, by field (`channels.bluesky.handle`), with the file or variable it comes from, and
never with a secret.
"""

from __future__ import annotations

from policenotify.settings.exposure import exposed
from policenotify.settings.factory import channels_of, open_publisher, routes_of
from policenotify.settings.init import IGNORED, TEMPLATE, write_settings
from policenotify.settings.language_record import LoadedLocale
from policenotify.settings.languages import languages_of, unnamed, words_of
from policenotify.settings.loader import profiles_of, read_settings
from policenotify.settings.model import ChannelSettings, RecipientSettings, ReminderSettings, RouteSettings, Settings

__all__ = [
    "IGNORED",
    "TEMPLATE",
    "ChannelSettings",
    "LoadedLocale",
    "RecipientSettings",
    "ReminderSettings",
    "RouteSettings",
    "Settings",
    "channels_of",
    "exposed",
    "languages_of",
    "open_publisher",
    "profiles_of",
    "read_settings",
    "routes_of",
    "unnamed",
    "words_of",
    "write_settings",
]
