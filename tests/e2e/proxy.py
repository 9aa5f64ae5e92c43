"""A TCP proxy in front of a server, to cut connections in the middle, or to make its answers late."""

import selectors
import socket
import threading
import time


class Proxy:
    def __init__(self, target, delay=0):
        self.target = target
        self.delay = delay  # seconds, of what the server says
        self.passed = 0  # bytes, both ways
        self._open = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends all connections there are; new ones are forwarded."""
        with self._lock:
            for end in self._open:
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
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
        with selectors.DefaultSelector() as ready:
            for end in other:
                ready.register(end, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in ready.select():
                        data = key.fileobj.recv(1 << 16)
                        if not data:
                            return
                        if self.delay and key.fileobj is server:
                            time.sleep(self.delay)
                        other[key.fileobj].sendall(data)
                        self.passed += len(data)
            except OSError:
                pass
            finally:
                with self._lock:
                    self._open -= set(other)
                for end in other:
                    end.close()
