"""Compare sockets alone, without shared memory, with Ray's documentation's patterns.

    make bench ARGS="-k sockets_alone"   # one machine, four workers

What aggregators and servers of several nodes speak to each other is spoken by workers
of one: whole arrays through the kernel, which copies them twice each way. The bounds
leave room for a busy machine.
"""

import functools
import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import patterns
import pytest
import ray
from test_speed import TEAM, start

from ps_helpers import nodes, parameter_server, team
from ps_helpers.records import Pulled
from ps_helpers.sockets import call, words
from ps_helpers.table import Table

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

ALONE = "sockets alone"


def actor(keys, weights, parts, num_workers):
    """Start a server that listens to sockets where one in shared memory would be."""
    return nodes.SocketGateActor.remote(keys, weights, parts)


class OwnLine:
    """A worker's own line to a `SocketGate`, as an endpoint."""

    def __init__(self, ps, worker, shapes, borrow, steps):
        shapes, self.worker, self.log = list(shapes.values()), worker, []
        self.update, self.weights = Table(shapes, 2).views
        self.borrowed = list(map(borrow, self.weights))
        self.line = call(ray.get(ps.place.remote()), shapes)
        self.line.say(words(joins=[worker]))

    def pull(self):
        [(_, known)] = self.line.answer(self.weights)
        return known and Pulled(self.borrowed, *known)

    def push(self, step, times):
        said = words(pushes=[(self.worker, step, times)])
        self.line.say(said, self.line.way.pack(self.update))


@ray.remote(max_retries=0)
def own_line_task(ps, worker, shard, settings):
    """Do what `worker_task` does, with a line of its own."""
    with mock.patch.object(parameter_server, "connect", OwnLine):
        return parameter_server.worker_task._function(ps, worker, shard, settings)


class OverSockets(patterns.Ours):
    def window(self, *arguments, **options):
        gate = mock.patch.object(team, "MemoryGateActor", SimpleNamespace(remote=actor))
        task = mock.patch.object(patterns, "worker_task", own_line_task)
        with gate, task:
            return super().window(*arguments, **options)


@pytest.fixture(scope="module")
def workers(stop_ray_at_the_end):
    return start(TEAM)


@pytest.mark.parametrize(
    "size, times", list(zip(patterns.SIZES[:3], (4, 2, 1.2), strict=True))
)
def test_sockets_alone_beat_the_documentation(workers, size, times):
    case = patterns.prepare(workers, size)
    patterns.share(case, TEAM)
    names = patterns.LIMIT, *patterns.DOCUMENTED
    makes = {name: patterns.PATTERNS[name] for name in names}
    makes |= {ALONE: functools.partial(OverSockets, 1)}
    started = {name: make(case) for name, make in makes.items()}
    windows = {name: pattern.window for name, pattern in started.items()}
    rates = patterns.take_turns(windows, num_rounds=3, team=TEAM, seconds=2)
    for pattern in started.values():
        pattern.stop()
    middle = {name: np.median(found) for name, found in rates.items()}
    print(f"\n{size.megabytes} MB, gradients a second:", middle)
    assert middle[ALONE] >= times * max(map(middle.get, patterns.DOCUMENTED))
