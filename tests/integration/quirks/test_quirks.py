"""What real cameras do, case by case: every file of tests/quirks is a camera of one simulator and a camera of one
server, and one test. The format is described in tests/rig/README.md. ROOKERY_QUIRKS=U1,K narrows the run down to the
cases whose names begin so."""

import glob
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import urllib.request

from rookery import CAMSIM, ROOT, Process, Rookery, built, free_port, wait_for

RUNS_ALONE = "hundreds of cameras at a time, most with limits of time"
FOLDER = os.path.join(ROOT, "tests", "quirks")
HEADER = "township,institution_id,institution_name,camera_id,camera_name,area_type,main_url\n"
PICTURES = {"scene": "corridor", "live": False, "size": "320x240", "fps": 10, "gop": 10, "bitrate": 200000}
WITHIN_S = 45  # unless a case says otherwise
PATIENCE_S = 80  # for all of them together


def load_cases():
    wanted = tuple(filter(None, os.environ.get("ROOKERY_QUIRKS", "").split(",")))
    cases = {}
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.json"))):
        name = os.path.basename(path)[:-len(".json")]
        with open(path, encoding="utf-8") as f:
            case = json.load(f)
        if not wanted or name.startswith(wanted):
            cases[name] = case
    return cases


CASES = load_cases()


def matches_glob(text, pattern):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def matches(entry, wanted):
    """Whether a line of the trace is what a case means by "SETUP /a/track0 404", or by an object around that."""
    if isinstance(wanted, str):
        wanted = {"is": wanted}
    words = wanted["is"].split()
    what = entry.get("method", entry["what"])
    if not matches_glob(what, words[0]) or (words[0] == "*" and "method" not in entry):
        return False
    if words[1:2] and words[1][0] in "/*r":
        uri = entry.get("uri", "")
        path = uri if "://" in words[1] else re.sub(r"^rtsp://[^/]*", "", uri)
        if not matches_glob(path, words[1]):
            return False
    if len(words) > 1 and words[-1].isdigit() and int(words[-1]) != entry.get("status"):
        return False
    if wanted.get("connection", entry["connection"]) != entry["connection"]:
        return False
    headers = {k.lower(): v for k, v in entry.get("headers", {}).items()}
    for name, pattern in wanted.get("headers", {}).items():
        value = headers.get(name.lower())
        if (value is None) != (pattern is None) or (pattern is not None and not re.search(pattern, value)):
            return False
    return True


def first_missing(trace, wanted):
    """The first of `wanted` that does not come, in this order; or None."""
    entries = iter(trace)
    for one in wanted:
        if not any(matches(e, one) for e in entries):
            return one
    return None


def shown(trace):
    return "\n".join(f"  {e['connection']} {e.get('method', e['what'])} {e.get('uri', '')} {e.get('status', '')}"
                     for e in trace[:60])


