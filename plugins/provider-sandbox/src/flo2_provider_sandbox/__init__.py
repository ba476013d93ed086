"""A simulated provider that needs no key and costs nothing."""
