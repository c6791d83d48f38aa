"""The network `email`, through apprise."""

from policenotify.networks.email.channel import Email

__all__ = ["Email"]