class Case:
    def __init__(self, number, name, case):
        self.name = name
        self.expect = case["expect"]
        self.config = case.get("camera_config", {})
        # A host of its own, because the server limits what it does to one host; the simulator's UDP has one address.
        needs_udp = "UDP" in self.expect.get("detail", "") or self.config.get("transport") == "udp"
        self.address = "127.0.0.1" if needs_udp else f"127.2.{number // 250}.{1 + number % 250}"
        self.camera = {"label": "loop", "main": PICTURES, "port": "any", "rtsp": [], "address": self.address,
                       **case["camera"], "id": name}
        self.causes = self.expect.get("cause", "ok")
        self.causes = [self.causes] if isinstance(self.causes, str) else self.causes
        self.is_ok = self.causes == ["ok"]
        self.settled_at = None
        self.problem = "was never looked at"
        self.state = {}
        self.trace = []
        self.identity = None
        self.n_dropped = 0  # pictures the simulator did not send, because nobody read
        self.frames = None
        self.stopped_at = None

    def look(self, sim, rookery):
        """Sets `problem` to what is not yet as it should be, or None."""
        self.state = rookery.state(self.name)
        self.trace = sim.trace(self.name)
        self.problem = self.find_problem(rookery)
        if self.problem is None and self.settled_at is None:
            self.settled_at = time.monotonic()

    def is_done(self):
        return self.settled_at is not None and time.monotonic() >= self.settled_at + self.expect.get("for_s", 0)

    def find_problem(self, rookery):
        state, expect = self.state, self.expect
        if state["cause"] not in self.causes:
            return f"cause {state['cause']} ({state['detail']}), not {self.causes}"
        if not re.search(expect.get("detail", ""), state["detail"]):
            return f"detail {state['detail']!r} does not match {expect['detail']!r}"
        for key in ("codec", "has_audio", "width"):
            if key in expect and state[key] != expect[key]:
                return f"{key} is {state[key]}, not {expect[key]}"
        if "retry_s" in expect:
            low, high = expect["retry_s"]
            if state["retry_s"] is None or not low <= state["retry_s"] <= high:
                return f"the next try is in {state['retry_s']} s"
        for key, wanted in expect.get("audio", {}).items():
            if not re.search(wanted, (state["audio"] or {}).get(key) or ""):
                return f"audio is {state['audio']}, not {expect['audio']}"
        for key, limits in expect.get("state", {}).items():
            if (state[key] is None) != (limits is None) or (limits and not limits[0] <= state[key] <= limits[1]):
                return f"{key} is {state[key]}, not {limits}"
        if self.is_ok and not (state["recording"] and state["advancing"]):
            return f"not recorded yet: {state['detail']}"
        missing = first_missing(self.trace, expect.get("requests", []))
        return f"missing {missing} in\n{shown(self.trace)}" if missing else None

    def verdict(self):
        """What is wrong at the end, or None."""
        expect = self.expect
        if self.problem:
            return self.problem
        for one in expect.get("never", []):
            if any(matches(e, one) for e in self.trace):
                return f"there is {one} in\n{shown(self.trace)}"
        n = sum(e["what"] == "connected" for e in self.trace)
        limit = expect.get("connections", 1 if self.is_ok else 8)
        low, high = limit if isinstance(limit, list) else (0, limit)
        if not low <= n <= high:
            return f"{n} connections, not {limit}:\n{shown(self.trace)}"
        missing = first_missing(self.trace, expect.get("at_end", []))
        if missing:
            return f"missing at the end: {missing} in\n{shown(self.trace[-60:])}"
        return self.wrong_pictures() if self.is_ok else None

    def wrong_pictures(self):
        wanted = {"missing": 0, "doubled": 0, "unknown": 0, **self.expect.get("pictures", {})}
        if not self.frames or self.frames["frames"] < 5:
            return f"hardly anything was recorded: {self.frames}"
        limits = {k: [0, v] if isinstance(v, int) else v for k, v in wanted.items() if v is not None}
        wrong = {k: self.frames[k] for k, (low, high) in limits.items() if not low <= self.frames[k] <= high}
        if wrong:
            return (f"recorded pictures: {wrong} of {self.frames['frames']}, not {limits}; "
                    f"left out by the simulator: {self.n_dropped}; {self.state['detail']}")
        if self.expect.get("sound") and self.frames["sounds"] < 10:
            return f"{self.frames['sounds']} pieces of sound were recorded"
        return self.wrong_times()

    def wrong_times(self):
        limit_ms = self.expect.get("time_s", 0) * 1000
        if limit_ms == 0:
            return None
        span_ms = self.frames["to_ms"] - self.frames["from_ms"]
        if abs(span_ms - self.frames["media_ms"]) > limit_ms:
            return f"{self.frames['media_ms']} ms of pictures were recorded in {span_ms} ms"
        late_ms = self.frames["to_ms"] - self.stopped_at * 1000
        return f"the last picture lies {late_ms:.0f} ms after the end" if abs(late_ms) > 1000 + limit_ms else None


