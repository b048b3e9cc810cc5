"""What the zygote does ahead for all functions: modules that most of them load, and invocations, so that what the first one sets up is there."""
import sys
from struct import pack

# What is loaded by most functions or by what they build on, and opens nothing. Each template shares it; a function that loads none of it pays
# nothing but a larger table of modules.
MODULES = (
    'base64', 'collections', 'contextlib', 'copy', 'csv', 'dataclasses', 'datetime', 'decimal', 'email.message', 'email.parser', 'enum',
    'functools', 'hashlib', 'hmac', 'html', 'http.client', 'http.cookies', 'importlib.metadata', 'inspect', 'io', 'itertools', 'json', 'logging',
    'math', 'mimetypes', 'operator', 'os', 'pathlib', 'pickle', 'pkgutil', 'platform', 'queue', 'random', 're', 'secrets', 'shutil', 'socket',
    'ssl', 'string', 'struct', 'subprocess', 'tempfile', 'textwrap', 'threading', 'time', 'traceback', 'types', 'typing', 'unicodedata',
    'urllib.error', 'urllib.parse', 'urllib.request', 'uuid', 'warnings', 'weakref', 'zipfile', 'zlib', 'zoneinfo',
)  # fmt: skip
# Their answers have room in a socket.
ROUNDS = 48


def load_ahead():
    """Top-level names of what was loaded here and is not the runtime's own need."""
    before = set(sys.modules)
    for name in MODULES:
        try:
            __import__(name)
        except ImportError:
            # Distributions leave some out.
            continue
    return frozenset(name.split('.')[0] for name in set(sys.modules) - before) - {'_hearth'}


def rehearse():
    """Python rewrites code that is warm, in place: here that is done once, and not in each instance."""
    import logging
    import socket

    from . import context, logs, serve
    from .channel import INVOKE, INVOKE_FORM, Channel, pack_head

    near, far = socket.socketpair()
    channel = Channel(near.fileno())
    form = b'{"event":{"a":{"b":"","c":[1]},"d":0,"body":""},"blanks":[[["a","b"],"text"],[["d"],"number"]],"body":"text"}'
    texts = b'id\n1\narn\nRoot=1\ntext\n1\n'
    filled = pack('<III', 1, len(form), len(texts)) + form + texts + b'body'
    head = b'{"id":"id","deadlineMs":1,"arn":"arn"}'
    plain = pack('<I', len(head)) + head + b'{"a":[1,"text",null]}'
    kept = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    logs.install(channel)
    logger = logging.getLogger('rehearsal')

    def handler(event, given):
        given.get_remaining_time_in_millis()
        if len(event) == 1:
            print('a line')
            logger.error('an %s', 'error')
        return {'statusCode': 200, 'body': 'text', 'headers': {}}

    server = serve.Server(channel, handler, context.Facts(), lambda trace: None)
    try:
        for _ in range(ROUNDS):
            far.sendall(b''.join(pack_head(len(frame), kind, 1) + frame for kind, frame in ((INVOKE, plain), (INVOKE_FORM, filled))))
        far.shutdown(socket.SHUT_WR)
        server.run(serve.Birth())
    finally:
        logs.uninstall()
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = kept
        near.close()
        far.close()
