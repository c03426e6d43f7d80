"""What `make bench` has measured, under which names; notebook 06 shows it.

The numbers are stored in benchmark.json beside this file; `make bench` writes it.
"""

import json
from pathlib import Path

FILE = Path(__file__).with_name("benchmark.json")

FEW, MANY = 3, 16  # local steps
LIMIT, PAGE = "limit", "page"
SYNCHRONOUS, ASYNCHRONOUS = "documentation, synchronous", "documentation, asynchronous"
OURS = "ours, one gradient a push"
OURS_FEW, OURS_LOCAL = f"ours, {FEW} local steps", f"ours, {MANY} local steps"


def stored():
    """Return the stored numbers of `make bench`."""
    return json.loads(FILE.read_text())
