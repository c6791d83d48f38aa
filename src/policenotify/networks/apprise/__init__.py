"""The network `apprise`: any other service by its apprise URL."""

from policenotify.networks.apprise.channel import Apprise

__all__ = ["Apprise"]
