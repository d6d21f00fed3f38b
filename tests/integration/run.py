#!/usr/bin/env python3
"""Runs every integration test (or those whose name contains an argument) and counts.

Tests mostly wait, so two files run at a time, each in a process of its own whose output is printed when it ends. A file
that sets RUNS_ALONE, to the reason why, runs by itself when the others have ended."""

import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

N_AT_A_TIME = 2
DEADLINE_S = 420  # of one file: it hangs
# What takes longest begins first, so that no single file is left at the end; the others follow in any order.
LONGEST = ("test_peer_cameras", "test_pull", "test_push", "test_server", "test_camsim", "test_formats", "test_peer_faults",
           "test_remux")


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.n_passed = 0
        self.n_failed = 0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def addSuccess(self, test):
        self.n_passed += 1
        print(f"ok   {test.id()} ({time.monotonic() - self.started:.1f} s)", flush=True)

    def fail(self, test, err):
        self.n_failed += 1
        print(f"FAIL {test.id()}\n{self._exc_info_to_string(err, test)}", flush=True)

    def addFailure(self, test, err):
        self.fail(test, err)

    def addError(self, test, err):
        self.fail(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.fail(subtest, err)

    def addSkip(self, test, reason):
        print(f"skip {test.id()}: {reason}", flush=True)


def run_tests(tests):
    """Prints what comes of each and, last, the count."""
    result = Result()
    unittest.TestSuite(tests).run(result)
    print(count_line(result.n_passed, result.n_failed), flush=True)
    return result.n_passed, result.n_failed


def count_line(n_passed, n_failed):
    return f"{n_passed} passed, {n_failed} failed"


class Worker:
    """A process that runs the tests of one file, and leads a group of all it starts."""

    def __init__(self, name, tests):
        self.name = name
        self.started = time.monotonic()
        self.output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        sys.stdout.flush()
        self.process = multiprocessing.get_context("fork").Process(target=self.work, args=(tests,))
        self.process.start()

    def work(self, tests):
        os.setsid()
        for fd in (1, 2):
            os.dup2(self.output.fileno(), fd)
        run_tests(tests)

    def seconds(self):
        return time.monotonic() - self.started

    def is_over(self):
        return not self.process.is_alive() or self.seconds() > DEADLINE_S

    def end(self):
        """Nothing it started outlives it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.join()

    def report(self):
        """Prints all its output and a line about the whole; its count."""
        is_hung = self.process.is_alive()
        self.end()
        self.output.seek(0)
        said = self.output.read()
        count = re.search(r"^(\d+) passed, (\d+) failed\n\Z", said, re.MULTILINE)
        if count:
            print(said[:count.start()], end="")
            n_passed, n_failed = map(int, count.groups())
        else:
            why = f"hung for {DEADLINE_S} s" if is_hung else f"died (exit code {self.process.exitcode})"
            print(f"{said}FAIL {self.name}: its process {why}, after the tests above")
            n_passed, n_failed = len(re.findall("^ok  ", said, re.MULTILINE)), 1 + len(re.findall("^FAIL ", said, re.MULTILINE))
        print(f"---- {self.name}: {count_line(n_passed, n_failed)} ({self.seconds():.0f} s)", flush=True)
        return n_passed, n_failed


def run_files(files, n_at_a_time):
    """[(name, tests)], so many at a time; the sum of their counts."""
    waiting, running, counts = list(files), [], []
    try:
        while waiting or running:
            while waiting and len(running) < n_at_a_time:
                running.append(Worker(*waiting.pop(0)))
            multiprocessing.connection.wait([w.process.sentinel for w in running], timeout=1)
            for worker in [w for w in running if w.is_over()]:
                running.remove(worker)
                counts.append(worker.report())
    finally:
        for worker in running:
            worker.end()
    return sum(c[0] for c in counts), sum(c[1] for c in counts)


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def load_files(wanted):
    """{name of a file: its tests that are wanted}, longest first."""
    files = {name: [] for name in LONGEST}
    for folder in sorted(os.listdir(HERE)):
        path = os.path.join(HERE, folder)
        if os.path.isdir(path) and any(n.startswith("test_") for n in os.listdir(path)):
            for test in tests_of(unittest.TestLoader().discover(path, "test_*.py", top_level_dir=path)):
                if not wanted or any(w in test.id() for w in wanted):
                    files.setdefault(test.id().split(".")[0], []).append(test)
    return {name: tests for name, tests in files.items() if tests}


def runs_alone(name):
    return bool(getattr(sys.modules[name], "RUNS_ALONE", ""))


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    files = load_files(sys.argv[1:])
    if len(files) == 1:
        (tests,) = files.values()
        n_passed, n_failed = run_tests(tests)
        return 0 if n_failed == 0 and n_passed > 0 else 1
    together = run_files([f for f in files.items() if not runs_alone(f[0])], N_AT_A_TIME)
    alone = run_files([f for f in files.items() if runs_alone(f[0])], 1)
    n_passed, n_failed = map(sum, zip(together, alone))
    print(count_line(n_passed, n_failed))
    return 0 if n_failed == 0 and n_passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
