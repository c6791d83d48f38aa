"""The network `webhook`: a signed call to one newsroom's system for each post."""

from policenotify.networks.webhook.channel import Webhook

__all__ = ["Webhook"]
