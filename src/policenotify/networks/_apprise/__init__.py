"""Send through apprise, for e-mail, SMS and any apprise URL."""
