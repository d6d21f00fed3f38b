#!/usr/bin/env python3
"""Lists functions declared in a layer's header that nothing but their own file mentions."""
import re
import subprocess
import sys
from collections import Counter

FILES = subprocess.run(["git", "ls-files", "--", "*.c", "*.h"], capture_output=True, text=True,
                       check=True).stdout.split()
WORD = re.compile(r"[A-Za-z_]\w+")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
DECLARATION = re.compile(r"^(?!static|typedef|extern|#|return)\w[ \w\*]*?\b([a-z]\w+)\([^;{]*\)[^;{]*;", re.M)
LAYERS = ("base/", "net/", "media/", "ingest/", "analysis/", "storage/", "delivery/", "server/")

texts = {}
for name in FILES:
    with open(name, encoding="utf-8", errors="replace") as f:
        texts[name] = COMMENT.sub(" ", f.read())
uses = {name: Counter(WORD.findall(text)) for name, text in texts.items()}

dead = []
for header in (n for n in FILES if n.endswith(".h") and n.startswith(LAYERS)):
    own = {header, header[:-2] + ".c"}
    for name in DECLARATION.findall(texts[header]):
        # An inline function of its own header is a user as well.
        if uses[header][name] < 2 and not any(uses[o][name] for o in FILES if o not in own):
            dead.append(f"{header}: {name} is used nowhere else")
print("\n".join(sorted(set(dead))), end="")
sys.exit(0)
