"""
A function's output as Lambda's Python runtime writes it. What goes through `logging` has its time, the request's id and its level; what is
printed goes out as it is, line by line.
"""
import io
import logging
import sys
import time
from json import JSONEncoder

from . import errors

LEVELS = ('TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL')
INFO = 2
ERROR = 4
# Python's names for Lambda's levels.
THRESHOLDS = {
    'TRACE': logging.NOTSET,
    'DEBUG': logging.DEBUG,
    'INFO': logging.INFO,
    'WARN': logging.WARNING,
    'ERROR': logging.ERROR,
    'FATAL': logging.CRITICAL,
}
# Longer texts are cut and marked; the host does so once more, since it cannot trust this process.
MAX_LOG_BYTES = 255 * 1024
BUFFER_BYTES = 8192

encode_json = JSONEncoder(default=str).encode
format_traceback = errors.trace_of
gmtime = time.gmtime
strftime = time.strftime
now = time.time


class Scope:
    """Whose output it is: the only invocation that runs; stream 0: none."""

    __slots__ = ('stream', 'request_id', 'channel', 'as_json')


scope = Scope()
scope.stream = 0
scope.request_id = ''
scope.channel = None
scope.as_json = False
writers = []


def install(channel):
    """From now on all output goes out by the channel, which may still be without a descriptor."""
    scope.channel = channel
    for name, fd, level in (('stdout', 1, INFO), ('stderr', 2, ERROR)):
        lines = Lines(fd, level)
        stream = io.TextIOWrapper(
            io.BufferedWriter(lines, BUFFER_BYTES), encoding='utf-8', errors='backslashreplace', newline='\n', line_buffering=True
        )
        stream.mode = 'w'
        writers.append((stream, lines))
        setattr(sys, name, stream)
        setattr(sys, '__%s__' % name, stream)
    root = logging.getLogger()
    root.addHandler(LambdaHandler())


def uninstall():
    """The streams are whoever's who has kept them."""
    writers.clear()
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    scope.request_id = ''


def configure(environment):
    scope.as_json = environment.get('AWS_LAMBDA_LOG_FORMAT', '').upper() == 'JSON'
    # Without a setting, lines of JSON are from INFO on, as on Lambda; texts from Python's own WARNING on.
    threshold = THRESHOLDS.get(environment.get('AWS_LAMBDA_LOG_LEVEL', 'INFO' if scope.as_json else '').upper())
    if threshold is not None:
        logging.getLogger().setLevel(threshold)


def begin(stream, request_id):
    scope.stream = stream
    scope.request_id = request_id


def flush():
    """Sends the beginnings of lines that were written without an end."""
    for stream, lines in writers:
        try:
            stream.flush()
        except Exception:
            # The function has closed it, or its own error handling is broken: what got through is sent.
            pass
        lines.end_line()


def log_error(described):
    """The line that Lambda writes when an invocation or the init fails."""
    kind, message, trace = described
    if scope.as_json:
        fields = {'timestamp': timestamp(now()), 'log_level': 'ERROR', 'errorMessage': message, 'errorType': kind}
        text = encode_json({**fields, 'requestId': scope.request_id, 'stackTrace': trace})
    else:
        text = '[ERROR] %s: %s' % (kind, message)
        if trace:
            text += '\nTraceback (most recent call last):\n' + ''.join(line if line.endswith('\n') else line + '\n' for line in trace)
    send(ERROR, text.rstrip('\n').encode('utf-8', 'backslashreplace'))


def warn(text):
    """What the runtime itself has to say."""
    send(3, ('[WARN]\t%s\t%s\t%s' % (timestamp(now()), scope.request_id, text)).encode('utf-8', 'backslashreplace'))


def send(level, text):
    if len(text) > MAX_LOG_BYTES:
        text = bytes(text[:MAX_LOG_BYTES]) + b'... (cut, %d bytes)' % len(text)
    channel = scope.channel
    # Else the main thread could answer between the look at whose output it is and its writing.
    with channel.lock:
        channel.log(level, scope.stream, text)


def timestamp(seconds):
    return '%s.%03dZ' % (strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds)), int(seconds * 1000) % 1000)


class Lines(io.RawIOBase):
    """Cuts what is written into lines and sends each."""

    def __init__(self, fd, level):
        self._fd = fd
        self._level = level
        self._open = b''

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def isatty(self):
        return False

    def write(self, data):
        whole, newline, rest = bytes(data).rpartition(b'\n')
        if newline:
            text = self._open + whole
            self._open = rest
            send(self._level, text)
        else:
            self._open += rest
        if len(self._open) > MAX_LOG_BYTES:
            self.end_line()
        return len(data)

    def end_line(self):
        text = self._open
        if text:
            self._open = b''
            send(self._level, text)


class LambdaHandler(logging.Handler):
    def __init__(self):
        super().__init__()
        self.setFormatter(LambdaFormatter())

    def emit(self, record):
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        send(min(5, record.levelno // 10), text.encode('utf-8', 'backslashreplace'))


class LambdaFormatter(logging.Formatter):
    """`[LEVEL]`, time, request id and message, with tabs between them; or a line of JSON."""

    def format(self, record):
        record.aws_request_id = scope.request_id
        message = record.getMessage()
        if scope.as_json:
            return encode_json(self._fields(record, message))
        text = '[%s]\t%s\t%s\t%s' % (record.levelname, timestamp(record.created), scope.request_id, message)
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        for more in (record.exc_text, record.stack_info and self.formatStack(record.stack_info)):
            if more:
                text = '%s\n%s' % (text, more)
        return text

    def _fields(self, record, message):
        fields = {'timestamp': timestamp(record.created), 'level': record.levelname, 'message': message, 'logger': record.name}
        if record.exc_info and record.exc_info[1] is not None:
            kind, text, trace = errors.describe(record.exc_info[1])
            fields.update(errorType=kind, errorMessage=text, stackTrace=trace, location='%s:%s:%s' % location(record))
        fields['requestId'] = scope.request_id
        for name, value in vars(record).items():
            if name not in OWN_FIELDS and name not in fields:
                fields[name] = value
        return fields


def location(record):
    return record.pathname, record.funcName, record.lineno


# What else a record has was given with `extra`.
OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {'message', 'asctime', 'aws_request_id'}
