"""The network `email`, through apprise."""
