"""
The sandbox's end of the frame protocol (src/protocol/frames.ts says what a frame is): blocking reads and writes on descriptors. While it
waits for a frame the main thread stands still, and a warm invocation costs one read and one write.

User code shares this process, so what is used here is taken before user code can change it. The protocol's constants are repeated; a test
compares.
"""
import os
from _signal import set_wakeup_fd
from os import pipe, read, readv, set_blocking, write
from select import POLLIN, POLLOUT, poll
from struct import Struct
from time import monotonic
from _thread import RLock

INVOKE = 0x01
INVOKE_FORM = 0x02
READY = 0x10
INIT_ERROR = 0x11
STEPS = 0x12
COMPILE_CACHE = 0x13
RESPONSE = 0x20
ERROR = 0x21
STREAM_HEAD = 0x22
STREAM_CHUNK = 0x23
STREAM_END = 0x24
GOES_ON = 0x25
OVER = 0x26
LOG = 0x30
EXIT = 0x31

HEAD_BYTES = 9
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
# What the pipe of events gives in one read: a packet is lost beyond that, and none is longer (PIPE_BUF).
PACKET_BYTES = 4096

head = Struct('<IBI')
unpack_head = head.unpack_from
pack_head = head.pack
pack_answer = Struct('<IBII').pack
pack_log = Struct('<IBIB').pack
leave = os._exit


class Channel:
    """`fd`: written to, and read from unless `events` says otherwise. `lock`: nobody else writes while it is held."""

    __slots__ = ('fd', 'events', 'lock', '_rest', '_writing', '_waiting', '_woken')

    def __init__(self, fd):
        self._woken = None
        self.swap(fd)

    def swap(self, fd, events=None):
        """Goes on with other descriptors, and forgets what was read from those before; nobody else writes in this process."""
        self.fd = fd
        self.events = fd if events is None else events
        self._rest = b''
        self.lock = RLock()
        self._writing = False
        self._waiting = []

    def move(self, fd, events):
        """The same where other threads may be writing."""
        with self.lock:
            self.fd = fd
            self.events = events
            self._rest = b''

    def read(self):
        """Blocks until there is a frame: (kind, stream, the whole frame's bytes). None: the host has closed. Raises at one over the limit."""
        data = self._rest
        if not data:
            data = self._receive()
        while len(data) < HEAD_BYTES:
            more = self._receive() if data else b''
            if not more:
                return None
            data += more
        length, kind, stream = unpack_head(data)
        end = HEAD_BYTES + length
        if len(data) == end:
            self._rest = b''
            return kind, stream, data
        if length > MAX_PAYLOAD_BYTES:
            raise ValueError('a frame of %d bytes is over the limit' % length)
        if len(data) > end:
            self._rest = data[end:]
            return kind, stream, data[:end]
        self._rest = b''
        whole = self._complete(data, end)
        return None if whole is None else (kind, stream, whole)

    def wait_for_signals(self, limit_s=None):
        """
        Until there is something to be read, or for so long whatever there is; handlers of signals run meanwhile. They run on the main thread, and
        the kernel interrupts only the thread that it gives a signal to, which may be another one: this thread would stand still in its read
        (docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
        """
        if limit_s is None and self._rest:
            return
        # Of this process alone, and so not before it is forked.
        if self._woken is None:
            self._woken = pipe()
            set_blocking(self._woken[1], False)
        woken, wake = self._woken
        theirs = set_wakeup_fd(wake, warn_on_full_buffer=False)
        try:
            poller = poll()
            poller.register(woken, POLLIN)
            if limit_s is None:
                poller.register(self.events, POLLIN)
                while all(fd == woken for fd, _ in poller.poll()):
                    read(woken, PACKET_BYTES)
            else:
                until = monotonic() + limit_s
                while poller.poll(max(0, until - monotonic()) * 1000):
                    read(woken, PACKET_BYTES)
        finally:
            set_wakeup_fd(theirs)

    def _receive(self):
        while True:
            try:
                return read(self.events, PACKET_BYTES)
            except BlockingIOError:
                await_ready(self.events, POLLIN)
            except ConnectionResetError:
                return b''

    def _complete(self, data, end):
        whole = bytearray(end)
        at = len(data)
        whole[:at] = data
        view = memoryview(whole)
        while at < end:
            try:
                count = readv(self.events, [view[at:]])
            except BlockingIOError:
                await_ready(self.events, POLLIN)
                continue
            if count == 0:
                return None
            at += count
        view.release()
        return whole

    def send(self, kind, stream, payload):
        self.write(pack_head(len(payload), kind, stream) + payload)

    def log(self, level, stream, text):
        self.write(pack_log(1 + len(text), LOG, stream, level) + text)

    def write(self, frame):
        """Waits until the host has taken it. Frames of several threads, and of a signal handler in between, stay whole."""
        with self.lock:
            if self._writing:
                self._waiting.append(frame)
                return
            self._writing = True
            try:
                self._write(frame)
                while self._waiting:
                    self._write(self._waiting.pop(0))
            finally:
                self._writing = False

    def _write(self, frame):
        at = 0
        while at < len(frame):
            try:
                at += write(self.fd, frame[at:] if at else frame)
            except BlockingIOError:
                await_ready(self.fd, POLLOUT)
            except (BrokenPipeError, ConnectionResetError):
                # The host is gone.
                leave(0)


def await_ready(fd, events):
    """User code has made a descriptor one that does not block."""
    poller = poll()
    poller.register(fd, events)
    poller.poll()
