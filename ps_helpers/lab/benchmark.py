"""What `make bench` has measured; it writes benchmark.json beside this file."""

import json
from pathlib import Path

FILE = Path(__file__).with_name("benchmark.json")


def stored():
    """Return the stored numbers of `make bench`: rates, learning and memory."""
    return json.loads(FILE.read_text(encoding="utf-8"))
