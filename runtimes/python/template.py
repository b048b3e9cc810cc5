"""The template: runs the function's init once, then only forks. And what becomes of its children: instances."""
import gc
import os
import signal

from . import compiled, detach, extensions, init, libc, messages, trace, walls
from .channel import Channel
from .forks import fork_instance
from .serve import Birth, Server, machine_ms

MiB = 1024 * 1024
# Many programs map much more than they ever use: so much they may at least, where control groups count nothing.
PROGRAM_DATA_BYTES = 1024 * MiB
TASK_ROOT = '/var/task'
LAYERS = ('/opt',)
# The channel has no descriptor before there is a function.
NOT_YET = -1
# Descriptors of an order to fork, beside doors: with a way for events.
WITH_EVENTS = 4

close = os.close
write = os.write
setsid = os.setsid
waitpid = os.waitpid
chdir = os.chdir
leave = os._exit
set_scheduler = os.sched_setscheduler
no_priority = os.sched_param(0)
SCHED_BATCH = os.SCHED_BATCH
setns = libc.setns
check = libc.check
enable_gc = gc.enable
getsignal = signal.getsignal
set_signal = signal.signal
SIGCHLD = signal.SIGCHLD
SIGINT = signal.SIGINT
SIG_DFL = signal.SIG_DFL
SIG_IGN = signal.SIG_IGN
default_int_handler = signal.default_int_handler


class Options:
    """`keeper`: the connection to the keeper; `times`: when the zygote had forked, and when this process was inside."""

    def __init__(self, keeper, the_walls, user, privileged, preloaded, times):
        self.keeper = keeper
        self.walls = the_walls
        self.user = user
        self.privileged = privileged
        self.preloaded = preloaded
        self.times = times


def run(options):
    """Never returns: not in the template, and not in an instance."""
    # All that needs no function is done before there is one.
    walls.hide_arguments()
    options.walls.confine(options.user, options.privileged)
    mapped = walls.mapped_bytes()
    channel = Channel(NOT_YET)
    inventory = init.prepare(channel)
    blank_ms = machine_ms()
    keeper = options.keeper
    spec, fds = keeper.receive() or leave(0)
    read_ms = machine_ms()
    boot = fds[0]
    # With extensions what they write to comes next.
    doors_at = 2 if spec['extensions'] else 1
    stored_at = doors_at + spec['doors']
    enter_groups(fds[doors_at:stored_at])
    channel.swap(boot)
    inventory.descriptors[boot] = os.readlink('/proc/self/fd/%d' % boot)
    kept = None
    if spec['compileCache']:
        stored = fds[stored_at:]
        kept = compiled.Compiled(stored[0] if stored else None, (TASK_ROOT, *LAYERS))
        kept.begin()
    init.replace_environment(spec['environment'])
    enable_gc()
    data_bytes = (spec['memoryMiB'] + spec['reservedMiB']) * MiB

    def await_code():
        if keeper.receive() is None:
            leave(0)
        if spec['extensions']:
            begin_extensions(options, spec, fds[1], max(data_bytes, PROGRAM_DATA_BYTES))
            inventory.look_again()
        options.walls.limit(mapped + data_bytes, spec.get('processes'))
        chdir(TASK_ROOT)

    def initialised():
        if kept is not None:
            kept.finish(channel)
        # Before the host hears of it: the keeper must know when the host asks for an instance.
        keeper.record(messages.INITIALISED)

    times = [*options.times, blank_ms, read_ms]
    loaded = init.initialise(
        channel,
        spec['handler'],
        TASK_ROOT,
        LAYERS,
        inventory,
        times,
        preloaded=options.preloaded,
        await_code=await_code,
        initialised=initialised,
    )
    if loaded is None:
        leave(1)
    server = Server(channel, loaded.call, loaded.facts, trace.Variable(libc).set)
    collects = init.settle()
    instance = fork_on_command(keeper)
    become_instance(options, instance, loaded.shared)
    if instance.on_child is not None:
        set_signal(SIGCHLD, instance.on_child)
    if instance.forked:
        channel.swap(instance.channel, instance.events)
    else:
        channel.move(instance.channel, instance.events)
    close(boot)
    if collects:
        enable_gc()
    server.serve(Birth(instance.read_ms, instance.forked_ms, machine_ms()), loaded.prepare)


