"""
The walls around user code, from the host's one description of them (runtimes/ladder/policy.ts): which system calls there are, what a process
may take, what keeps the instances of one sandbox from each other. Here is only how they are put up.
"""
import os
import re
import resource
from base64 import b64decode
from struct import pack

from . import libc

LINUX_CAPABILITY_VERSION_3 = 0x20080522
SECCOMP_SET_MODE_FILTER = 1
SEE_NOTHING = os.devnull


class Walls:
    """Made in the zygote: what is called later has all its arguments by then."""

    def __init__(self, policy):
        calls = policy['syscalls']
        self._seccomp = libc.long(calls['seccomp'])
        self._capset = libc.long(calls['capset'])
        self._no_capabilities = libc.buffer(pack('<II', LINUX_CAPABILITY_VERSION_3, 0))
        self._no_capability_sets = libc.buffer(bytes(24))
        self._limits = [tuple(limit) for limit in policy['limits']]
        self.runtime_variables = frozenset(policy['runtimeVariables'])
        instructions = b64decode(policy['filter'])
        self._instructions = libc.buffer(instructions)
        # struct sock_fprog.
        self._filter = libc.buffer(pack('<HxxxxxxQ', len(instructions) // 8, libc.address(self._instructions)))
        landlock = policy['landlock']
        self._domain = None
        if landlock is not None:
            self._ruleset = libc.buffer(b64decode(landlock['ruleset']))
            self._create = libc.long(calls['landlock_create_ruleset'])
            self._restrict = libc.long(calls['landlock_restrict_self'])
            self._domain = libc.long(landlock['flags'])

    def confine(self, user, privileged):
        """For good, and for all that descends from this process."""
        see_nothing()
        if not privileged:
            # A user namespace has begun with a full one; as root the zygote has emptied its own.
            empty_bounding_set()
        else:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        self.drop_capabilities()
        libc.check(libc.prctl(libc.PR_SET_DUMPABLE, 0, 0, 0, 0), 'prctl PR_SET_DUMPABLE')
        libc.check(libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'prctl PR_SET_NO_NEW_PRIVS')
        filter_at = libc.pointer(libc.address(self._filter))
        libc.check(libc.syscall(self._seccomp, libc.long(SECCOMP_SET_MODE_FILTER), libc.long(0), filter_at), 'seccomp')

    def limit(self, data_bytes, processes):
        """What this process and what it starts may take, and can't raise."""
        limits = [*self._limits, (resource.RLIMIT_DATA, data_bytes)]
        if processes is not None:
            limits.append((resource.RLIMIT_NPROC, processes))
        for which, most in limits:
            resource.setrlimit(which, (most, most))

    def drop_capabilities(self):
        """Calls nothing that user code could have replaced: after entering a user namespace that would run with the capabilities still there."""
        check(syscall(self._capset, self._no_capabilities, self._no_capability_sets), 'capset')

    def leave_siblings(self):
        """Puts this process, and all that it starts, into a domain of its own (landlock(7)), where the kernel has such."""
        if self._domain is None:
            return
        fd = check(syscall(self._create, self._ruleset, size(len(self._ruleset)), size(0)), 'landlock_create_ruleset')
        check(syscall(self._restrict, size(fd), self._domain), 'landlock_restrict_self')
        close(fd)


syscall = libc.syscall
check = libc.check
size = libc.long
close = os.close


def empty_bounding_set():
    """Gives up the right ever to have a capability again. While capabilities are still there."""
    capability = 0
    while libc.prctl(libc.PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1


def see_nothing():
    """The zygote's standard input would be one for all functions: its flags and locks too."""
    fd = os.open(SEE_NOTHING, os.O_RDWR)
    os.dup2(fd, 0, inheritable=True)
    os.close(fd)


def mapped_bytes():
    """Private writable memory that is mapped already."""
    with open('/proc/self/status', encoding='latin-1') as file:
        return int(re.search(r'^VmData:\s+(\d+) kB', file.read(), re.M).group(1)) * 1024


def hide_arguments():
    """The command line of the zygote names the host's directories."""
    with open('/proc/self/stat', encoding='latin-1') as file:
        fields = file.read().rpartition(')')[2].split()
    # arg_start and arg_end (proc(5)), counted from the state on.
    start, end = int(fields[45]), int(fields[46])
    shown = b'function'
    if end - start > len(shown):
        libc.memset(start, 0, end - start)
        libc.memmove(start, shown, len(shown))
    libc.prctl(libc.PR_SET_NAME, libc.address(NAME), 0, 0, 0)


NAME = libc.buffer(b'function\0')
