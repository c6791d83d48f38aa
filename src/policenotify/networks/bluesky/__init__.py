"""The network `bluesky`, through atproto."""
