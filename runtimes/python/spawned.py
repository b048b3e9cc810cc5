"""
A function as a plain process, without isolation: with the function's environment as its own, and the channel to the host as descriptor 3.
What layers bring is where PYTHONPATH says.
"""
import os

from . import openings
from .channel import Channel
from .init import initialise, prepare
from .serve import Birth, Server, machine_ms
from .trace import set_plainly

CHANNEL = 3


def run(task_root, handler, _concurrency):
    loaded_ms = machine_ms()
    os.set_inheritable(CHANNEL, False)
    openings.install()
    channel = Channel(CHANNEL)
    inventory = prepare(channel)
    loaded = initialise(channel, handler, task_root, (), inventory, [began_ms(), loaded_ms])
    if loaded is None:
        os._exit(1)
    server = Server(channel, loaded.call, loaded.facts, set_plainly)
    server.run(Birth(ready_ms=machine_ms()), loaded.prepare)
    os._exit(0)


def began_ms():
    """When the kernel made this process."""
    try:
        with open('/proc/self/stat', encoding='latin-1') as file:
            ticks = int(file.read().rpartition(')')[2].split()[19])
        return ticks * 1000 / os.sysconf('SC_CLK_TCK')
    except (OSError, ValueError, IndexError):
        return 0
