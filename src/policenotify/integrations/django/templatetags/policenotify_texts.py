"""`{{ receipt.reason|say }}`: a text of policenotify in the language of the user."""

from __future__ import annotations

from django import template

from policenotify.integrations.django import language

register = template.Library()
register.filter("say", language.say)
