"""The C library, as far as Python has no words of its own for it. What is called for an instance has its arguments ready: user code may have run."""
import ctypes
import os

library = ctypes.CDLL(None, use_errno=True)

syscall = library.syscall
syscall.restype = ctypes.c_long
prctl = library.prctl
prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
setns = library.setns
setns.argtypes = (ctypes.c_int, ctypes.c_int)
putenv = library.putenv
putenv.argtypes = (ctypes.c_void_p,)
sigprocmask = library.sigprocmask

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38

long = ctypes.c_long
pointer = ctypes.c_void_p
get_errno = ctypes.get_errno


def check(result, what):
    if result == -1:
        errno = get_errno()
        raise OSError(errno, '%s failed: %s' % (what, os.strerror(errno)))
    return result


def buffer(data):
    """Bytes that stay where they are, for as long as somebody has them."""
    return ctypes.create_string_buffer(data, len(data))


def address(data):
    return ctypes.addressof(data)


memset = ctypes.memset
memmove = ctypes.memmove