def begin_extensions(options, spec, output, data_bytes):
    """What runs beside the function is there before it; the host says when the function may begin."""
    hidden = options.walls.runtime_variables
    environment = {name: value for name, value in spec['environment'].items() if name not in hidden}
    limit = lambda: options.walls.limit(data_bytes, spec.get('processes'))
    extensions.launch_all(extensions.Launch(environment, output, options.keeper, limit), spec['extensions'])
    close(output)
    if options.keeper.receive() is None:
        leave(0)


def enter_groups(doors):
    """Ends the process where that can't be: it would have no limit."""
    for door in doors:
        try:
            write(door, b'0')
        except OSError:
            write(2, b'the process could not enter its control group\n')
            leave(1)
        close(door)


class Order:
    __slots__ = ('id', 'channel', 'events', 'doors', 'user_namespace', 'mounts', 'forked', 'on_child', 'read_ms', 'forked_ms')


def fork_on_command(keeper):
    """Waits for commands, blocking, so that nothing of the function runs between two forks; returns in each instance."""
    on_child = None
    forks = False
    while True:
        received = keeper.receive()
        if received is None:
            leave(0)
        message, fds = received
        what = message['do']
        if what == 'fork' or what == 'serve':
            order = Order()
            order.read_ms = machine_ms()
            # From the host the channel, perhaps a way for events, and doors; from the keeper two namespaces.
            doors = message['doors'] if what == 'fork' else 0
            order.id = message['id']
            order.channel = fds[0]
            order.events = fds[1] if len(fds) - doors == WITH_EVENTS else fds[0]
            order.doors = fds[len(fds) - 2 - doors : len(fds) - 2]
            order.user_namespace, order.mounts = fds[-2:]
            order.forked = what == 'fork'
            order.forked_ms = 0
            if order.forked and not forks:
                forks = True
                on_child = keep_children()
            order.on_child = on_child
            if not order.forked:
                return order
            try:
                pid = fork_instance()
            except OSError:
                keeper.record(messages.NOT_FORKED, order.id)
                pid = -1
            if pid == 0:
                return order
            for fd in fds:
                close(fd)
        elif what == 'reap':
            try:
                pid, status = waitpid(message['pid'], 0)
            except ChildProcessError:
                # It is gone all the same.
                pid, status = message['pid'], messages.NEVER_BEGAN
            keeper.record(messages.REAPED, pid, status)


def keep_children():
    """
    Instances that end are collected when the keeper says so: where the function ignores SIGCHLD the kernel would do that, and a handler of its own may.
    Returns what it had set, for its instances; None: nothing.
    """
    on_child = getsignal(SIGCHLD)
    if on_child is None or on_child == SIG_DFL:
        return None
    set_signal(SIGCHLD, SIG_DFL)
    return on_child


def become_instance(options, order, shared):
    """`shared`: descriptors that init left open; there are some in a fork only where the function's settings say so."""
    if order.forked:
        order.forked_ms = machine_ms()
        options.keeper.record(messages.HELLO, order.id)
        options.keeper.close()
        enter_groups(order.doors)
        setsid()
        detach.detach_shared(shared)
        check(setns(order.user_namespace, 0), 'setns')
        check(setns(order.mounts, 0), 'setns')
        # The full bounding set that a user namespace begins with gives nothing to a process under no_new_privs.
        options.walls.drop_capabilities()
        options.walls.leave_siblings()
    # A template that serves by itself keeps the /tmp of its init: it is the only one, and with threads it could enter no other namespace.
    close(order.user_namespace)
    close(order.mounts)
    try:
        # On processors that are all at work it waits for its turn, rather than to push the host aside.
        set_scheduler(0, SCHED_BATCH, no_priority)
    except OSError:
        pass
    if getsignal(SIGINT) == SIG_IGN:
        set_signal(SIGINT, default_int_handler)
    # The other mounts have other directories.
    chdir(TASK_ROOT)
