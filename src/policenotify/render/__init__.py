"""Rendering: how a message reads on one channel.

A `RenderContext` holds a message in one language, and `render` renders it for one target. Both are pure: the same
arguments give the same text, on any host and on any day. `short_post` and `mail` describe the parts and their order.
"""
