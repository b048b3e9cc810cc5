"""
The trace of the invocation that runs, as a variable of the environment. The C library keeps every value that it was ever given, and an instance
would grow with each invocation: so the text is changed in place, where there is somebody to do so.
"""
from os import environ

NAME = '_X_AMZN_TRACE_ID'


def set_plainly(trace):
    environ[NAME] = trace


class Variable:
    """Part of the environment from the first trace on: never given back."""

    def __init__(self, libc):
        self._text = libc.buffer(NAME.encode() + b'=' + bytes(3 * MAX_TRACE_LENGTH + 1))
        self._at = libc.address(self._text) + len(NAME) + 1
        self._putenv = libc.putenv
        self._last = self
        self._memmove = libc.memmove
        # Python's own copy of the environment. User code may have put something else in place of os.environ.
        self._known = getattr(environ, '_data', None)

    def set(self, trace):
        if len(trace) > MAX_TRACE_LENGTH or self._known is None:
            environ[NAME] = trace
            return
        value = trace.encode()
        self._memmove(self._at, value + b'\0', len(value) + 1)
        # User code may have set or deleted the variable.
        if self._known.get(KEY) is not self._last:
            self._putenv(self._at - len(NAME) - 1)
        self._known[KEY] = self._last = value


KEY = NAME.encode()
MAX_TRACE_LENGTH = 1024
