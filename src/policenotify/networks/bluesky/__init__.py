"""Bluesky, by atproto. The library is imported when a channel makes its first call."""

from policenotify.networks.bluesky.channel import Bluesky

__all__ = ["Bluesky"]
