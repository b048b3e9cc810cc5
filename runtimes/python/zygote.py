"""
The zygote: a Python that has loaded what functions usually need, holds no user data and only forks. Its command socket is descriptor 3; it ends
when the host's end of that is closed. It builds no walls: each child enters a sandbox that is there already, and is let in by its keeper.
"""
import gc
import os
import signal
import time

from . import libc, messages, openings, rehearsal, walls
from .blockers import descriptors as list_descriptors
from .serve import machine_ms
from .template import Options
from .template import run as run_template

COMMANDS = 3
# Its pid, inside.
KEEPER = 1
OWN_DESCRIPTORS = {0, 1, 2, COMMANDS}


def run(host):
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(host):
        os._exit(0)
    for fd in set(list_descriptors()) - OWN_DESCRIPTORS:
        # Whoever has started the host has left it open for everybody.
        os.close(fd)
    os.set_inheritable(COMMANDS, False)
    # Children leave no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What a terminal sends to all of the host's processes is for the host.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    privileged = os.getuid() == 0
    if privileged:
        walls.empty_bounding_set()
    commands = messages.Connection(COMMANDS)
    received = commands.receive()
    if received is None:
        os._exit(0)
    the_walls = walls.Walls(received[0])
    openings.install()
    preloaded = rehearsal.load_ahead()
    rehearsal.rehearse()
    refuse_shared()
    gc.disable()
    gc.collect()
    gc.freeze()
    commands.record(messages.READY)
    while True:
        received = commands.receive()
        if received is None:
            os._exit(0)
        order, (template, output) = received
        try:
            child = os.fork()
        except OSError as error:
            # There are too many processes: its keeper finds that nobody comes.
            os.write(2, b'a template could not be forked: %s\n' % str(error).encode())
            child = -1
        if child == 0:
            commands.close()
            # Here no more: the function's own children are waited for.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            enter(template, output, Options(None, the_walls, order['uid'], privileged, preloaded, [machine_ms()]))
        os.close(template)
        os.close(output)


def refuse_shared():
    for fd, target in list_descriptors().items():
        if fd not in OWN_DESCRIPTORS:
            raise RuntimeError('descriptor %d (%s) would be shared by all functions' % (fd, target))


def enter(template, output, options):
    """
    In a child of the zygote. The keeper gives it a descriptor of itself; its child is in the keeper's pid namespace, and that one's child is
    the template: as soon as its parent is gone it is the keeper's.
    """
    for fd in (1, 2):
        os.dup2(output, fd)
    os.close(output)
    keeper = messages.Connection(template)
    received = keeper.receive()
    if received is None:
        os._exit(0)
    order, (sandbox,) = received
    libc.check(libc.setns(sandbox, order['namespaces']), 'setns')
    os.close(sandbox)
    child = os.fork()
    if child != 0:
        # Nobody else could: a sandbox whose process is not waited for never comes to its end.
        os.waitpid(child, 0)
        os._exit(0)
    if os.fork() != 0:
        os._exit(0)
    # Whoever was its parent is nobody of the function's.
    while os.getppid() != KEEPER:
        time.sleep(0)
    keeper.record(messages.JOINED)
    options.keeper = keeper
    options.times.append(machine_ms())
    try:
        run_template(options)
    finally:
        os._exit(1)
