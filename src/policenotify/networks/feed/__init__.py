"""The network `feed`: files for any web server."""
