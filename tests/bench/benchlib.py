"""What the benches share: builds, processes, their CPU and memory, tables."""

import http.client
import json
import mmap
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PASSWORD = "bench-password-1"


def say(text):
    print(text, file=sys.stderr, flush=True)


def wait_until(what, condition, seconds, step=0.02):
    """Polls, because the other side is another process; fails by name instead of hanging."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise SystemExit(f"bench: waited {seconds} s for {what}")
        time.sleep(step)


class Build:
    """The optimised build of everything a bench runs."""

    def __init__(self, directory, more=()):
        self.dir = pathlib.Path(directory)
        if not (self.dir / "CMakeCache.txt").exists():
            subprocess.run(["cmake", "--preset", "release", "-B", self.dir, "-DROOKERY_TESTS=ON"],
                           cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        targets = ["rookery", "rookery-worker", "rookery-camsim", "pump", "check_frames", "follow_frames",
                   "live_viewer", "tls_front", *more]
        subprocess.run(["cmake", "--build", self.dir, "--target", *targets], check=True,
                       stdout=subprocess.DEVNULL)

    def path(self, name):
        for candidate in (self.dir / name, self.dir / "tests/bench" / name,
                          self.dir / "tests/unit/ingest" / name):
            if candidate.is_file():
                return candidate
        raise SystemExit(f"bench: {name} is not in {self.dir}")


def stat_cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_cpu_s():
    """Of everything on the machine, and what the host of a virtual machine took away."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def pss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def children_of(pid):
    path = pathlib.Path(f"/proc/{pid}/task")
    found = []
    for task in path.iterdir():
        found += [int(c) for c in (task / "children").read_text().split()]
    return found


class Process:
    def __init__(self, args, log, **kwargs):
        self.log = pathlib.Path(log)
        with open(log, "wb") as out:
            self.popen = subprocess.Popen([str(a) for a in args], stdout=out,
                                          stderr=subprocess.STDOUT, **kwargs)
        self.pid = self.popen.pid

    def text(self):
        return self.log.read_text(errors="replace")

    def is_running(self):
        return self.popen.poll() is None

    def stop(self):
        if self.is_running():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(15)
            except subprocess.TimeoutExpired:
                say(f"bench: {self.popen.args[0]} did not stop in 15 s; killed")
                self.popen.kill()
                self.popen.wait()
        return self.popen.returncode


class Camsim:
    """N looped cameras whose pictures can be recognised."""

    def __init__(self, build, work, cache, cameras, sub=False, hosts=0, bitrate=None, fps=None,
                 gop=None):
        self.hosts, self.cameras = hosts, cameras
        self.identity = work / "identity.txt"
        self.stamps = work / "stamps.bin"
        args = [build.path("rookery-camsim"), "--count", cameras, "--spread", "--cache", cache,
                "--identity", self.identity, "--stamps", self.stamps, "--port", 0,
                "--control-port", 0]
        if sub:
            args.append("--sub")
        options = {"--spread-addresses": hosts, "--bitrate": bitrate, "--scene-fps": fps, "--gop": gop}
        for option, value in options.items():
            if value:
                args += [option, value]
        self.process = Process(args, work / "camsim.log")

        def ready():
            if not self.process.is_running():
                raise SystemExit("bench: " + self.process.text().strip())
            return "ready:" in self.process.text()

        wait_until("the simulator", ready, 120)
        line = next(l for l in self.process.text().splitlines() if l.startswith("ready:"))
        self.port = int(line.split("rtsp://")[1].split("/")[0].rsplit(":", 1)[1])
        self.control = int(line.rsplit(":", 1)[1])
        self.scheme, self.server_port = "rtsp", self.port  # of the addresses the server gets

    def call(self, method, path):
        conn = http.client.HTTPConnection("127.0.0.1", self.control, timeout=20)
        conn.request(method, path)
        answer = conn.getresponse()
        value = json.load(answer)
        conn.close()
        if answer.status != 200:
            raise SystemExit(f"bench: the simulator says {answer.status} to {path}: {value}")
        return value

    def tell(self, verb, first=1, last=None):
        """pull, plug or fail?mode=X, to the cameras first … last."""
        mark = "&" if "?" in verb else "?"
        self.call("POST", f"/cameras/all/{verb}{mark}first={first}&last={last or self.cameras}")

    def load(self, starts_anew=False):
        return self.call("POST" if starts_anew else "GET", "/load")

    def dropped(self):
        return self.load()["dropped"]

    def cpu_s(self):
        return stat_cpu_s(self.process.pid)

    def host_of(self, i):
        """Of camera i, from 1: neighbours share a host, like the channels of a recorder."""
        if not self.hosts:
            return "127.0.0.1"
        k = (i - 1) * self.hosts // self.cameras
        return f"127.1.{k // 250}.{k % 250 + 1}"

    def stop(self):
        self.process.stop()


class TlsFront:
    """Makes the simulator's cameras rtsps:// for the server."""

    def __init__(self, build, work, sim):
        hosts = sorted({sim.host_of(i) for i in range(1, sim.cameras + 1)})
        self.process = Process([build.path("tls_front"), work, sim.port, *hosts], work / "front.log")

        def ready():
            if not self.process.is_running():
                raise SystemExit("bench: " + self.process.text().strip())
            return "ready:" in self.process.text()

        wait_until("tls_front", ready, 20)
        sim.scheme, sim.server_port = "rtsps", int(self.process.text().split("ready:")[1])

    def cpu_s(self):
        return stat_cpu_s(self.process.pid)

    def stop(self):
        self.process.stop()


