"""The network `console`: each post on standard error, for development."""

from policenotify.networks.console.channel import Console

__all__ = ["Console"]
