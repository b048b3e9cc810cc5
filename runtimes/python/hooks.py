"""
What a function wants done before it is forked and in each instance. Functions import this as `snapshot_restore_py`, as Lambda's Python runtime
names it. The order is Lambda's: before a snapshot the last registered is the first, after it the other way round.
"""
import sys

from . import logs

before = []
after = []
opened = [True]


def install():
    """Before user code."""
    module = type(sys)('snapshot_restore_py', 'What is to be done before a snapshot of this function is taken, and in each instance.')
    module.register_before_snapshot = register_before_snapshot
    module.register_after_restore = register_after_restore
    sys.modules[module.__name__] = module


def register_before_snapshot(func, *args, **kwargs):
    return register(before, func, args, kwargs)


def register_after_restore(func, *args, **kwargs):
    return register(after, func, args, kwargs)


def register(hooks, func, args, kwargs):
    if not callable(func):
        raise TypeError('a hook is a function, not %s' % type(func).__name__)
    if opened[0]:
        hooks.append((func, args, kwargs))
    else:
        logs.warn('a snapshot hook was registered after init: it will not run')
    # It may be used as a decorator.
    return func


def run_before_snapshot():
    """Ends registration too."""
    while before:
        func, args, kwargs = before.pop()
        func(*args, **kwargs)
    opened[0] = False


def run_after_restore():
    for func, args, kwargs in after:
        func(*args, **kwargs)
