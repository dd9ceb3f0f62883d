"""What the local target needs of AWS and the emulator's pinned version does not do.

Each module wraps functions of the emulator where its own behaviour ends, and copies none of them.
"""
