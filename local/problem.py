"""The one error that the local target shows to a person."""


class Problem(Exception):
    """A condition that ends a command: one line with what, which value, and the remedy."""
