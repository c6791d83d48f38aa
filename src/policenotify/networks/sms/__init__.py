"""The network `sms`, through gateways of apprise."""

from policenotify.networks.sms.channel import Sms

__all__ = ["Sms"]
