"""The network `mastodon`, through Mastodon.py."""

from policenotify.networks.mastodon.channel import Mastodon

__all__ = ["Mastodon"]
