"""The network `x`, through tweepy."""

from policenotify.networks.x.channel import X

__all__ = ["X"]
