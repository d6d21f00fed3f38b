#!/usr/bin/env python3
"""The simulator against a client that shares no line with it: plain sockets, RTSP by hand.
usage: selftest.py PATH_TO_ROOKERY_CAMSIM      (one line per check; exit 1 when one fails)"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

CAMSIM = None
CHECKS = []
SMALL = ["--scene-size", "160x120", "--scene-fps", "10", "--gop", "10", "--bitrate", "100000"]


def check(f):
    CHECKS.append(f)
    return f


class Refused(Exception):
    pass


@contextlib.contextmanager
def camsim(*args, config=None):
    with tempfile.TemporaryDirectory() as work:
        if config is not None:
            path = pathlib.Path(work) / "cameras.json"
            path.write_text(json.dumps(config))
            args = ("--config", path)
        process = subprocess.Popen([CAMSIM, *map(str, args), "--port", "0", "--control-port", "0"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = process.stdout.readline()
        assert line.startswith("ready:"), "the simulator did not start"
        process.port = int(re.search(r"rtsp://[^/]*:(\d+)", line).group(1))
        process.control = int(re.search(r"control http://[^/]*:(\d+)", line).group(1))
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0, "SIGTERM must end it in good order"


def control(sim, method, path):
    conn = http.client.HTTPConnection("127.0.0.1", sim.control, timeout=5)
    conn.request(method, path)
    answer = conn.getresponse()
    body = json.loads(answer.read())
    conn.close()
    return answer.status, body


class Client:
    def __init__(self, port, timeout=3, host="127.0.0.1"):
        self.port = port
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.data = b""
        self.cseq = 0
        self.frames = []

    def more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise EOFError
        self.data += piece

    def take_frame(self):
        """An interleaved frame off the front of the data: (channel, payload) or None."""
        if len(self.data) < 4 or self.data[:1] != b"$":
            return None
        size = int.from_bytes(self.data[2:4], "big")
        if len(self.data) < 4 + size:
            return None
        frame = (self.data[1], self.data[4:4 + size])
        self.data = self.data[4 + size:]
        return frame

    def ask(self, method, url, **headers):
        self.cseq += 1
        text = f"{method} {url} RTSP/1.0\r\nCSeq: {self.cseq}\r\n"
        text += "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        self.sock.sendall((text + "\r\n").encode())
        while True:
            while (frame := self.take_frame()) is not None:
                self.frames.append(frame)
            if self.data[:1] not in (b"$", b"") and b"\r\n\r\n" in self.data:
                break
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            fields.setdefault(name.lower(), value.strip())
        size = int(fields.get("content-length", 0))
        while len(self.data) < size:
            self.more()
        body, self.data = self.data[:size], self.data[size:]
        if not lines[0].startswith("RTSP/1.0"):
            return lines[0], fields, body
        return int(lines[0].split()[1]), fields, body

    def next_frame(self):
        while True:
            if self.frames:
                return self.frames.pop(0)
            frame = self.take_frame()
            if frame:
                return frame
            assert self.data[:1] in (b"$", b""), "the framing is lost"
            self.more()

    def play(self, path, authorization=None, transport=None):
        url = f"rtsp://127.0.0.1:{self.port}{path}"

        def headers(method, uri):
            return {"Authorization": authorization(method, uri)} if authorization else {}

        status, _, sdp = self.ask("DESCRIBE", url, **headers("DESCRIBE", url))
        if status != 200:
            raise Refused(status)
        assert b"m=video" in sdp and b"a=rtpmap:96 H26" in sdp, sdp
        track = url + "/trackID=0"
        transport = transport or "RTP/AVP/TCP;unicast;interleaved=4-5"
        status, fields, _ = self.ask("SETUP", track, Transport=transport,
                                     **headers("SETUP", track))
        if status != 200:
            raise Refused(status)
        self.transport = fields["transport"]
        self.session = fields["session"].split(";")[0]
        status, _, _ = self.ask("PLAY", url, Session=self.session, **headers("PLAY", url))
        assert status == 200, status
        return sdp


def rtp_of(payload):
    return (int.from_bytes(payload[2:4], "big"), int.from_bytes(payload[4:8], "big"),
            int.from_bytes(payload[8:12], "big"), payload[1] >> 7)


def take_pictures(frames, n, interval):
    """Checks sequence numbers, SSRC, markers and timestamps of n pictures."""
    seq = ssrc = stamp = None
    pictures = 0
    while pictures < n:
        got_seq, got_stamp, got_ssrc, marker = rtp_of(next(frames))
        if seq is not None:
            assert got_seq == (seq + 1) % 65536, f"sequence {seq} -> {got_seq}"
            assert got_ssrc == ssrc
        if marker:
            if stamp is not None:
                assert (got_stamp - stamp) % 2**32 == interval, (got_stamp - stamp) % 2**32
            stamp = got_stamp
            pictures += 1
        seq, ssrc = got_seq, got_ssrc


def video_frames(client, channel):
    while True:
        got, payload = client.next_frame()
        if got == channel:
            yield payload
        else:
            assert got == channel + 1 and payload[1] == 200, "only sender reports beside the video"


def digest(user, password, fields, algorithm):
    challenge = dict(re.findall(r'(\w+)="?([^",]*)"?', fields["www-authenticate"].split(" ", 1)[1]))
    h = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def sign(method, uri):
        ha1 = h(f"{user}:{challenge['realm']}:{password}".encode()).hexdigest()
        ha2 = h(f"{method}:{uri}".encode()).hexdigest()
        response = h(f"{ha1}:{challenge['nonce']}:{ha2}".encode()).hexdigest()
        text = (f'Digest username="{user}", realm="{challenge["realm"]}", '
                f'nonce="{challenge["nonce"]}", uri="{uri}", response="{response}"')
        return text + (f", algorithm={algorithm}" if "algorithm" in challenge else "")

    return sign


@check
def loops_over_tcp_without_a_seam():
    with camsim("--count", 1, *SMALL) as sim:
        client = Client(sim.port)
        client.play("/cam-001")
        # a lap is 100 pictures of 0.1 s; a file of ours plays at its own speed, so watch a part of
        # two laps: the start is a key frame somewhere inside
        take_pictures(video_frames(client, 4), 30, 9000)


@check
def goes_on_smoothly_at_the_end_of_the_loop():
    with camsim("--count", 1, *SMALL[:2], "--scene-fps", 50, "--gop", 50) as sim:
        client = Client(sim.port)
        client.play("/cam-001")
        take_pictures(video_frames(client, 4), 505, 1800)


@check
def sends_datagrams():
    with camsim("--count", 1, *SMALL) as sim:
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp.bind(("127.0.0.1", 0))
        rtp.settimeout(3)
        port = rtp.getsockname()[1]
        client = Client(sim.port)
        client.play("/cam-001", transport=f"RTP/AVP;unicast;client_port={port}-{port + 1}")
        assert "server_port=" in client.transport

        def frames():
            while True:
                yield rtp.recv(65536)

        take_pictures(frames(), 10, 9000)


@check
def live_scenes_start_with_a_key_frame_at_once():
    with camsim("--count", 2, "--scenes", *SMALL, "--gop", 1000, "--sub") as sim:
        for path in ("/cam-001", "/cam-002/sub", "/cam-001"):
            client = Client(sim.port)
            client.play(path)
            start = time.monotonic()
            channel, payload = client.next_frame()
            while channel != 4:
                channel, payload = client.next_frame()
            assert payload[12] & 0x1f == 7, "a key frame begins with its SPS"
            assert time.monotonic() - start < 1


@check
def live_scenes_end_in_good_order_at_any_moment():
    for _ in range(4):  # more pictures than can be drawn: one is always on its way
        with camsim("--count", 4, "--scenes", "--scene-size", "1280x720", "--scene-fps", 60) as sim:
            clients = [Client(sim.port) for _ in range(4)]
            for n, client in enumerate(clients):
                client.play(f"/cam-00{n + 1}")
                client.next_frame()


@check
def knows_good_passwords_from_bad_ones():
    for kind, algorithm in (("basic", None), ("digest", "MD5"), ("digest-sha256", "SHA-256")):
        with camsim("--count", 1, *SMALL, "--auth", kind, "--user", "u", "--password", "p:@/") as sim:
            url = f"rtsp://127.0.0.1:{sim.port}/cam-001"
            for password, good in (("p:@/", True), ("wrong", False)):
                client = Client(sim.port)
                status, fields, _ = client.ask("DESCRIBE", url)
                assert status == 401, status
                if algorithm:
                    sign = digest("u", password, fields, algorithm)
                else:
                    token = base64.b64encode(f"u:{password}".encode()).decode()
                    sign = lambda method, uri: f"Basic {token}"
                try:
                    client.play("/cam-001", authorization=sign)
                    assert good, f"{kind}: a wrong password was taken"
                except Refused as refused:
                    assert not good and refused.args[0] == 401, f"{kind}: {refused}"


@check
def keeps_sessions_that_are_kept_alive_and_no_others():
    with camsim("--count", 1, *SMALL, "--session-timeout", 1) as sim:
        client = Client(sim.port, timeout=12)
        client.play("/cam-001")
        try:
            while True:
                client.next_frame()
        except (EOFError, ConnectionResetError):
            pass
        client = Client(sim.port)
        client.play("/cam-001")
        end = time.monotonic() + 7
        while time.monotonic() < end:
            status, _, _ = client.ask("OPTIONS", "*", Session=client.session)
            assert status == 200
            client.next_frame()
        status, _, _ = client.ask("TEARDOWN", f"rtsp://127.0.0.1:{sim.port}/cam-001",
                                  Session=client.session)
        assert status == 200


@check
def refuses_what_it_does_not_have():
    with camsim("--count", 1, *SMALL, "--transport", "udp") as sim:
        for path, status in (("/cam-002", 404), ("/cam-001/sub", 404), ("/", 404),
                             ("/cam-001", 461)):
            try:
                Client(sim.port).play(path)
                raise AssertionError(f"{path} was played")
            except Refused as refused:
                assert refused.args[0] == status, (path, refused)


def describe(port, timeout=1.0, path="/cam-001", host="127.0.0.1"):
    """What a client meets: a status, 'silence', 'reset', 'refused' or a line of text."""
    try:
        client = Client(port, timeout, host)
        return client.ask("DESCRIBE", f"rtsp://127.0.0.1:{port}{path}")[0]
    except TimeoutError:
        return "silence"
    except ConnectionRefusedError:
        return "refused"
    except (ConnectionResetError, EOFError):
        return "reset"


@check
def fails_in_every_way_it_promises():
    promises = {"none": 200, "pull": "silence", "refuse": "reset", "silent": "silence",
                "unauthorized": 401, "not_found": 404, "busy": 453, "no_video": 200,
                "http": "HTTP/1.1 400 Bad Request", "slow": 200}
    with camsim("--count", 2, *SMALL) as sim:
        for mode, expected in promises.items():
            assert control(sim, "POST", f"/cameras/cam-001/fail?mode={mode}")[0] == 200
            start = time.monotonic()
            got = describe(sim.port, 4 if mode == "slow" else 0.7)
            assert mode != "slow" or time.monotonic() - start > 1.4, "slow was fast"
            assert got == expected, f"{mode}: {got}, not {expected}"
            assert describe(sim.port, path="/cam-002") == 200, f"{mode} hurts its neighbour"
        assert control(sim, "POST", "/cameras/cam-001/fail?mode=nonsense")[0] == 422
        assert control(sim, "POST", "/cameras/cam-009/pull")[0] == 404


@check
def a_port_of_its_own_refuses_connections():
    source = {"scene": "corridor", "size": "160x120", "fps": 10}
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = {"cameras": [{"id": "a", "main": source, "port": port}, {"id": "b", "main": source}]}
    with camsim(config=config) as sim:
        assert describe(port, path="/a") == 200
        control(sim, "POST", "/cameras/a/fail?mode=refuse")
        assert describe(port, path="/a") == "refused"
        control(sim, "POST", "/cameras/a/plug")
        assert describe(port, path="/a") == 200


@check
def tells_all_cameras_at_once_and_stands_for_many_hosts():
    with camsim("--count", 4, *SMALL, "--spread-addresses", 3) as sim:
        for host in ("127.0.0.1", "127.1.0.1", "127.1.0.3"):
            assert describe(sim.port, path="/cam-002", host=host) == 200, host
        assert control(sim, "POST", "/cameras/all/fail?mode=not_found&first=2&last=3")[0] == 200
        paths = [f"/cam-00{i}" for i in range(1, 5)]
        assert [describe(sim.port, path=p) for p in paths] == [200, 404, 404, 200]
        control(sim, "POST", "/cameras/all/plug")
        assert [describe(sim.port, path=p) for p in paths] == [200] * 4
        assert control(sim, "POST", "/cameras/all/jump")[0] == 404
        load = control(sim, "POST", "/load")[1]
        assert load["accepted"] == 11 and load["most_shaking"] >= 1 and load["played"] == 0, load
        client = Client(sim.port)
        client.play("/cam-001")
        load = control(sim, "GET", "/load")[1]
        assert load["playing"] == load["played"] == 1 and load["shaking"] == 0, load


@check
def a_pulled_cable_is_silent_and_goes_on_when_plugged_in():
    with camsim("--count", 1, "--scenes", *SMALL) as sim:
        client = Client(sim.port, timeout=0.6)
        client.play("/cam-001")
        client.next_frame()
        control(sim, "POST", "/cameras/cam-001/pull")
        try:
            for _ in range(10000):
                client.next_frame()
            raise AssertionError("media through a pulled cable")
        except TimeoutError:
            pass
        control(sim, "POST", "/cameras/cam-001/plug")
        client.sock.settimeout(3)
        client.next_frame()


@check
def stalls_and_talks_garbage():
    with camsim("--count", 1, *SMALL, "--fail", "stall") as sim:
        client = Client(sim.port, timeout=1)
        client.play("/cam-001")
        try:
            client.next_frame()
            raise AssertionError("media in spite of a stall")
        except TimeoutError:
            pass
        assert client.ask("OPTIONS", "*", Session=client.session)[0] == 200
    with camsim("--count", 1, *SMALL, "--fail", "garbage") as sim:
        client = Client(sim.port)
        client.play("/cam-001")
        client.data += client.sock.recv(65536)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            client.data += client.sock.recv(65536)
        assert len(set(client.data)) > 200 and client.data.count(b"$\x04") < 20, "no garbage"


@check
def loses_packets_when_told():
    with camsim("--count", 1, *SMALL, "--fail", "drop", "--drop", "0.5") as sim:
        client = Client(sim.port)
        client.play("/cam-001")
        frames = video_frames(client, 4)
        seqs = [rtp_of(next(frames))[0] for _ in range(15)]
        span = (seqs[-1] - seqs[0]) % 65536
        assert span > 16, f"{span} numbers for 15 packets"
        assert control(sim, "GET", "/cameras/cam-001")[1]["lost_packets"] > 0


@check
def fails_by_script():
    source = {"scene": "corridor", "size": "160x120", "fps": 10}
    config = {"cameras": [{"id": "a", "main": source,
                           "fail": {"mode": "not_found", "every_s": 2, "for_s": 1}}]}
    with camsim(config=config) as sim:
        seen = []
        end = time.monotonic() + 4.5
        while time.monotonic() < end:
            now = describe(sim.port, path="/a")
            if seen[-1:] != [now]:
                seen.append(now)
            time.sleep(0.05)
        assert seen[:4] == [200, 404, 200, 404], seen


@check
def a_client_that_does_not_read_loses_whole_pictures_and_nobody_else_does():
    with camsim("--count", 1, "--scene-fps", 25, "--gop", 25, "--bitrate", 20000000,
                "--scene-size", "640x480") as sim:
        lazy, eager = Client(sim.port, 10), Client(sim.port)
        lazy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lazy.play("/cam-001")
        eager.play("/cam-001")
        end = time.monotonic() + 20
        while control(sim, "GET", "/cameras/cam-001")[1]["dropped_units"] < 20:
            for _ in range(200):
                eager.next_frame()
            assert time.monotonic() < end, "nothing was dropped"
        frames = video_frames(lazy, 4)
        jumps, last, complete = 0, None, True
        for _ in range(6000):
            seq, _, _, marker = rtp_of(next(frames))
            if last is not None and seq != (last + 1) % 65536:
                assert complete, "a picture was cut in two"
                jumps += 1
            last, complete = seq, bool(marker)
            if jumps:
                break
        assert jumps == 1, "the lazy client lost nothing"


@check
def says_what_is_wrong_with_its_arguments():
    for args, word in (([], "--config"), (["--count", "0"], "--count"),
                       (["--count", "1", "--fail", "x"], "--fail"),
                       (["--count", "1", "--file", "/nowhere.mp4"], "/nowhere.mp4"),
                       (["--config", "/nowhere.json"], "/nowhere.json"), (["--nonsense"], "--nonsense")):
        run = subprocess.run([CAMSIM, *args], capture_output=True, text=True, timeout=10)
        assert run.returncode in (1, 2), args
        assert word in run.stderr and run.stderr.count("\n") == 1, (args, run.stderr)


def main():
    global CAMSIM
    CAMSIM = sys.argv[1]
    only = sys.argv[2:]
    passed = failed = 0
    for f in CHECKS:
        if only and f.__name__ not in only:
            continue
        start = time.monotonic()
        try:
            f()
            passed += 1
            print(f"ok {f.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as why:  # noqa: BLE001
            failed += 1
            print(f"FAIL {f.__name__}: {type(why).__name__}: {why}", flush=True)
            if os.environ.get("TRACE"):
                raise
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