class Simulator:
    def __init__(self, folder, cameras):
        self.control_port = free_port()
        config = os.path.join(folder, "cameras.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"port": 0, "control_port": self.control_port, "cameras": cameras}, f)
        self.process = Process([CAMSIM, "--config", config], os.path.join(folder, "camsim.log"))

        def is_ready():
            assert self.process.is_running(), self.process.output()
            return "ready" in self.process.output()

        try:
            wait_for("the simulator", is_ready, 60)
        except BaseException:
            self.process.end()
            raise
        self.ports = {c["id"]: c["port"] for c in json.loads(self.get("/cameras"))["items"]}

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control_port}{path}", timeout=10) as reply:
            return reply.read()

    def trace(self, camera):
        return json.loads(self.get(f"/cameras/{camera}/trace"))


class Quirks(unittest.TestCase):
    """One simulator and one server with all cases; the tests only look at what came out."""

    @classmethod
    def setUpClass(cls):
        cls.cases = {name: Case(i, name, case) for i, (name, case) in enumerate(CASES.items())}
        folder = tempfile.mkdtemp(prefix="rookery-test-")
        cls.rookery = Rookery(folder, "segment: 30\nmotion: off\n")
        sim = None
        try:
            sim = Simulator(folder, [{"id": "plain", "main": PICTURES, "rtsp": []}] +
                            [c.camera for c in cls.cases.values()])
            cls.add_cameras(sim)
            cls.watch(sim)
            for case in cls.cases.values():
                if case.is_ok:
                    case.identity = sim.get(f"/cameras/{case.name}/identity")
            for case in cls.cases.values():
                case.stopped_at = time.time()
            cls.exit_code = cls.rookery.stop()
            for case in cls.cases.values():
                case.trace = sim.trace(case.name)
            for counters in json.loads(sim.get("/cameras"))["items"]:
                if counters["id"] in cls.cases:
                    cls.cases[counters["id"]].n_dropped = counters["dropped_units"]
            cls.check_recordings(folder)
        finally:
            if sim:
                sim.process.end()
            cls.rookery.end()

    @classmethod
    def add_cameras(cls, sim):
        rookery = cls.rookery
        path = os.path.join(rookery.folder, "district.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write(HEADER + f"甲镇,i-1,一号园,plain,plain,corridor,rtsp://127.0.0.1:{sim.ports['plain']}/plain\n")
        out = rookery.command("import", path)
        assert out.returncode == 0, out.stderr
        rookery.start()
        rookery.sign_in()
        for case in cls.cases.values():
            config = dict(case.config)
            path = config.pop("path", "/" + case.name)
            url = f"rtsp://{case.address}:{sim.ports[case.name]}{path}"
            rookery.api("POST", "/cameras", {"id": case.name, "name": case.name, "institution_id": "i-1", "area": "x",
                                             "area_type": "corridor", "main_url": url, "record": "main", **config},
                        expect=201)

    @classmethod
    def watch(cls, sim):
        start = time.monotonic()
        while True:
            waiting = [c for c in cls.cases.values() if not c.is_done() and
                       time.monotonic() - start < c.expect.get("within_s", WITHIN_S)]
            if not waiting or time.monotonic() - start > PATIENCE_S:
                return
            for case in waiting:
                case.look(sim, cls.rookery)
            time.sleep(0.3)

    @classmethod
    def check_recordings(cls, folder):
        by_identity = {}
        for case in cls.cases.values():
            if case.identity:
                by_identity.setdefault(case.identity, []).append(case)
        for identity, cases in by_identity.items():
            path = os.path.join(folder, "identity")
            with open(path, "wb") as f:
                f.write(identity)
            places = {os.path.join(cls.rookery.data_dir, "rec", c.name, "main"): c for c in cases}
            out = subprocess.run([built("tests/bench/check_frames"), path, *places], capture_output=True, text=True, timeout=60, check=False)
            for line in out.stdout.splitlines():
                place, *pairs = line.split()
                places[place].frames = {k: int(v) for k, v in (p.split("=") for p in pairs)}

    def test_the_server_ends_in_order(self):
        self.assertEqual(self.exit_code, 0)


def add_test(name, title):
    def test(self):
        wrong = self.cases[name].verdict()
        if wrong:
            self.fail(wrong)

    setattr(Quirks, f"test {name} {title}", test)


for case_name, case_data in CASES.items():
    add_test(case_name, case_data["title"])

if __name__ == "__main__":
    unittest.main()