class Server:
    """rookery serve in a directory of its own, with N cameras imported."""

    def __init__(self, build, work, cameras, sim, record="main", sub=False, motion="off"):
        self.build = build
        self.work = work
        self.n = cameras
        self.port = free_port()
        config = work / "rookery.yaml"
        config.write_text(
            f'data_dir: "{work}/data"\n'
            f'volumes: [{{path: "{work}/rec", reserve: 1G}}]\n'
            f'http: {{listen: "127.0.0.1:{self.port}", tls: off}}\n'
            'rtsp: {listen: "off"}\nwebrtc: {listen: "off"}\n'
            f'motion: "{motion}"\n'
            'log: {level: warn}\n')
        self.start()
        self.sign_in()
        self.base_pss_mb = pss_mb(self.process.pid)
        status, answer = self.call("POST", "/api/v1/import",
                                   import_csv(cameras, sim, record, sub), "text/csv")
        if status not in (200, 201):
            raise SystemExit(f"bench: import: {status} {answer}")

    def start(self):
        """Starts it, or starts it again with what it knows."""
        env = dict(os.environ, ROOKERY_ADMIN_PASSWORD=PASSWORD)
        self.process = Process([self.build.path("rookery"), "serve", "--config",
                                self.work / "rookery.yaml"], self.work / "rookery.log", env=env)
        wait_until("the server", self.is_ready, 30)

    def is_ready(self):
        if not self.process.is_running():
            raise SystemExit("bench: the server ended: " + self.process.text().strip()[-2000:])
        try:
            conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            conn.request("GET", "/readyz")
            return conn.getresponse().status == 200
        except OSError:
            return False

    def sign_in(self):
        self.headers = {}
        _, session = self.call("POST", "/api/v1/session",
                               json.dumps({"username": "admin", "password": PASSWORD}))
        self.headers["X-CSRF-Token"] = session["csrf"]
        _, token = self.call("POST", "/api/v1/tokens", json.dumps({"name": "bench"}))
        self.token = token["token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def call(self, method, path, body=None, content_type="application/json"):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = content_type
        conn.request(method, path, body.encode() if body else None, headers)
        answer = conn.getresponse()
        cookie = answer.getheader("Set-Cookie")
        if cookie and "Cookie" not in self.headers:
            self.headers["Cookie"] = cookie.split(";")[0]
        text = answer.read().decode()
        conn.close()
        if answer.status >= 400 and method == "GET":
            raise SystemExit(f"bench: GET {path}: {answer.status} {text[:300]}")
        return answer.status, json.loads(text) if text[:1] in "{[" else text

    def states(self):
        _, answer = self.call("GET", "/api/v1/states")
        return answer["items"]

    def metric(self, name):
        """A figure of the server; cheap."""
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        conn.request("GET", "/metrics")
        text = conn.getresponse().read().decode()
        conn.close()
        return float(next(l for l in text.splitlines() if l.startswith(f"rookery_{name} ")).split()[1])

    def wait_recording(self, seconds=60, fact="recording"):
        """Seconds until the fact holds for all cameras."""
        start = time.monotonic()

        def all_there():
            return self.metric(f"cameras_{fact}") >= self.n

        wait_until(f"{self.n} cameras {fact}", all_there, seconds, 0.1)
        return time.monotonic() - start

    def cpu_s(self):
        """Of the server itself and of its workers."""
        workers = 0.0
        for child in children_of(self.process.pid):
            try:
                workers += stat_cpu_s(child)
            except FileNotFoundError:
                pass
        return stat_cpu_s(self.process.pid), workers

    def stop(self):
        return self.process.stop()


def import_csv(cameras, sim, record, sub):
    lines = ["township,institution_id,institution_name,institution_type,camera_id,camera_name,area,"
             "area_type,main_url,sub_url,username,password,record"]
    for i in range(1, cameras + 1):
        url = f"{sim.scheme}://{sim.host_of(i)}:{sim.server_port}/cam-{i:03}"
        lines.append(f"Bench,bench-{(i - 1) // 20 + 1},Institution {(i - 1) // 20 + 1},,cam-{i:03},"
                     f"Camera {i},,other,{url},{url + '/sub' if sub else ''},,,{record}")
    return "\n".join(lines) + "\n"


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def warm_memory(megabytes):
    """Touches pages once and gives them back: on a virtual machine the first touch of a page costs
    more than recording does, and whoever runs first would pay for it."""
    free_mb = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    size = max(min(int(megabytes), free_mb * 8 // 10), 16) * 2**20
    with mmap.mmap(-1, size) as m:
        for at in range(0, size, 4096):
            m[at] = 1


def free_bytes(path):
    return shutil.disk_usage(path).free


def work_dir(base):
    return pathlib.Path(tempfile.mkdtemp(prefix="rookery-bench-", dir=base))


def clear(path):
    shutil.rmtree(path, ignore_errors=True)


def median(values):
    return statistics.median(values) if values else float("nan")


def table(rows):
    widths = [max(len(str(r[i])) for r in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w)
                        for i, (c, w) in enumerate(zip(row, widths))))
        if number == 0:
            print("  ".join("-" * w for w in widths))
