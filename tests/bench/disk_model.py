"""What a disk with heads would make of the requests that a program sends to a block device.

The requests are those the kernel issued (tracefs, block_rq_issue; root only); the disk is a model: it takes the nearest
of the requests that wait, forward first, and pays for the way there, half a turn, and the bytes. Ways are shares of
the device, so a small device counts like a large one."""

import os
import pathlib
import re
import subprocess
import tempfile

LINE = re.compile(r"block_rq_issue: (\d+),(\d+) (\w+) (\d+) \(.*?\) (\d+) \+ (\d+)")


class Trace:
    """Writes to the device of a folder, as [(sector, sectors)] in their order, while it is open."""

    def __init__(self, folder):
        st = os.stat(folder)
        self.dev = f"{os.major(st.st_dev)},{os.minor(st.st_dev)}"
        self.sectors = int(pathlib.Path(f"/sys/dev/block/{self.dev.replace(',', ':')}/size").read_text())
        self.requests = []

    def __enter__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="rookery-tracefs-"))
        subprocess.run(["mount", "-t", "tracefs", "none", self.root], check=True)
        self.instance = self.root / "instances" / f"rookery-{os.getpid()}"
        self.instance.mkdir()
        (self.instance / "buffer_size_kb").write_text("65536")
        self.event = self.instance / "events/block/block_rq_issue/enable"
        self.event.write_text("1")
        return self

    def __exit__(self, *failure):
        self.event.write_text("0")
        lost = sum(int(re.search(r"overrun: (\d+)", p.read_text())[1])
                   for p in self.instance.glob("per_cpu/cpu*/stats"))
        with open(self.instance / "trace", encoding="ascii", errors="replace") as lines:
            for line in lines:
                m = LINE.search(line)
                if m and f"{m[1]},{m[2]}" == self.dev and "W" in m[3] and int(m[6]) > 0:
                    self.requests.append((int(m[5]), int(m[6])))
        self.instance.rmdir()
        subprocess.run(["umount", self.root], check=True)
        self.root.rmdir()
        if lost:
            raise SystemExit(f"bench: the trace lost {lost} requests")


class Disk:
    """7,200 turns a minute, 200 MB/s, 8.5 ms for a way of a third of the disk: what shops sell for recording."""

    BYTES_PER_S = 200e6
    HALF_TURN_S = 60 / 7200 / 2
    NEXT_TRACK_S, WHOLE_WAY_S = 0.001, 0.014
    QUEUE = 32

    def __init__(self, sectors):
        self.sectors = sectors
        self.head = 0
        self.busy_s = 0.0

    def write(self, sector, n):
        if sector != self.head:
            way = abs(sector - self.head) / self.sectors
            self.busy_s += self.NEXT_TRACK_S + (self.WHOLE_WAY_S - self.NEXT_TRACK_S) * way ** 0.5 + self.HALF_TURN_S
        self.busy_s += n * 512 / self.BYTES_PER_S
        self.head = sector + n

    def run(self, requests):
        """Seconds that it is busy with them."""
        waiting, i = [], 0
        while i < len(requests) or waiting:
            while i < len(requests) and len(waiting) < self.QUEUE:
                waiting.append(requests[i])
                i += 1
            ahead = [r for r in waiting if r[0] >= self.head]
            nearest = min(ahead or waiting)
            waiting.remove(nearest)
            self.write(*nearest)
        return self.busy_s


def judge(trace):
    """{bytes, requests, busy_s, mb_per_s}"""
    n_bytes = sum(n for _, n in trace.requests) * 512
    busy_s = Disk(trace.sectors).run(trace.requests)
    return {"bytes": n_bytes, "requests": len(trace.requests), "busy_s": busy_s,
            "mb_per_s": n_bytes / 1e6 / busy_s if busy_s else float("nan")}
