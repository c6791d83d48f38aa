"""Who delivers, where the host has an engine of its own: Procrastinate, Celery; and publishing from Django.

Each calls `drain` on what the journal holds, and decides nothing: order, urgency, pauses and doubt are the journal's. A
wake-up that is lost or comes twice is harmless, because each also looks for itself every half minute.
"""
