"""How a message reads on one channel: the only place that words.

A `RenderContext` draws together what is said in one language; `render` words it for
one leg. Pure: the same arguments give the same text, on any host and on any day.

A post on a short network reads, in this order:

1. the mark of an exercise, the sign of category or stage, `[#Category – STAGE]` and the place (**required**);
2. the headline, with street and time where it does not tell them itself (**required**);
3. for a later message worded to stand alone, what it refers to;
4. the description;
5. the instruction (**required**);
6. when the desk will say more, or until when it holds (**required**);
7. the link, and more hashtags, up to three in all; the category's among them where no bracket may stand before one.

What is not required gives way in this order: the description, shortened sentence by sentence (and word by word where it
belongs to no incident), then left out; the additional hashtags, the last one first; the link; what the message refers
to. Where what is required does not fit, it becomes a thread; where that cannot be, what, where, the first sentence of
what to do, and where the rest is.
"""

from policenotify.render.context import RenderContext
from policenotify.render.renderer import render

__all__ = ["RenderContext", "render"]
