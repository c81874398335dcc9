"""A stand-in for paramiko, which docker-py's tests import for a type of its SSH transport.

No test that runs here speaks SSH, and the real one brings a cryptography library with it.
"""


class Channel:
    """What no socket of ours is an instance of."""
