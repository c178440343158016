"""What devstack raises: one line that says what is wrong and what to do about it."""


class DevstackError(Exception):
    """A part cannot be started; `str()` is one line for the person at the terminal."""
