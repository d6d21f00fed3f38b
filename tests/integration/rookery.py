"""What integration tests need: the real binary and the camera simulator on free ports in a folder of their own,
a small HTTP client, and waiting for conditions with a deadline."""

import functools
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from datetime import datetime, timedelta, timezone

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("ROOKERY_BUILD", os.path.join(ROOT, "build"))
CHECK_BUILD = os.environ.get("ROOKERY_CHECK_BUILD", os.path.join(ROOT, "build", "check"))
CAMSIM = os.environ.get("ROOKERY_CAMSIM", os.path.join(BUILD, "rookery-camsim"))
SERVER = os.path.join(BUILD, "rookery")
PASSWORD = "correct horse"
PAGE_BYTES = 16384  # of the catalogue


def built(name):
    """The path of something that the tests need and the check build makes: it is there, or they fail."""
    path = os.path.join(CHECK_BUILD, name)
    assert os.path.exists(path), f"{path} is not built"
    return path


class Ports:
    """A block of ports of this process alone, as long as it lives: it is whose that holds the first port. They all lie
    below those that the kernel gives to connections, so nobody takes one between the choice and the use."""

    SIZE = 250
    BLOCKS = range(10000, 32500, SIZE)

    def __init__(self):
        for first in random.sample(self.BLOCKS, len(self.BLOCKS)):
            self.holder = socket.socket()
            try:
                self.holder.bind(("127.0.0.1", first))
                break
            except OSError:
                self.holder.close()
        else:
            raise AssertionError("every block of ports is taken")
        self.turns = itertools.cycle(range(first + 1, first + self.SIZE))

    def take(self):
        return next(port for port in self.turns if is_unbound(port))


def is_unbound(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


own_ports = functools.cache(Ports)


def free_port():
    return own_ports().take()


def slowness():
    """How many times longer than on a quiet machine a thing may take now: what waits for a core, by core."""
    return min(max(os.getloadavg()[0] / os.cpu_count(), 1), 5)


def wait_for(what, check, timeout=20.0):
    """Calls check until it answers something true, and returns that. The time is that of a quiet machine."""
    start = time.monotonic()
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() - start > timeout * slowness():
            raise AssertionError(f"timed out waiting for {what}; last: {value!r}")
        time.sleep(0.1)


def parse_time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def rfc3339(t):
    return t.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def now(offset_s=0.0):
    return rfc3339(datetime.now(timezone.utc) + timedelta(seconds=offset_s))


class Reply:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


class Process:
    """A program whose output goes to a file."""

    def __init__(self, args, log, env=None):
        self.log = log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(args, stdout=out, stderr=out, env=env)

    def is_running(self):
        return self.popen.poll() is None

    def end(self, sig=signal.SIGTERM, timeout=10):
        if self.is_running():
            self.popen.send_signal(sig)
        return self.popen.wait(timeout)

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()


class Camsim:
    def __init__(self, folder, cameras):
        self.port = free_port()
        self.control_port = free_port()
        config = os.path.join(folder, "cameras.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"address": "127.0.0.1", "port": self.port, "control_port": self.control_port,
                       "cameras": cameras}, f)
        self.process = Process([CAMSIM, "--config", config], os.path.join(folder, "camsim.log"))
        wait_for("the simulator", lambda: "ready" in self.process.output(), 60)

    def url(self, camera, stream=""):
        return f"rtsp://127.0.0.1:{self.port}/{camera}{stream}"

    def control(self, camera, verb):
        c = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=5)
        c.request("POST", f"/cameras/{camera}/{verb}")
        status = c.getresponse().status
        c.close()
        assert status == 200, status

    def end(self):
        self.process.end()


class Rookery:
    def __init__(self, folder=None, config=""):
        self.folder = folder or tempfile.mkdtemp(prefix="rookery-test-")
        self.data_dir = os.path.join(self.folder, "data")
        self.port = free_port()
        self.config = os.path.join(self.folder, "rookery.yaml")
        self.process = None
        self.token = None
        self.env = {}  # more for the server's own
        self.prefix = []  # a program that starts it
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f'data_dir: "{self.data_dir}"\nhttp: {{listen: "127.0.0.1:{self.port}", tls: off}}\n'
                    f"{'' if 'rtsp:' in config else 'rtsp: {listen: off}'}\nwebrtc: {{listen: off}}\n"
                    f"web_dir: \"{os.path.join(ROOT, 'tests', 'integration', 'site')}\"\n{config}")

    def command(self, *args, stdin=None, env=None):
        env = dict(os.environ, ROOKERY_ADMIN_PASSWORD=PASSWORD, **(env or {}))
        return subprocess.run([SERVER, *args, "--config", self.config], input=stdin, env=env, timeout=60,
                              capture_output=True, text=True, check=False)

    def start(self):
        env = dict(os.environ, ROOKERY_ADMIN_PASSWORD=PASSWORD, **self.env)
        self.process = Process([*self.prefix, SERVER, "serve", "--config", self.config], os.path.join(self.folder, "server.log"), env)

        def is_ready():
            if not self.process.is_running():
                raise AssertionError("the server ended: " + self.process.output()[-2000:])
            try:
                return self.request("GET", "/readyz", token=None).status == 200
            except OSError:
                return False

        wait_for("the server", is_ready, 30)
        return self

    def stop(self, sig=signal.SIGTERM):
        code = self.process.end(sig)
        self.process = None
        return code

    def end(self):
        if self.process is not None:
            self.process.end()
        if not os.environ.get("ROOKERY_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, timeout=20):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, token="own", timeout=20):
        c = self.connect(timeout)
        headers = dict(headers or {})
        if token == "own" and self.token:
            headers["Authorization"] = "Bearer " + self.token
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        c.request(method, path, body=body.encode() if isinstance(body, str) else body, headers=headers)
        response = c.getresponse()
        reply = Reply(response, response.read())
        c.close()
        return reply

    def api(self, method, path, body=None, expect=None, **more):
        reply = self.request(method, "/api/v1" + path, body, **more)
        if expect is not None and reply.status != expect:
            raise AssertionError(f"{method} {path}: {reply.status} {reply.body[:400]!r}, not {expect}")
        return reply

    def get(self, path, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        return self.api("GET", path, expect=200).json

    def sign_in(self):
        """A token for everything that follows."""
        reply = self.api("POST", "/session", {"username": "admin", "password": PASSWORD}, expect=200)
        cookie = reply.headers["Set-Cookie"].split(";")[0]
        made = self.api("POST", "/tokens", {"name": "test"}, expect=201,
                        headers={"Cookie": cookie, "X-CSRF-Token": reply.json["csrf"]})
        self.token = made.json["token"]
        return cookie, reply.json["csrf"]

    def state(self, camera):
        return self.get(f"/cameras/{camera}/state")

    def wait_cause(self, camera, cause, timeout=25):
        return wait_for(f"{camera} to be {cause}",
                        lambda: (s := self.state(camera))["cause"] == cause and s, timeout)


def ffprobe(path, *args):
    out = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *args, path], capture_output=True, text=True,
                         timeout=60, check=False)
    return json.loads(out.stdout or "{}"), out.stderr
