"""
For instances that are forked although init left something open: what a fork would share with its siblings is replaced by something of the
instance's own. Connections are at their end, so that clients make new ones; servers hear of nobody; files are open anew, at the same position.
What is neither is left as it is.
"""
import fcntl
import os
import socket
import stat

Socket = socket.SocketType
AF_UNIX = socket.AF_UNIX
SOCK_STREAM = socket.SOCK_STREAM
SOCK_DGRAM = socket.SOCK_DGRAM
SOL_SOCKET = socket.SOL_SOCKET
SO_TYPE = socket.SO_TYPE
SO_ACCEPTCONN = socket.SO_ACCEPTCONN
KEPT_FLAGS = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK
fstat, dup2, close, lseek, os_open, pipe = os.fstat, os.dup2, os.close, os.lseek, os.open, os.pipe
get_flags = fcntl.fcntl
F_GETFL = fcntl.F_GETFL
F_SETFL = fcntl.F_SETFL


def detach_shared(fds):
    for fd in fds:
        try:
            fresh = in_place_of(fd)
        except OSError:
            # It can't be opened again, or is closed.
            continue
        if fresh is not None:
            dup2(fresh, fd, False)
            close(fresh)


def in_place_of(fd):
    mode = fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return lonely_socket(fd)
    if stat.S_ISFIFO(mode):
        ends = pipe()
        reads = get_flags(fd, F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        close(ends[1] if reads else ends[0])
        return ends[0] if reads else ends[1]
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        fresh = os_open('/proc/self/fd/%d' % fd, get_flags(fd, F_GETFL) & KEPT_FLAGS | os.O_CLOEXEC)
        if stat.S_ISREG(mode):
            lseek(fresh, lseek(fd, 0, os.SEEK_CUR), os.SEEK_SET)
        return fresh
    return None


def lonely_socket(fd):
    """One that listens where nobody knows, or one end of a pair whose other is closed."""
    known = Socket(-1, -1, -1, fd)
    try:
        kind = known.getsockopt(SOL_SOCKET, SO_TYPE)
        listens = known.getsockopt(SOL_SOCKET, SO_ACCEPTCONN)
    finally:
        known.detach()
    if kind == SOCK_DGRAM:
        return Socket(AF_UNIX, SOCK_DGRAM).detach()
    if listens:
        server = Socket(AF_UNIX, SOCK_STREAM)
        # An empty address: the kernel gives it a name.
        server.bind('')
        server.listen(1)
        return server.detach()
    near, far = socket.socketpair()
    far.close()
    return near.detach()
