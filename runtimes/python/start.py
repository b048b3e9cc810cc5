"""
What the host starts: `python3 start.py zygote HOST_PID`, or `python3 start.py spawn TASK_ROOT HANDLER CONCURRENCY`. What a function's wrapper
starts has no arguments: those of Python can be added before the last. The runtime's modules are
a package of a name that no function's module has: they share one table of modules.
"""
import os
import sys

PACKAGE = '_hearth'


def main():
    package = type(sys)(PACKAGE)
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules[PACKAGE] = package
    # The directory of this file comes first: there, the names of the runtime's modules would hide those of functions.
    sys.path.pop(0)
    role, *arguments = sys.argv[1:] or ['spawn', os.environ['LAMBDA_TASK_ROOT'], os.environ['_HANDLER'], '1']
    hide_main()
    if role == 'zygote':
        from _hearth.forks import hooks

        # Before anything is loaded that is about threads, as what a site loads for every Python may be.
        end = hooks.collect()
        load_site()
        from _hearth.zygote import run

        end()
    else:
        if sys.flags.no_site:
            load_site()
        from _hearth.spawned import run
    # Only this package has a place for what is compiled: a function's directory is not written to.
    sys.dont_write_bytecode = True
    run(*arguments)


def load_site():
    """What Python does at its start unless it is told not to, as here: where installed packages are."""
    import site

    site.main()


def hide_main():
    """Children that Python starts for a function would look for this file, which is not there in a sandbox."""
    main = sys.modules['__main__']
    main.__spec__ = None
    for name in ('__file__', '__cached__'):
        main.__dict__.pop(name, None)


if __name__ == '__main__':
    main()
