"""Mastodon and servers that speak its API, by Mastodon.py. The library is imported when a channel makes its first call."""

from policenotify.networks.mastodon.channel import Mastodon

__all__ = ["Mastodon"]
