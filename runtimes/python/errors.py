"""Exceptions as Lambda shows them to a caller. What is raised is user code too (its text, its name): nothing here may raise."""
import os
import traceback
from json import dumps

MAX_TYPE_LENGTH = 256
MAX_MESSAGE_LENGTH = 256 * 1024
MAX_TRACE_LENGTH = 64 * 1024
OWN_DIRECTORY = os.path.dirname(os.path.abspath(__file__)) + os.sep

extract_tb = traceback.extract_tb
format_list = traceback.format_list


class RuntimeFault(Exception):
    """An error that the runtime itself reports, under its name in Lambda. `trace`: what is shown as the place in place of its own."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = 'Runtime.' + kind
        self.trace = list(trace)


def describe(error):
    """(errorType, errorMessage, stackTrace)"""
    if isinstance(error, RuntimeFault):
        return error.kind, cut(str(error), MAX_MESSAGE_LENGTH), error.trace
    return cut(type(error).__name__, MAX_TYPE_LENGTH), cut(text_of(error), MAX_MESSAGE_LENGTH), trace_of(error)


def trace_of(error):
    """The frames that led to it, without the runtime's own."""
    try:
        frames = [frame for frame in extract_tb(error.__traceback__) if not is_own(frame.filename)]
        lines = format_list(frames)
    except Exception:
        return []
    kept = 0
    for count, line in enumerate(lines):
        kept += len(line)
        if kept > MAX_TRACE_LENGTH:
            return lines[:count] + ['... (cut)']
    return lines


def is_own(filename):
    return filename.startswith(OWN_DIRECTORY) or filename.startswith('<frozen importlib')


def text_of(error):
    try:
        return str(error)
    except Exception:
        return 'An exception was raised whose text could not be read.'


def encode(described, request_id=None):
    """As the payload of a frame."""
    kind, message, trace = described
    error = {'errorType': kind, 'errorMessage': message, 'stackTrace': trace}
    if request_id is not None:
        error['requestId'] = request_id
    return dumps(error).encode()


def cut(text, length):
    return text if len(text) <= length else text[:length] + '... (cut)'
