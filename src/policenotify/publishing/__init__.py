"""Publish a message: prepare, route, render and store it, then report what became of it."""
