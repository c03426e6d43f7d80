"""Test of `ray job submit`, in the line of notebooks/cluster/README.md.

It runs in build/jobs: a head that takes jobs needs more than the notebooks do.
"""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from heads import RAY, SECONDS, running_head

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "notebooks" / "cluster" / "README.md").read_text()


@pytest.fixture(scope="module")
def head():
    """Start a Ray that takes jobs by a token; yield its address and environment."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    asks = os.environ | {"PATH": path, "RAY_AUTH_MODE": "token"}
    with running_head(asks, "--num-cpus=3") as (ports, environment):
        yield f"http://127.0.0.1:{ports['dashboard-port']}", environment


def submit(address, environment, options=" 1 --num-workers 2 --num-updates 200"):
    """Submit README's job to this head; options replace its number of servers."""
    [line] = re.findall(r"(?m)^ray (job submit [^`]*?\n.*)\n```", README)
    line = re.sub(r"http://\S+", address, line.replace("\\\n", ""))
    line = re.sub("(?<=--num-servers) .*", options, line)
    return subprocess.run(
        [*RAY, *line.split()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )


def test_a_job_trains_and_says_how_well(head):
    done = submit(*head)
    assert done.returncode == 0, done.stdout
    assert "succeeded" in done.stdout
    [accuracy] = re.findall(r"test accuracy\D*(0\.\d+)", done.stdout)
    assert float(accuracy) > 0.8


def test_a_job_says_what_the_script_refuses(head):
    done = submit(*head, options=" 2")
    assert done.returncode != 0
    assert "8 workers need 8 CPUs and the cluster has 3: start fewer" in done.stdout
    assert "Traceback" not in done.stdout


def test_without_the_token_nobody_submits(head):
    address, environment = head
    others = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for changed in (environment | others, environment | {"RAY_AUTH_MODE": "disabled"}):
        done = submit(address, changed)
        assert done.returncode != 0
        assert re.search(r"(?i)authenticat|token", done.stdout), done.stdout
