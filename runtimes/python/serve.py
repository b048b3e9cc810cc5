"""
The invocation loop, one at a time: wait for an invocation, blocking; call the handler; answer. Threads that the handler has left running go on
between two invocations, as far as they can.
"""
import atexit
import gc
import os
import signal
from _signal import SIGTERM, getsignal
from json import JSONDecoder, JSONEncoder
from resource import RUSAGE_SELF, getrusage
from struct import Struct
from time import monotonic_ns

from . import errors, logs
from .channel import ERROR, EXIT, GOES_ON, HEAD_BYTES, INVOKE, INVOKE_FORM, MAX_PAYLOAD_BYTES, OVER, RESPONSE, STEPS, STREAM_END, pack_answer, pack_head
from .context import LambdaContext
from .errors import RuntimeFault, describe
from .forms import Forms
from .streams import STREAMED, GoesOn
from .streams import stream as stream_of_answer

# Lambda's limit of 6 MB and the 100 bytes it grants on top; the host enforces its own.
MAX_RESPONSE_BYTES = min(6_291_556, MAX_PAYLOAD_BYTES - HEAD_BYTES)
# To ask for the memory costs a twentieth of a short invocation.
MEASURED_EVERY = 16
MEASURED_ALWAYS = 16
LEFT_AFTER_S = 1

unpack_length = Struct('<I').unpack_from
pack_memory = Struct('<I').pack
parse = JSONDecoder().decode
leave = os._exit
run_exit_functions = atexit._run_exitfuncs
collect = gc.collect


def machine_ms():
    """By the machine's monotonic clock, which all processes share."""
    return monotonic_ns() / 1e6


class Birth:
    """When an instance came to be; 0: it did not happen. Told with the first answer."""

    def __init__(self, begun_ms=0, forked_ms=0, ready_ms=0):
        self.begun_ms = begun_ms
        self.forked_ms = forked_ms
        self.ready_ms = ready_ms


class Server:
    """`call`: answers an event and a context; `facts`: what is the same for all invocations."""

    def __init__(self, channel, call, facts, set_trace):
        self._channel = channel
        self._call = call
        self._facts = facts
        self._set_trace = set_trace
        self._forms = Forms()
        self._answers = 0
        self._memory = 0

    def serve(self, birth, prepare=None):
        """Until the host closes the channel, and then the process ends."""
        try:
            self.run(birth, prepare)
            if callable(getsignal(SIGTERM)):
                # A function with extensions is sent it, and has time for what it does then. The host ends who is still there sooner.
                self._channel.wait_for_signals(LEFT_AFTER_S)
        except BaseException as error:
            # Of a signal's handler, while no invocation ran.
            end_with(self._channel, error)
        for_flush()
        leave(0)

    def run(self, birth, prepare=None):
        """Until the host closes the channel. `prepare` is called when the first invocation is there, before it begins."""
        channel = self._channel
        frame = self._next()
        birth.event_ms = machine_ms()
        rest = None
        if frame is not None and prepare is not None:
            self._prepare(prepare, frame)
        while frame is not None:
            kind, stream, data = frame
            request_id = ''
            try:
                if kind == INVOKE_FORM:
                    request_id, deadline_ms, arn, trace, event = self._forms.read(data)
                    logs.begin(stream, request_id)
                    client_context = identity = None
                elif kind == INVOKE:
                    event_at = HEAD_BYTES + 4 + unpack_length(data, HEAD_BYTES)[0]
                    given = parse(data[HEAD_BYTES + 4 : event_at].decode())
                    request_id = given['id']
                    logs.begin(stream, request_id)
                    deadline_ms, arn, trace = given['deadlineMs'], given['arn'], given.get('trace', '')
                    client_context, identity = given.get('clientContext'), given.get('identity')
                    event = read_event(data[event_at:])
                else:
                    raise ValueError('the host sent a frame of kind %d' % kind)
                if trace:
                    self._set_trace(trace)
                context = LambdaContext(self._facts, request_id, deadline_ms, arn, client_context, identity)
                result = self._call(event, context)
                if type(result) is GoesOn:
                    result, rest = result.answer, result.rest
                if result is STREAMED:
                    answer, code = b'', STREAM_END
                else:
                    answer, code = encode(result), RESPONSE
            except Exception as error:
                described = describe(error)
                logs.log_error(described)
                answer = errors.encode(described, request_id)
                code = STREAM_END if stream_of_answer.begun else ERROR
            except BaseException as error:
                end_with(channel, error)
            event = context = result = None
            stream_of_answer.begun = False
            if rest is not None:
                self._channel.send(GOES_ON, stream, b'')
            self._answer(code, stream, answer, birth, rest is None)
            if rest is not None:
                self._finish(rest, stream)
                rest = None
            birth = None
            frame = None
            frame = self._next()

    def _next(self):
        if callable(getsignal(SIGTERM)):
            self._channel.wait_for_signals()
        return self._channel.read()

    def _answer(self, code, stream, answer, birth, is_last):
        for_flush()
        count = self._answers = self._answers + 1
        if count <= MEASURED_ALWAYS or count % MEASURED_EVERY == 0:
            self._memory = getrusage(RUSAGE_SELF).ru_maxrss
        frame = pack_answer(4 + len(answer), code, stream, self._memory) + answer
        if birth is not None:
            frame = told(birth) + frame
        if is_last:
            self._write_last(frame)
        else:
            self._channel.write(frame)

    def _write_last(self, frame):
        """Of an invocation: the host takes nothing of it after that. What other threads, and handlers of signals, print is nobody's from now on."""
        channel = self._channel
        with channel.lock:
            logs.scope.stream = 0
            channel.write(frame)

    def _finish(self, rest, stream):
        """What an invocation does after its answer."""
        try:
            rest()
        except Exception as error:
            logs.log_error(describe(error))
        except BaseException as error:
            end_with(self._channel, error)
        for_flush()
        self._memory = getrusage(RUSAGE_SELF).ru_maxrss
        self._write_last(pack_head(4, OVER, stream) + pack_memory(self._memory))

    def _prepare(self, prepare, frame):
        """When it fails, so does the invocation that waits, and the process ends."""
        _, stream, data = frame
        logs.begin(stream, '')
        try:
            within(HOOKS_LIMIT_S, prepare)
        except SystemExit as error:
            end_with(self._channel, error)
        except BaseException as error:
            kind, message, trace = describe(error)
            described = 'Runtime.AfterRestoreError', '%s: %s' % (kind, message), trace
            logs.log_error(described)
            logs.flush()
            answer = errors.encode(described)
            self._write_last(pack_answer(4 + len(answer), ERROR, stream, 0) + answer)
            announce(self._channel, EXIT_OF_HOOKS)
            leave(EXIT_OF_HOOKS)
        logs.scope.stream = 0


