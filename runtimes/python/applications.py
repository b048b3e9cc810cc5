"""Handlers that are applications: what takes the requests of a function URL by one of Python's own interfaces, WSGI or ASGI."""
from . import asgi, load, wsgi


def adapt(function):
    """(what answers an event and a context, what is to be done once in each instance before that or None)"""
    kind = load.application_kind(function)
    if kind == 'wsgi':
        return wsgi.adapt(function), None
    if kind == 'asgi':
        return asgi.adapt(function)
    return function, None
