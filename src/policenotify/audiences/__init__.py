"""Who receives mails and SMS: subscribers, where they come from, and whom a message concerns."""

from policenotify.audiences.model import Audience, Consent, Row, Subscriber, WrongRow

__all__ = ["Audience", "Consent", "Row", "Subscriber", "WrongRow"]
