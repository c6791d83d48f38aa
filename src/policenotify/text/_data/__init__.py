"""Generated tables of characters and domains."""
