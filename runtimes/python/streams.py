"""Answers that applications make bit by bit: they go out as they are made. Everything else is answered whole, which costs less."""
from json import dumps

from . import logs, requests
from .channel import STREAM_CHUNK, STREAM_HEAD

PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response'
MAX_CHUNK_BYTES = 1024 * 1024


class Stream:
    """Of the only invocation that runs."""

    begun = False

    def begin(self, status, headers):
        fields, cookies = requests.fields_of(headers)
        self.begun = True
        prelude = {'statusCode': status, 'headers': fields, 'cookies': cookies}
        self._send(STREAM_HEAD, dumps({'contentType': PRELUDE_TYPE, 'prelude': prelude}).encode())

    def write(self, part):
        for at in range(0, len(part), MAX_CHUNK_BYTES):
            self._send(STREAM_CHUNK, part[at : at + MAX_CHUNK_BYTES])

    def _send(self, kind, payload):
        logs.scope.channel.send(kind, logs.scope.stream, payload)


stream = Stream()


class GoesOn:
    """An answer, also STREAMED, after which the invocation goes on: `rest` is what is left of it."""

    def __init__(self, answer, rest):
        self.answer = answer
        self.rest = rest


# What an application's adapter returns when its answer has gone out already.
STREAMED = object()
