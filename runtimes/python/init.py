"""The function's init: its environment, its output, its module; once per template."""
import gc
import os
import sys
import time
from json import dumps

from . import applications, blockers, errors, hooks, load, logs, openings
from .channel import INIT_ERROR, READY
from .context import Facts
from .errors import RuntimeFault, describe
from .serve import end_with, machine_ms


class Loaded:
    """`call` answers an event and a context; `prepare`: what is to be done in each instance first, or None."""

    def __init__(self, call, facts, prepare, shared):
        self.call = call
        self.facts = facts
        self.prepare = prepare
        # Descriptors that init left open.
        self.shared = shared


def prepare(channel):
    """The part of init that needs no function; the channel may still be without a descriptor. What is there now is not the function's."""
    logs.install(channel)
    hooks.install()
    return blockers.Inventory()


def initialise(channel, handler, task_root, layers, inventory, before, preloaded=frozenset(), await_code=None, initialised=None):
    """None: it failed, and the host has been told. `before`: the times of what came before, as the host expects them."""
    logs.configure(os.environ)
    facts = Facts()
    sys.argv[:] = ['/var/runtime/bootstrap.py', handler]
    if await_code is not None:
        await_code()
    shown_ms = machine_ms()
    try:
        load.hide_runtime()
        load.make_way(task_root, preloaded)
        sys.path[:0] = load.find_paths(task_root, layers)
        openings.watch()
        function = load.load_handler(handler)
        call, begin = applications.adapt(function)
        run_hooks()
        openings.stop()
        loaded_ms = machine_ms()
        left = blockers.blockers_since(inventory, task_root)
    except SystemExit as error:
        # The process says so by itself, and ends; what is missing there is the place.
        logs.log_error(('SystemExit', 'the module ended the process while it was loaded: %s' % error, errors.trace_of(error)))
        end_with(channel, error)
    except BaseException as error:
        described = describe(error)
        logs.log_error(described)
        logs.flush()
        channel.send(INIT_ERROR, 0, errors.encode(described))
        return None
    finally:
        openings.stop()
        openings.openings.forget()
    logs.flush()
    if initialised is not None:
        initialised()
    ready = {
        'initMs': loaded_ms - shown_ms,
        'streaming': False,
        'blockers': left,
        'before': before,
        'times': [shown_ms, loaded_ms, machine_ms()],
    }
    channel.send(READY, 0, dumps(ready).encode())
    return Loaded(call, facts, first_of_all(begin), [blocker['fd'] for blocker in left if 'fd' in blocker])


def run_hooks():
    try:
        hooks.run_before_snapshot()
    except Exception as error:
        kind, message, trace = describe(error)
        raise RuntimeFault('BeforeSnapshotError', '%s: %s' % (kind, message), trace) from error


def first_of_all(begin):
    """The hooks, and then what an application has to do when it starts."""
    if not hooks.after:
        return begin
    if begin is None:
        return hooks.run_after_restore

    def both():
        hooks.run_after_restore()
        begin()

    return both


def replace_environment(environment):
    """The real one, so that child processes, the time zone and native code see it too."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()


def settle():
    """Before the first fork: what init has made is looked at by no collection of a child's, which would copy its pages. Whether there are to be any."""
    collects = gc.isenabled()
    gc.disable()
    gc.collect()
    gc.freeze()
    return collects
