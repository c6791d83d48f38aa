"""The network `feed`: files for any web server."""

from policenotify.networks.feed.channel import Feed

__all__ = ["Feed"]
