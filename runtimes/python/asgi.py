"""
Applications with Python's asynchronous interface (ASGI 3) behind a function URL. The event loop and the application's lifespan belong to an
instance: they begin when its first invocation is there, for a loop does not survive a fork.
"""
from urllib.parse import unquote

from . import errors, logs, requests
from .streams import STREAMED, GoesOn, stream

# What an application still does then mostly ends with it: background tasks go on.
TURNS_TO_END = 8
VERSION = {'version': '3.0', 'spec_version': '2.3'}


def adapt(application):
    # A sandbox loads it only where it is needed.
    import asyncio

    host = Host(application, asyncio)
    return host.respond, host.begin


class Host:
    def __init__(self, application, asyncio):
        self._application = application
        self._asyncio = asyncio
        self._loop = None
        self._state = {}

    def begin(self):
        """Raises where the application says that it can't start."""
        asyncio = self._asyncio
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())

    async def _start(self):
        asyncio = self._asyncio
        heard = self._loop.create_future()
        events = asyncio.Queue()
        events.put_nowait({'type': 'lifespan.startup'})

        async def send(message):
            if message['type'].startswith('lifespan.startup.') and not heard.done():
                heard.set_result(message)

        async def live():
            try:
                await self._application({'type': 'lifespan', 'asgi': VERSION, 'state': self._state}, events.get, send)
            except Exception as error:
                # Then it knows nothing of lifespans, as the specification has it; unless it has said more.
                if not heard.done():
                    heard.set_result({'type': 'unsupported', 'error': error})
            else:
                if not heard.done():
                    heard.set_result({'type': 'unsupported'})

        # Kept: the loop holds its tasks weakly.
        self._lifespan = self._loop.create_task(live())
        message = await heard
        if message['type'] == 'lifespan.startup.failed':
            raise StartupFailed(message.get('message') or 'the application failed to start')

    def respond(self, event, context):
        request = requests.Request(event)
        return self._loop.run_until_complete(self._respond(request, event, context))

    async def _respond(self, request, event, context):
        over = self._asyncio.Event()
        # Set when the answer is whole, or there will be none.
        heard = self._loop.create_future()
        received = []
        status = headers = None
        parts = []

        async def receive():
            if not received:
                received.append(True)
                return {'type': 'http.request', 'body': request.body, 'more_body': False}
            # The client is taken to be there until it is answered.
            await over.wait()
            return {'type': 'http.disconnect'}

        async def send(message):
            nonlocal status, headers
            kind = message['type']
            if kind == 'http.response.start':
                if status is not None:
                    raise RuntimeError('the application began to answer twice')
                status = message['status']
                headers = [(text(name), text(value)) for name, value in message.get('headers', ())]
            elif kind == 'http.response.body':
                if status is None or over.is_set():
                    raise RuntimeError('the application sent a body %s' % ('before its start' if status is None else 'after its end'))
                part = bytes(message.get('body', b''))
                more = message.get('more_body', False)
                if more and not stream.begun and not requests.has_length(headers):
                    stream.begin(status, headers)
                if stream.begun:
                    stream.write(part)
                else:
                    parts.append(part)
                if not more:
                    over.set()
                    hear()
            else:
                raise RuntimeError('the application sent %s, which is not known here' % kind)

        def hear(_task=None):
            if not heard.done():
                heard.set_result(None)

        task = self._loop.create_task(self._application(scope_of(request, self._state, event, context), receive, send))
        task.add_done_callback(hear)
        await heard
        if not over.is_set():
            over.set()
            # Raises what the application raised.
            task.result()
            raise RuntimeError('the application returned without a whole answer')
        for _ in range(TURNS_TO_END):
            if task.done():
                break
            await self._asyncio.sleep(0)
        answer = STREAMED if stream.begun else requests.answer(status, headers, b''.join(parts))
        if not task.done():
            return GoesOn(answer, lambda: self._loop.run_until_complete(task))
        if task.exception() is not None:
            # The client has its answer.
            logs.log_error(errors.describe(task.exception()))
        return answer


class StartupFailed(Exception):
    pass


def text(value):
    return value.decode('latin-1') if isinstance(value, bytes) else value


def scope_of(request, state, event, context):
    return {
        'type': 'http',
        'asgi': VERSION,
        'http_version': request.protocol.rpartition('/')[2],
        'method': request.method,
        'scheme': request.scheme,
        'path': unquote(request.raw_path),
        'raw_path': request.raw_path.encode('latin-1'),
        'query_string': request.query.encode('latin-1'),
        'root_path': '',
        'headers': [(name.encode('latin-1'), value.encode('latin-1')) for name, value in request.headers],
        'client': (request.source_ip, 0),
        'server': (request.host, request.port),
        'state': state.copy(),
        'aws.event': event,
        'aws.context': context,
    }
