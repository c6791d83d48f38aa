"""Fake networks to develop against, with a page that shows what their readers see."""
