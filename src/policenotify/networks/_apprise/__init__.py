"""Access to apprise, for e-mail, SMS and any apprise URL."""
