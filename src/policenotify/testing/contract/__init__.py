"""The contract of a network, as a suite of tests to inherit."""
