"""How long a text is on a network, what may stand in it, and how to make it fit.

Only the measures are imported from here, since every network needs them; what shapes a text is in
[`characters`][policenotify.text.characters], [`spans`][policenotify.text.spans],
[`comparing`][policenotify.text.comparing] and [`fitting`][policenotify.text.fitting].
"""

from policenotify.text.budget import Budget, graphemes, utf8_bytes

__all__ = ["Budget", "graphemes", "utf8_bytes"]
