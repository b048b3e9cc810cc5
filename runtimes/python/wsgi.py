"""Applications with Python's Web Server Gateway Interface (PEP 3333) behind a function URL."""
import io
import sys
from urllib.parse import unquote_to_bytes

from . import requests
from .streams import STREAMED, stream

# Headers that WSGI has under names of their own.
OWN_NAMES = {'content-type': 'CONTENT_TYPE', 'content-length': 'CONTENT_LENGTH'}


def adapt(application):
    def handler(event, context):
        return respond(application, event, context)

    return handler


def respond(application, event, context):
    response = Response()
    parts = application(environ_of(requests.Request(event), event, context), response.start)
    try:
        # Django's answers say of themselves whether they come bit by bit.
        response.streams = not isinstance(parts, (list, tuple)) and getattr(parts, 'streaming', None) is not False
        for part in parts:
            response.write(part)
    finally:
        close = getattr(parts, 'close', None)
        if close is not None:
            close()
    return response.finish()


class Response:
    def __init__(self):
        self.status = None
        self.headers = None
        self.parts = []
        # Whether it comes bit by bit; if it has said how long it is, nobody waits for a part of it.
        self.streams = False

    def start(self, status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if self.parts or stream.begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status is not None:
            raise AssertionError('start_response was called twice without exc_info')
        self.status = status
        self.headers = headers
        return self.write

    def write(self, part):
        if self.status is None:
            raise AssertionError('the application wrote before it had called start_response')
        if not isinstance(part, bytes):
            raise TypeError('a WSGI application answers with bytes, not %s' % type(part).__name__)
        if not part:
            return
        if self.streams and not stream.begun and not requests.has_length(self.headers):
            stream.begin(self._code(), self.headers)
            for before in self.parts:
                stream.write(before)
        if stream.begun:
            stream.write(part)
        else:
            self.parts.append(part)

    def finish(self):
        if self.status is None:
            raise AssertionError('the application did not call start_response')
        if stream.begun:
            return STREAMED
        return requests.answer(self._code(), self.headers, b''.join(self.parts))

    def _code(self):
        return int(self.status.split(' ', 1)[0])


def environ_of(request, event, context):
    environ = {
        'REQUEST_METHOD': request.method,
        'SCRIPT_NAME': '',
        'PATH_INFO': unquote_to_bytes(request.raw_path).decode('latin-1'),
        'QUERY_STRING': request.query,
        'REMOTE_ADDR': request.source_ip,
        'SERVER_NAME': request.host,
        'SERVER_PORT': str(request.port),
        'SERVER_PROTOCOL': request.protocol,
        'wsgi.version': (1, 0),
        'wsgi.url_scheme': request.scheme,
        'wsgi.input': io.BytesIO(request.body),
        'wsgi.errors': sys.stderr,
        'wsgi.multithread': False,
        'wsgi.multiprocess': True,
        'wsgi.run_once': False,
        'wsgi.input_terminated': True,
        'aws.event': event,
        'aws.context': context,
    }
    for name, value in request.headers:
        environ[OWN_NAMES.get(name) or 'HTTP_' + name.upper().replace('-', '_')] = value
    return environ
