"""The network `bluesky`, through atproto."""

from policenotify.networks.bluesky.channel import Bluesky

__all__ = ["Bluesky"]
