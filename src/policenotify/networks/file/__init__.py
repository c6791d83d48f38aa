"""The network `file`: each post as a file in a folder, for development."""

from policenotify.networks.file.channel import PostFiles

__all__ = ["PostFiles"]
