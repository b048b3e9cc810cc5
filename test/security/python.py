"""
A function in Python that tries to get out of its sandbox, or at its siblings. Each attempt answers with what came of it: what it got, or
`refused: CODE`. What init does to Python's own modules is in the way of the runtime from then on.
"""
import ctypes
import errno
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
import _thread

libc = ctypes.CDLL(None, use_errno=True)
seen = set()


def rights():
    with open('/proc/self/status') as file:
        return ''.join(line.split()[1] for line in file if line.startswith(('CapPrm', 'CapEff')))


def spy(module, name):
    """Which rights does the process have when what the runtime needs is called?"""
    original = getattr(module, name)

    def watched(*arguments, **named):
        seen.add('%s: %s' % (name, rights()))
        return original(*arguments, **named)

    setattr(module, name, watched)


for spied in ('write', 'close', 'chdir', 'setsid', 'fork', 'waitpid', 'sched_setscheduler', '_exit'):
    spy(os, spied)
os.register_at_fork(after_in_child=lambda: seen.add('fork hook: %s' % rights()))


def attempt(run):
    try:
        return 'got %s' % str(run())[:200]
    except OSError as error:
        return 'refused: %s' % errno.errorcode.get(error.errno, error.errno)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return 'got %d' % result if result >= 0 else 'refused: %s' % errno.errorcode[ctypes.get_errno()]


def about(_):
    return {'pid': os.getpid(), 'parent': os.getppid(), 'seen': sorted(seen), 'hidden': [name for name in sys.modules if '_hearth' in name]}


def walls(_):
    fields = ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Groups')
    with open('/proc/self/status') as file:
        status = {line.split(':')[0]: ' '.join(line.split()[1:]) for line in file if line.split(':')[0] in fields}
    with open('/proc/self/limits') as file:
        limits = [' '.join(line.split()) for line in file]
    with open('/proc/self/mountinfo') as file:
        mounts = sorted({' '.join(line.split()[4:6]) for line in file})
    scheduler = os.sched_getscheduler(0)
    return {'status': status, 'limits': limits, 'mounts': mounts, 'devices': sorted(os.listdir('/dev')), 'scheduler': scheduler}


def calls(event):
    return {name: call(number, *arguments) for name, (number, *arguments) in event['numbers'].items()}


def files(event):
    flags = {'r': os.O_RDONLY, 'r+': os.O_RDWR, 'w': os.O_WRONLY | os.O_CREAT}[event['flags']]
    return {path: attempt(lambda path=path: os.open(path, flags)) for path in event['paths']}


def lists(event):
    return {path: attempt(lambda path=path: ' '.join(os.listdir(path))) for path in event['paths']}


def sockets(event):
    return {str(kind): attempt(lambda kind=kind: socket.socket(*kind)) for kind in event['kinds']}


def namespaces(_):
    found = {}
    for process in ('1', str(os.getppid()), 'self'):
        for name in ('mnt', 'pid', 'net', 'user', 'ipc', 'uts'):
            def enter(process=process, name=name):
                descriptor = os.open('/proc/%s/ns/%s' % (process, name), os.O_RDONLY)
                if libc.setns(descriptor, 0) == -1:
                    raise OSError(ctypes.get_errno(), '')

            found['%s %s' % (process, name)] = attempt(enter)
    return found


def signals(_):
    """Everybody that can be seen, and those that are known to be there."""
    me = os.getpid()
    others = {int(name) for name in os.listdir('/proc') if name.isdigit()} | set(range(1, me + 8))
    found = {}
    for pid in sorted(others - {me}):
        found[str(pid)] = attempt(lambda pid=pid: os.kill(pid, signal.SIGKILL))
        found['%d memory' % pid] = attempt(lambda pid=pid: os.open('/proc/%d/mem' % pid, os.O_RDWR))
        found['%d limits' % pid] = attempt(lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)))
    return found


GATE = ('127.0.0.1', 4711)


def stay(event):
    os.environ['SECRET'] = event['secret']
    with open('/tmp/secret', 'w') as file:
        file.write(event['secret'])
    # Loopback is the one thing that instances of one version share on purpose.
    with socket.create_server(GATE) as gate:
        while True:
            with gate.accept()[0] as one:
                if one.recv(2) == b'go':
                    return {'pid': os.getpid(), 'alive': True}


def knock(event):
    """Whether somebody stays; `release`: no longer than this."""
    try:
        with socket.create_connection(GATE) as one:
            if event.get('release'):
                one.sendall(b'go')
            return True
    except OSError:
        return False


def look(_):
    return {'pid': os.getpid(), 'tmp': os.listdir('/tmp'), 'secret': os.environ.get('SECRET')}


def hoard(_):
    hoarded = []
    while True:
        hoarded.append(bytearray(1 << 20))


def breed(_):
    """Threads count as processes do."""
    threading.stack_size(1 << 16)
    gate = _thread.allocate_lock()
    gate.acquire()

    ended = 0

    def wait():
        nonlocal ended
        with gate:
            ended += 1

    count = 0
    try:
        while count < 5_000:
            _thread.start_new_thread(wait, ())
            count += 1
    except RuntimeError:
        pass
    # One after the other goes through.
    gate.release()
    end = time.monotonic() + 5
    # Those that found no memory to begin with don't come through.
    while ended < count and time.monotonic() < end:
        time.sleep(0.01)
    return count


def forge(event):
    """Writes to every socket and pipe that it has what the host and the keeper may take for the runtime's."""
    for name in os.listdir('/proc/self/fd'):
        try:
            if int(name) > 2:
                os.write(int(name), bytes(event['bytes']))
        except OSError:
            continue
    return 'written'


def handler(event, context):
    if event['attempt'] == 'none':
        return 'here'
    return globals()[event['attempt']](event)


ON_INIT = json.loads(os.environ.get('ON_INIT', 'null'))
if ON_INIT is not None:
    globals()[ON_INIT['attempt']](ON_INIT)
