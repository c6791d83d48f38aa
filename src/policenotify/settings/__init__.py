"""The settings of an installation, and its publisher.

They come from a TOML file, the environment and files of secrets. All errors are reported at once, by field
(`channels.bluesky.handle`), with the file or variable of each value and never with a secret.
"""

from __future__ import annotations

from policenotify.settings.audiences import AudienceSettings
from policenotify.settings.factory import audience_of, channels_of, may_of
from policenotify.settings.installation import SettingsFile, diagnose, open_publisher
from policenotify.settings.languages import locales_of, missing_labels, profiles_of
from policenotify.settings.loader import read_settings
from policenotify.settings.model import ChannelTable, Settings
from policenotify.settings.new_installation import write_settings

__all__ = [
    "AudienceSettings",
    "ChannelTable",
    "Settings",
    "SettingsFile",
    "audience_of",
    "channels_of",
    "diagnose",
    "locales_of",
    "may_of",
    "missing_labels",
    "open_publisher",
    "profiles_of",
    "read_settings",
    "write_settings",
]
