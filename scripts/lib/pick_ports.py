"""Prints the first of 16 neighbouring free ports: pick_ports.py REGISTRY STACK_DIR.

The ports lie below the range from which the kernel takes the ports of outgoing connections; otherwise a server that is
down for a moment could find its port taken when it comes back. REGISTRY is a folder that remembers which stack holds
which block, so that a stack that is down keeps its own; the caller holds a lock on it.
"""

import pathlib
import random
import socket
import sys

BLOCK = 16
FIRST = 20000


def ephemeral_start() -> int:
    try:
        return int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32768


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def held_by_another(entry: pathlib.Path) -> bool:
    try:
        stack = pathlib.Path(entry.read_text())
        return f"PORT_BASE={entry.name}\n" in (stack / "stack.conf").read_text()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def main() -> None:
    registry, stack = map(pathlib.Path, sys.argv[1:3])
    blocks = list(range(FIRST, max(ephemeral_start(), FIRST + 1024) - BLOCK, BLOCK))
    random.shuffle(blocks)
    for base in blocks:
        entry = registry / str(base)
        if held_by_another(entry) or not all(is_free(port) for port in range(base, base + BLOCK)):
            continue
        entry.write_text(str(stack))
        print(base)
        return
    sys.exit(f"no {BLOCK} neighbouring free ports between {FIRST} and {ephemeral_start()}")


if __name__ == "__main__":
    main()
