"""One suite for every way in which pushes and pulls travel; without Ray."""

import asyncio
import copy
import inspect
import itertools
import math
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing import connection as mp
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from ps_helpers import endpoint, shared_memory
from ps_helpers.aggregator import Aggregator
from ps_helpers.endpoint import Sharing, connect
from ps_helpers.gate import Gate
from ps_helpers.layout import Layout, by_ranges
from ps_helpers.ledger import Ledger
from ps_helpers.records import Push, Times
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.server import Server
from ps_helpers.shared_memory import MemoryGate
from ps_helpers.sockets import SocketGate
from ps_helpers.store import ParameterServer

SHAPES = {"W": (3, 2), "b": (5,)}
VALUES = [np.zeros(shape, np.float32) for shape in SHAPES.values()]
TIMES = Times(1.0, 2.0, 3.0)
RULES = {
    "asynchronous": lambda n: Asynchronous(),
    "synchronous": Synchronous,
    "stale-synchronous": lambda n: StaleSynchronous(n, 0),
    "backup workers": lambda n: Synchronous(n - 1),
}


class Actor:
    """A gate in this process that is called as an actor is: arguments are copied."""

    def __init__(self, gate, loop):
        self.gate, self.loop = gate, loop

    def __getattr__(self, name):
        method = getattr(self.gate, name)

        async def call(*arguments):
            result = method(*arguments)
            return await result if inspect.isawaitable(result) else result

        def remote(*arguments):
            call_of_copies = call(*copy.deepcopy(arguments))
            return asyncio.run_coroutine_threadsafe(call_of_copies, self.loop)

        return SimpleNamespace(remote=remote)


def get(reference):
    return reference if isinstance(reference, tuple) else reference.result(20)


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(endpoint, "ray", SimpleNamespace(get=get))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Nodes:
    """Aggregators; who comes, connects to the next, also who has been here before."""

    def __init__(self, aggregators):
        self.turns = itertools.cycle(aggregators)
        self.address = SimpleNamespace(remote=lambda: next(self.turns).address())


class Started:
    """Servers in one of the ways, and who is connected to them."""

    def __init__(self, way, loop, rule, quorum, num_updates=math.inf):
        self.endpoints = {}
        parts = {"rule": rule, "quorum": quorum}
        first, keys = parts | {"num_updates": num_updates}, list(SHAPES)
        num_servers = {"four": 4, "two": 2, "a n": 1}.get(way[:3], 0)
        if num_servers:
            kind = SocketGate if "nodes" in way else Gate
            sizes = {key: math.prod(shape) for key, shape in SHAPES.items()}
            layout = Layout(by_ranges(sizes, num_servers), SHAPES, num_servers)
            pieces = zip(layout.names, layout.split(VALUES), strict=True)
            gates = [
                kind(names, mine, copy.deepcopy(parts if i else first))
                for i, (names, mine) in enumerate(pieces)
            ]
            self.servers = [Actor(gate, loop) for gate in gates]
            self.to = Sharing(self.servers, layout)
            if "nodes" in way:
                in_rounds = isinstance(rule, Synchronous)
                more = [gate.place() for gate in gates], layout, 4, in_rounds
                self.to = Nodes([Aggregator(*more) for _ in range(2)])
            return
        if way == "messages":
            gate = Gate(keys, VALUES, first)
        else:
            gate = MemoryGate(keys, VALUES, first, num_workers=4)
        self.servers = [Actor(gate, loop)]
        self.to = self.servers[0]

    def join(self, *workers):
        """Connect workers; return what they pull, when they are let go."""
        for worker in workers:
            self.endpoints[worker] = connect(self.to, worker, SHAPES)
        return [self.endpoints[worker].pull() for worker in workers]

    def push(self, worker, step, number):
        for place in self.endpoints[worker].update:
            place[...] = number
        self.endpoints[worker].push(step, TIMES)

    def step(self, worker, step, number):
        """Push, and return what the worker pulls then."""
        self.push(worker, step, number)
        return self.endpoints[worker].pull()

    def next(self, steps):
        """Push the steps of some workers at a time; return those that come next."""
        for worker, step in steps.items():
            self.push(worker, step, 1)
        return {worker: self.endpoints[worker].pull().step for worker in steps}

    def call(self, name, *arguments):
        """Call all servers; return the answer of the first."""
        calls = [getattr(ps, name).remote(*arguments) for ps in self.servers]
        return [get(call) for call in calls][0]

    def first(self, worker):
        """Return a worker's endpoint to the first server."""
        it = self.endpoints[worker]
        return getattr(it, "endpoints", [it])[0]

    def waits(self, worker):
        """Tell whether a worker has no answer when the server has served others."""
        self.call("report")
        it = self.first(worker)
        if hasattr(it, "connection"):
            return not it.connection.poll(0.2)
        return not it.answer.done()


