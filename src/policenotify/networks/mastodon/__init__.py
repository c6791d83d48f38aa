"""The network `mastodon`, through Mastodon.py."""
