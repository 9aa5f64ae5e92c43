"""A TCP proxy in front of a server, to cut connections in the middle, to make its answers late, or its requests."""

import contextlib
import selectors
import socket
import threading
import time


class Proxy:
    def __init__(self, target, delay=0):
        self.target = target
        self.delay = delay  # seconds, of what the server says
        self.passed = 0  # bytes, both ways
        self._marker = None
        self._held = threading.Event()
        self._released = threading.Event()
        self._landed = threading.Event()
        self._open = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends all connections there are; new ones are forwarded."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):  # it has ended by itself
                    end.shutdown(socket.SHUT_RDWR)

    def hold(self, marker):
        """Keeps back what a client says from the next message on that holds `marker`, until release(); whatever
        becomes of the client. Other connections go on."""
        self._marker = marker

    def held(self):
        return self._held.is_set()

    def release(self):
        """Lets it go, and waits until the server has had its say, where the client is no longer there."""
        self._released.set()
        self._landed.wait()

    def close(self):
        self._released.set()
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()

    def _forward(self, client, server):
        other = {client: server, server: client}
        holding = False
        with selectors.DefaultSelector() as ready:
            for end in other:
                ready.register(end, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in ready.select():
                        data = key.fileobj.recv(1 << 16)
                        if self._marker is not None and key.fileobj is client and self._marker in data:
                            self._marker, holding = None, True
                            self._held.set()
                            self._released.wait()
                        if not data:
                            return
                        if self.delay and key.fileobj is server:
                            time.sleep(self.delay)
                        other[key.fileobj].sendall(data)
                        self.passed += len(data)
            except OSError:
                pass
            finally:
                if holding:
                    self._hear_out(server)
                    self._landed.set()
                with self._lock:
                    self._open -= set(other)
                for end in other:
                    end.close()

    @staticmethod
    def _hear_out(server):
        """Until it has said nothing for a second: to close at once might cancel what it was asked."""
        server.settimeout(1)
        with contextlib.suppress(OSError):
            while server.recv(1 << 16):
                pass
