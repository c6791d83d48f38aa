"""The package of the app's management commands."""
