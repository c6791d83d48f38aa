"""The network `x`, through tweepy."""
