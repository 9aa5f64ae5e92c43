"""recommendation-engine as a process, and a client of its HTTP API."""

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import urllib.parse

from conftest import wait_for


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Engine:
    """One replica, started with its own flags; stopped by close()."""

    def __init__(self, path, env, folder, name, *arguments, **changes):
        self.log_path = folder / f"{name}.log"
        self.environment = {**os.environ, **env, **changes}
        self.command = [path, "--listen", "127.0.0.1:0", *map(str, arguments)]
        self.start()

    def start(self):
        before = self.times_listening()
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stderr=log, stdout=subprocess.DEVNULL)
        wait_for(lambda: self.process.poll() is not None or self.times_listening() > before)
        assert self.process.poll() is None, self.log()
        self.address = re.findall(r"event=listening.* address=(\S+)", self.log())[-1]
        self.local = threading.local()

    def times_listening(self):
        return self.log().count("event=listening")

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def request(self, method, path, body=None, headers=None, timeout=30):
        """Over a connection that each thread keeps."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection = getattr(self.local, "connection", None)
        if connection is None or getattr(self.local, "address", None) != self.address:
            host, _, port = self.address.rpartition(":")
            connection = self.local.connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
            self.local.address = self.address
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def media_path(self, item_id, rest=""):
        return "/v1/media/" + urllib.parse.quote(str(item_id), safe="") + rest

    def put(self, item_id, **body):
        return self.request("PUT", self.media_path(item_id), body)

    def get(self, item_id):
        return self.request("GET", self.media_path(item_id))

    def delete(self, item_id):
        return self.request("DELETE", self.media_path(item_id))

    def search(self, embedding, **more):
        return self.request("POST", "/v1/search", {"embedding": embedding, **more})

    def status(self):
        return self.request("GET", "/status").json

    def metric(self, line):
        """The value of a metric by its full name, labels included; 0 where there is none."""
        for row in self.request("GET", "/metrics").body.decode().splitlines():
            if row.startswith(line + " "):
                return float(row.rsplit(" ", 1)[1])
        return 0.0

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                code = self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("does not end on SIGTERM\n" + self.log()) from None
            assert code == 0, self.log()