WAYS = [
    "a network of nodes",
    "two servers and nodes",
    "messages",
    "four servers",
    "shared memory",
]


@pytest.fixture(params=WAYS)
def start(request, loop):
    return lambda *arguments: Started(request.param, loop, *arguments)


def assert_filled(pulled, number):
    for array, shape in zip(pulled.weights, SHAPES.values(), strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, np.full(shape, number))


def test_nobody_begins_before_all_have_joined(start):
    team = start(Asynchronous(), 2)
    team.endpoints[7] = connect(team.to, 7, SHAPES)
    assert team.waits(7)
    [other] = team.join(3)
    for pulled in (other, team.endpoints[7].pull()):
        assert (pulled.version, pulled.step) == (0, 0)
        assert_filled(pulled, 0)


def test_a_push_without_an_answer_may_be_repeated(start):
    team = start(Synchronous(2), 2)
    assert [pulled.step for pulled in team.join(0, 1)] == [0, 0]
    team.push(0, 0, 2)
    first = getattr(team.endpoints[0], "answer", None)
    team.push(0, 0, 2)
    assert team.waits(0)
    assert_filled(team.step(1, 0, 4), 3)
    pulled = team.endpoints[0].pull()
    assert_filled(pulled, 3)
    assert pulled.step == 1
    assert first is None or get(first).step == 1  # who asked first has it as well
    repeated = team.step(1, 0, 99)
    assert_filled(repeated, 3)
    assert repeated.step == 1
    assert len(team.call("report").log) == 2


def test_a_step_that_is_missing_is_refused_with_its_number(start):
    team = start(Asynchronous(), 1)
    team.join(0)
    refused = "step 3 before step 0", "the server has gone"
    with pytest.raises((ValueError, RuntimeError), match="|".join(refused)):
        team.step(0, 3, 1)
    if isinstance(team.to, Nodes):
        return  # the aggregator has ended: so do its workers
    pulled = team.step(0, 0, 5)
    assert_filled(pulled, 5)
    assert pulled.step == 1


def test_a_push_that_does_not_fit_changes_nothing_and_can_be_put_right(start):
    team = start(Asynchronous(), 1)
    team.join(0)
    it = team.first(0)
    if hasattr(it, "connection"):
        pytest.skip("every update fits into its row")
    right = it.update

    def push(update):
        it.update = update
        team.endpoints[0].push(0, TIMES)
        return team.endpoints[0].pull()

    too_few, too_many, cut = [], [right[0]] * 3, [part[:1] for part in right]
    for wrong in (too_few, too_many, cut, [part.astype(complex) for part in right]):
        with pytest.raises(ValueError, match="cannot add|keys came with"):
            push(wrong)
        assert get(team.servers[0].report.remote()).version == 0
    assert push(right).step == 1


@pytest.mark.parametrize("name", RULES)
def test_who_comes_later_takes_part_and_who_comes_back_goes_on(start, name):
    team = start(RULES[name](2), 2)
    team.join(0, 1)
    assert team.next({0: 0, 1: 0}) == {0: 1, 1: 1}
    [newcomer] = team.join(2)
    assert newcomer.step == 0 and newcomer.version > 0
    [back] = team.join(0)
    assert back.step == 1
    assert team.next({2: 0, 0: 1, 1: 1}) == {2: 1, 0: 2, 1: 2}
    counted = sorted(push[:2] for push in team.call("report").log)
    assert counted == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize("name", RULES)
def test_who_leaves_goes_home_and_is_waited_for_by_nobody(start, name):
    team = start(RULES[name](3), 3)
    team.join(0, 1, 2)
    team.call("leave", 2)
    for step in range(5):  # the others take turns, as if nobody had ever been there
        assert team.next({0: step, 1: step}) == {0: step + 1, 1: step + 1}
    assert team.step(2, 0, 99) is None
    assert {push.worker for push in team.call("report").log} == {0, 1}


def test_who_leaves_while_it_waits_goes_home(start):
    team = start(StaleSynchronous(2, 0), 2)
    team.join(0, 1)
    team.push(0, 0, 1)
    assert team.waits(0)
    team.call("leave", 0)
    assert team.endpoints[0].pull() is None
    assert_filled(team.step(1, 0, 1), 2)


