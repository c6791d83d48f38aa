"""Fake servers on the loopback, one for each network."""
