#!/usr/bin/env python3
"""Lists links in the Markdown documents that lead nowhere inside the tree."""
import os
import re
import subprocess

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
for doc in subprocess.run(["git", "ls-files", "--", "*.md"], capture_output=True, text=True,
                          check=True).stdout.split():
    with open(doc, encoding="utf-8") as f:
        for target in LINK.findall(f.read()):
            if "://" in target:
                continue
            if not os.path.exists(os.path.join(os.path.dirname(doc), target)):
                print(f"{doc}: {target} does not exist")
