#!/usr/bin/env python3
"""Keeps docs/cameras.md true: every id has one row, every row's tests exist, every case has a row. Prints what is wrong."""
import glob
import json
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
COUNTS = {"U": 14, "F": 6, "D": 11, "A": 10, "P": 9, "K": 10, "I": 9, "R": 8, "T": 9, "H": 16, "M": 4, "L": 10}
ROW = re.compile(r"^\| ([A-Z][0-9]+) \|.*\| ([^|]+) \|$")
TEST = re.compile(r"static void (\w+)\(void \*\*|def (test_\w+)\(")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def known_tests():
    paths = glob.glob("tests/unit/**/*.c", recursive=True) + glob.glob("tests/integration/**/*.py", recursive=True)
    return {name for path in paths for pair in TEST.findall(read(path)) for name in pair if name}


def cases():
    found = {}
    for path in sorted(glob.glob("tests/quirks/*.json")):
        name = os.path.basename(path)[:-len(".json")]
        owner = json.loads(read(path))["id"]
        if name.split("-")[0] != owner:
            complain(f"{path}: its id is {owner}")
        found.setdefault(owner, []).append(name)
    return found


problems = []
complain = problems.append
rows = {}
for number, line in enumerate(read("docs/cameras.md").splitlines(), 1):
    row = ROW.match(line)
    if not row:
        continue
    if row[1] in rows:
        complain(f"docs/cameras.md:{number}: {row[1]} is there twice")
    rows[row[1]] = (number, row[2])
tests = known_tests()
files = cases()
ids = {f"{letter}{i}" for letter, n in COUNTS.items() for i in range(1, n + 1)}
for one in sorted(ids - set(rows)):
    complain(f"docs/cameras.md: {one} has no row")
for one in sorted(set(files) - ids):
    complain(f"tests/quirks: {one} is no id of the list")
for one, (number, test) in rows.items():
    names = re.findall(r"`([^`]+)`", test)
    says_cases = re.match(r"cases\b", test) is not None
    if says_cases != (one in files):
        complain(f"docs/cameras.md:{number}: {one} has {'no' if says_cases else 'unmentioned'} cases in tests/quirks")
    if not says_cases and not names:
        complain(f"docs/cameras.md:{number}: {one} has no test")
    for name in names:
        if name not in tests:
            complain(f"docs/cameras.md:{number}: there is no test {name}")
print("\n".join(problems), end="\n" if problems else "")
sys.exit(bool(problems))
