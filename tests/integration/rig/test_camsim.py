"""The camera simulator itself: every check of tests/rig/selftest.py as a test."""

import importlib.util
import os
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
spec = importlib.util.spec_from_file_location("selftest", os.path.join(ROOT, "tests/rig/selftest.py"))
selftest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(selftest)
selftest.CAMSIM = os.environ.get("ROOKERY_CAMSIM", os.path.join(ROOT, "build/rookery-camsim"))


class Camsim(unittest.TestCase):
    pass


for check in selftest.CHECKS:
    setattr(Camsim, "test_" + check.__name__, lambda self, check=check: check())
