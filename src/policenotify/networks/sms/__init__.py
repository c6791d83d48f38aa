"""The network `sms`, through gateways of apprise."""
