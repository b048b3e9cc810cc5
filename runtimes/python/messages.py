"""
Messages with file descriptors over a Unix stream socket, as runtimes/ladder/messages.ts writes them: u32 length (little-endian), then so many
bytes of JSON; descriptors travel with the first byte. And records: fixed 16 bytes, four u32.
"""
import socket
from array import array
from json import JSONDecoder
from struct import Struct

parse = JSONDecoder().decode
pack_record = Struct('<IIII').pack
length_of = Struct('<I').unpack
# User code may change what the module's own class can do; this one is not written in Python.
Socket = socket.SocketType

MAX_MESSAGE_BYTES = 256 * 1024
CONTROL_BYTES = 256
CLOEXEC = socket.MSG_CMSG_CLOEXEC
NOSIGNAL = socket.MSG_NOSIGNAL
SOL_SOCKET = socket.SOL_SOCKET
SCM_RIGHTS = socket.SCM_RIGHTS
AF_UNIX = socket.AF_UNIX
SOCK_STREAM = socket.SOCK_STREAM

# RECORD of runtimes/ladder/orders.ts; a test compares.
HELLO = 2
REAPED = 3
READY = 6
INITIALISED = 7
NOT_FORKED = 9
JOINED = 10
EXTENSION = 11
EXTENSION_NOT_BEGUN = 12
# In place of a status.
NEVER_BEGAN = 4294967295


class Connection:
    __slots__ = ('_socket', 'fd')

    def __init__(self, fd):
        self.fd = fd
        self._socket = Socket(AF_UNIX, SOCK_STREAM, 0, fd)

    def receive(self):
        """Waits for one message: (message, descriptors). None at the end of the stream."""
        try:
            data, control, _, _ = self._socket.recvmsg(4, CONTROL_BYTES, CLOEXEC)
        except ConnectionResetError:
            # The other end has gone without reading all that was sent to it.
            return None
        if not data:
            return None
        fds = array('i')
        for level, kind, descriptors in control:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                fds.frombytes(descriptors[: len(descriptors) - len(descriptors) % fds.itemsize])
        (length,) = length_of(data + self._more(4 - len(data)))
        if length > MAX_MESSAGE_BYTES:
            raise ValueError('a message is too long')
        return parse(self._more(length).decode()), fds.tolist()

    def _more(self, length):
        data = b''
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                raise EOFError('a message broke off')
            data += more
        return data

    def record(self, kind, a=0, b=0):
        self._socket.sendall(pack_record(kind, a, b & 0xFFFF_FFFF, 0), NOSIGNAL)

    def close(self):
        self._socket.close()