EXIT_OF_HOOKS = 64
# As on Lambda.
HOOKS_LIMIT_S = 10


def within(limit_s, act):
    """Calls it; raises in the middle of it when it takes longer."""

    def late(_signal, _frame):
        raise TimeoutError('what is to be done after a restore did not end within %d seconds' % limit_s)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        act()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


def told(birth):
    times = '[%f,%f,%f,%f,%f]' % (birth.begun_ms, birth.forked_ms, birth.ready_ms, birth.event_ms, machine_ms())
    return pack_head(len(times), STEPS, 0) + times.encode()


def read_event(data):
    try:
        return parse(data.decode()) if data else {}
    except (ValueError, RecursionError) as error:
        raise RuntimeFault('UnmarshalError', 'Unable to unmarshal input: %s' % error) from error


def plain(value):
    """What JSON has no word for, and Lambda's runtime writes all the same."""
    # Its module is loaded where there is one.
    if type(value).__name__ == 'Decimal':
        return float(value)
    raise TypeError('Object of type %s is not JSON serializable' % type(value).__name__)


to_json = JSONEncoder(ensure_ascii=False, default=plain).encode
to_ascii = JSONEncoder(default=plain).encode


def encode(result):
    try:
        try:
            answer = to_json(result).encode()
        except UnicodeEncodeError:
            # Half of a pair of surrogates, which JSON can only escape.
            answer = to_ascii(result).encode()
    except Exception as error:
        raise RuntimeFault('MarshalError', 'Unable to marshal response: %s' % errors.text_of(error)) from error
    if len(answer) > MAX_RESPONSE_BYTES:
        raise TooLarge('Response payload size exceeded maximum allowed payload size (%d bytes).' % MAX_RESPONSE_BYTES)
    return answer


class TooLarge(RuntimeFault):
    def __init__(self, message):
        super().__init__('', message)
        self.kind = 'Function.ResponseSizeTooLarge'


for_flush = logs.flush


def end_with(channel, error):
    """What ends a Python process ends this one: sys.exit, or an exception that is no Exception."""
    code = 1
    if isinstance(error, SystemExit):
        code = error.code
        if code is None:
            code = 0
        elif not isinstance(code, int):
            logs.send(logs.ERROR, str(code).encode('utf-8', 'backslashreplace'))
            code = 1
    else:
        logs.log_error(describe(error))
    try:
        run_exit_functions()
    finally:
        logs.flush()
        announce(channel, code & 0xFF)
        leave(code & 0xFF)


def announce(channel, code):
    channel.send(EXIT, 0, b'{"code":%d}' % code)
