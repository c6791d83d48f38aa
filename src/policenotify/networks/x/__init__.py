"""X, by tweepy. The library is imported when a channel makes its first call."""

from policenotify.networks.x.channel import X

__all__ = ["X"]
