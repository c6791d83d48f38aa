"""People who are written to: who must not be, what is reported about them, and what is held about one of them."""
