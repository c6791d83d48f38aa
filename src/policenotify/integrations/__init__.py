"""Deliver and publish from a host application: Celery, Procrastinate, Django.

Each runner only calls `drain`. The journal decides order, urgency, pauses and doubt. A wake-up that is lost or repeated
is harmless, because each runner also drains every half minute.
"""
