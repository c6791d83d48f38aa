"""The files of a feed: pure functions from its items to bytes."""
