"""
What Python has compiled of a function's modules, kept by the host with the version: a function's directory can't be written to, and to compile
a framework takes longer than all the rest of its import. It goes to later templates of the same version and to nobody else.
"""
import marshal
import sys
import zlib
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import MAGIC_NUMBER

from .channel import COMPILE_CACHE, MAX_PAYLOAD_BYTES

# Small functions have none: to unpack it would take as long.
LEAST_BYTES = 64 * 1024
FASTEST = 1

loads = marshal.loads
dumps = marshal.dumps


class Compiled:
    """`stored`: a descriptor of what an earlier template has sent, or None."""

    def __init__(self, stored, roots):
        self._roots = tuple(roots)
        self._known = {} if stored is None else unpack(stored)
        self._fresh = False
        self._open = True

    def begin(self):
        """From now on modules below the roots are found by this."""
        sys.path_hooks.insert(0, self._finder)
        sys.path_importer_cache.clear()

    def finish(self, channel):
        """The modules of init are loaded: what is new of them is sent."""
        known, self._known = self._known, {}
        self._open = False
        if not self._fresh or sum(len(code) for _, code in known.values()) < LEAST_BYTES:
            return
        packed = MAGIC_NUMBER + zlib.compress(dumps(known), FASTEST)
        if len(packed) <= MAX_PAYLOAD_BYTES:
            channel.send(COMPILE_CACHE, 0, packed)

    def get(self, path):
        known = self._known.get(path)
        if known is None or known[0] != state_of(path):
            return None
        return loads(known[1])

    def add(self, path, code):
        if self._open and code is not None:
            self._known[path] = state_of(path), dumps(code)
            self._fresh = True

    def _finder(self, path):
        if not path.startswith(self._roots):
            raise ImportError('not of the function')
        compiled = self

        class Loader(SourceFileLoader):
            def get_code(self, fullname):
                source = self.get_filename(fullname)
                code = compiled.get(source)
                if code is None:
                    code = super().get_code(fullname)
                    compiled.add(source, code)
                return code

        loaders = (ExtensionFileLoader, EXTENSION_SUFFIXES), (Loader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES)
        return FileFinder(path, *loaders)


def state_of(path):
    """By what is in it: a package may have been unpacked anew."""
    with open(path, 'rb') as file:
        source = file.read()
    return len(source), zlib.crc32(source)


def unpack(stored):
    """Path -> state and code. Nothing where another Python, or something else, has made it."""
    with open(stored, 'rb') as file:
        packed = file.read()
    if packed[: len(MAGIC_NUMBER)] != MAGIC_NUMBER:
        return {}
    try:
        return loads(zlib.decompress(packed[len(MAGIC_NUMBER) :]))
    except (ValueError, EOFError, TypeError, zlib.error):
        return {}
