"""The network `feed`: files for any web server."""

from policenotify.networks.feed.channel import PublicFeed

__all__ = ["PublicFeed"]
