#!/usr/bin/env python3
"""Runs every integration test (or those whose name contains an argument) and counts."""

import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


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


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def main():
    wanted = sys.argv[1:]
    suite = unittest.TestSuite()
    for folder in sorted(os.listdir(HERE)):
        path = os.path.join(HERE, folder)
        if os.path.isdir(path) and any(n.startswith("test_") for n in os.listdir(path)):
            suite.addTests(unittest.TestLoader().discover(path, "test_*.py", top_level_dir=path))
    chosen = unittest.TestSuite(t for t in tests_of(suite) if not wanted or any(w in t.id() for w in wanted))
    result = Result()
    chosen.run(result)
    print(f"{result.n_passed} passed, {result.n_failed} failed")
    return 0 if result.n_failed == 0 and result.n_passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