def test_what_was_pulled_never_changes(start):
    team = start(Asynchronous(), 2)
    mine, _ = team.join(0, 1)
    for step in range(10):
        other = team.step(1, step, 1)
        assert_filled(mine, 0)
        assert_filled(other, step + 1)
    assert_filled(team.step(0, 0, -3), 7)
    report = team.call("report", 9)
    assert (report.version, report.num_pushes) == (11, 11)
    assert [(p.worker, p.step, p.staleness, p.times) for p in report.log] == [
        (1, 9, 0, TIMES),
        (0, 0, 10, TIMES),
    ]


@pytest.mark.parametrize("name", RULES)
def test_a_run_ends_with_exactly_so_many_updates_and_all_go_home(start, name):
    team = start(RULES[name](3), 3, 7)
    if name == "backup workers" and isinstance(team.to, Nodes):
        pytest.skip("no part of a sum can be left out: a team refuses it")
    team.endpoints = {w: connect(team.to, w, SHAPES) for w in (0, 1, 2)}
    home = set()

    def work(worker):
        while pulled := team.endpoints[worker].pull():
            team.push(worker, pulled.step, 1)
        home.add(worker)

    threads = [threading.Thread(target=work, args=[w], daemon=True) for w in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert home == {0, 1, 2}
    # With backup workers each server might leave out another one.
    servers = team.servers[:1] if name == "backup workers" else team.servers
    for _ in range(100):  # a last push may be on its way to some servers
        reports = [get(ps.report.remote()) for ps in servers]
        if {report.version for report in reports} == {7}:
            break
        time.sleep(0.05)
    assert {report.version for report in reports} == {7}
    np.testing.assert_array_equal(reports[0].weights[0], 7)


@pytest.mark.parametrize("way", ["shared memory", "a network of nodes"])
def test_an_error_in_the_server_reaches_workers_and_driver(way, loop):
    team = Started(way, loop, Asynchronous(), 1)
    team.join(0)
    gate = team.servers[0].gate
    getattr(gate, "hub", gate).server.rule.push = lambda *_: 1 / 0
    with pytest.raises(RuntimeError, match="the server has gone"):
        team.step(0, 0, 1)
    with pytest.raises(ZeroDivisionError):
        team.call("report")


# Shared memory alone


@pytest.fixture
def gate():
    return MemoryGate(list(SHAPES), VALUES, {"rule": Asynchronous()}, num_workers=2)


def test_a_stranger_without_the_key_is_refused_and_the_others_go_on(gate):
    place, key = gate.address()
    with pytest.raises(AuthenticationError):
        mp.Client(place, "AF_UNIX", authkey=b"another key")
    it = shared_memory.SharedMemory((place, key), 0, np.asarray)
    assert it.pull().step == 0
    silent = mp.Client(place, "AF_UNIX")  # never answers the challenge
    for step in range(3):
        it.push(step, TIMES)
        assert it.pull().step == step + 1
    silent.close()
    other = shared_memory.SharedMemory((place, key), 1, np.asarray)
    assert (other.pull().version, gate.report().version) == (3, 3)
    gate.leave(5)  # who has never come


def test_one_too_many_is_refused_and_a_dead_workers_row_is_used_again(gate):
    places = [shared_memory.SharedMemory(gate.address(), w, np.asarray) for w in (0, 1)]
    with pytest.raises((EOFError, OSError, RuntimeError)):
        shared_memory.SharedMemory(gate.address(), 2, np.asarray).pull()
    places[0].connection.close()
    again = shared_memory.SharedMemory(gate.address(), 0, np.asarray)
    assert again.pull().step == 0
    again.push(0, TIMES)
    assert again.pull().step == 1


def test_shared_memory_has_float32_alone():
    with pytest.raises(ValueError, match="b is float64; shared memory has float32"):
        MemoryGate(["W", "b"], [VALUES[0], VALUES[1].astype(float)], {}, 1)


# What must not grow


def test_a_thousand_pushes_of_a_megabyte_leave_a_server_as_large_as_it_was():
    size, process = 2**18, psutil.Process()
    for rule in (Asynchronous(), Synchronous(3), Synchronous(2)):
        server = Server(ParameterServer(["w"], [np.zeros(size, np.float32)]), rule)
        server.join(0), server.join(1), server.join(2)
        for step in range(130):
            for worker in range(3):
                server.push(worker, step, [np.full(size, 0.5, np.float32)], TIMES)
            if step == 20:
                before = process.memory_info().rss
        assert process.memory_info().rss < before + 8e6


def test_a_log_keeps_the_last_pushes_and_the_number_of_all():
    ledger = Ledger(kept=5)
    for step in range(12):
        ledger.note(Push(0, step, 0, None, 0.0))
    assert [push.step for push in ledger.since(0)] == [7, 8, 9, 10, 11]
    assert [push.step for push in ledger.since(10)] == [10, 11]
    assert ledger.since(12) == ledger.since(math.inf) == []
