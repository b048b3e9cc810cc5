"""
What Python does at a fork so that threads find no lock held by one that is not there any more. It touches more memory than the rest of an
instance's birth, which the kernel must copy for each; where the process has a single thread there is no such lock. What the library's modules
have registered for a fork is therefore kept here, and left out where it would change nothing; what functions register is Python's own business.
"""
import os
from _thread import _count as count_other_threads

# Of these modules, which do nothing else there.
ABOUT_THREADS = ('threading', 'logging')

fork = os.fork


class Hooks:
    """Those of modules that were loaded while `collect` was in force. `alone`: the next fork is of a process without other threads."""

    def __init__(self):
        self.alone = False
        self._about_threads = [], [], []
        self._others = [], [], []

    def collect(self):
        """Returns how to end it, which hands Python what was collected, as one."""
        register = os.register_at_fork

        def keep(*, before=None, after_in_parent=None, after_in_child=None):
            for place, hook in enumerate((before, after_in_parent, after_in_child)):
                if hook is None:
                    continue
                if not callable(hook):
                    raise TypeError('a hook is a function, not %s' % type(hook).__name__)
                kept = self._about_threads if getattr(hook, '__module__', None) in ABOUT_THREADS else self._others
                kept[place].append(hook)

        def end():
            os.register_at_fork = register
            # Those before a fork are called from the last to the first.
            for hooks in (self._about_threads, self._others):
                hooks[0].reverse()
            register(before=lambda: self._run(0), after_in_parent=lambda: self._run(1), after_in_child=lambda: self._run(2))

        os.register_at_fork = keep
        return end

    def _run(self, place):
        if not self.alone:
            for hook in self._about_threads[place]:
                hook()
        for hook in self._others[place]:
            hook()


hooks = Hooks()


def fork_instance():
    """As `os.fork`."""
    hooks.alone = count_other_threads() == 0
    try:
        return fork()
    finally:
        hooks.alone = False
