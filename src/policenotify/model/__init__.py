"""The message model: plain frozen values, and the rules that hold between them."""
