"""Finds and loads what a handler string names, as Lambda's Python runtime does; and tells applications from handlers."""
import importlib
import inspect
import os
import sys
from traceback import extract_tb, format_list

from .errors import RuntimeFault, is_own

PACKAGE = __name__.split('.')[0]
SCRIPTS = ('.py', os.sep + '__init__.py')


def find_paths(task_root, layers):
    """Where modules are looked for before Python's own: the code, what PYTHONPATH names, the layers."""
    version = 'python%d.%d' % sys.version_info[:2]
    named = [path for path in os.environ.get('PYTHONPATH', '').split(':') if path]
    shared = [path for layer in layers for path in (layer + '/python/lib/%s/site-packages' % version, layer + '/python')]
    paths = []
    for path in [task_root, *named, *shared]:
        if path not in paths:
            paths.append(path)
    return paths


def hide_runtime():
    """Its modules are nobody else's, and are all loaded by now."""
    for name in [name for name in sys.modules if name.split('.')[0] == PACKAGE]:
        del sys.modules[name]


def make_way(task_root, preloaded):
    """A module of the function's with the name of one that was loaded ahead is found all the same."""
    try:
        names = {name.split('.')[0] for name in os.listdir(task_root)}
    except OSError:
        # What is wrong there is told by the import.
        return
    hidden = {name for name in names & preloaded if any(os.path.isfile(os.path.join(task_root, name) + end) for end in SCRIPTS)}
    if hidden:
        for name in [name for name in sys.modules if name.split('.')[0] in hidden]:
            del sys.modules[name]


def load_handler(handler):
    """`module.function`, `package/module.function` or `package.module.function`. Raises RuntimeFault, or what the module itself raised."""
    module_name, dot, name = handler.rpartition('.')
    if not dot:
        raise RuntimeFault('MalformedHandlerName', "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % handler)
    if module_name.split('.')[0] in sys.builtin_module_names:
        raise RuntimeFault('BuiltInModuleConflict', 'Cannot use built-in module %s as a handler module' % module_name)
    try:
        module = importlib.import_module(module_name.replace('/', '.'))
    except SyntaxError as error:
        place = '  File "%s" Line %s\n    %s' % (error.filename, error.lineno, (error.text or '').strip())
        raise RuntimeFault('UserCodeSyntaxError', "Syntax error in module '%s': %s" % (module_name, error), [place]) from error
    except ImportError as error:
        raise RuntimeFault('ImportModuleError', "Unable to import module '%s': %s" % (module_name, error), importing(error)) from error
    except (ValueError, TypeError) as error:
        # The import system's own words for a name that can't be one; of a module's own errors the place is in the module.
        if importing(error):
            raise
        raise RuntimeFault('MalformedHandlerName', "Bad handler '%s': %s" % (handler, error)) from error
    try:
        found = getattr(module, name)
    except AttributeError:
        raise RuntimeFault('HandlerNotFound', "Handler '%s' missing on module '%s'" % (name, module_name)) from None
    if not callable(found):
        raise RuntimeFault('HandlerNotFound', "Handler '%s' on module '%s' is not callable: it is %s" % (name, module_name, kind(found)))
    return found


def importing(error):
    """The places in the function's code at which it was imported."""
    return format_list([frame for frame in extract_tb(error.__traceback__) if not is_own(frame.filename) and not in_library(frame.filename)])


def in_library(filename):
    return filename == importlib.__file__


def kind(value):
    name = type(value).__name__
    return ('an ' if name[0] in 'aeiouAEIOU' else 'a ') + name


ASGI = ('scope', 'receive', 'send')


def application_kind(handler):
    """'wsgi', 'asgi', or None: it takes an event and a context. Told by what it takes, as the two specifications name it."""
    called = handler if inspect.isroutine(handler) else getattr(type(handler), '__call__', None)
    try:
        names = [name for name in inspect.signature(called).parameters if name != 'self']
    except (TypeError, ValueError):
        return None
    if len(names) >= 2 and names[1] == 'start_response':
        return 'wsgi'
    if tuple(names[:3]) == ASGI and not inspect.isclass(handler):
        return 'asgi'
    return None
