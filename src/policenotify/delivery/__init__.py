"""Deliver what the journal holds: claim, send and record."""
