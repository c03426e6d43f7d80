"""Tests of the server by programs of all that a network may do, in exact fractions."""

import copy
import inspect
import json
import math
from collections import Counter, deque
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ps_helpers import ledger, server
from ps_helpers.checkpoint import pack, unpack
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.server import Server
from ps_helpers.store import ParameterServer


class Fading(Asynchronous):
    """The staler an update, the less it counts; what is too stale is dropped."""

    def push(self, worker, staleness):
        return [worker] if staleness < 2 else [], [worker]

    def factor(self, staleness):
        return Fraction(1, 1 + staleness)


RULES = {
    "asynchronous": lambda n: Asynchronous(),
    "fading": lambda n: Fading(),
    "synchronous": Synchronous,
    "backup workers": lambda n: Synchronous(n - 1),
    "stale-synchronous": lambda n: StaleSynchronous(n, 1),
}
DROPPING = "fading", "backup workers"
TEAM = 3  # workers that are awaited; two more may come later
FATES = ["arrives"] * 4 + ["arrives twice", "is late", "is lost", "loses its answer"]
WORKERS = st.integers(0, 4)


def array(number):
    return np.array(number, dtype=object)


def update_of(worker, step):
    """Return an update that no other step has."""
    return Fraction(worker + 1, step + 3) + 100**worker


class Memory:
    """A keeper in this process; what is kept are a text and arrays."""

    def __init__(self, every):
        self.every, self.kept, self.warning = every, None, ""

    def keep(self, server):
        if server.store.version % self.every == 0:
            arrays = {}
            text = json.dumps(pack(server.state(), arrays, "state"))
            self.kept = text, copy.deepcopy(arrays)

    def state(self):
        text, arrays = self.kept
        return unpack(json.loads(text), copy.deepcopy(arrays))


class Delivery(RuleBasedStateMachine):
    """Each step of each worker counts once, and a run ends, whatever happens."""

    name, server_class = None, Server
    every = did = None  # updates between checkpoints; what happened, counted

    @initialize(num_updates=st.just(math.inf) | st.integers(1, 60))
    def begin(self, num_updates):
        self.keeper, self.kept, self.heard = Memory(self.every), None, Counter()
        self.num_updates, self.stopped = num_updates, False
        self.pulled, self.sent = {}, {}  # worker -> what it computes with; open push
        self.asking = set()  # who awaits an answer
        self.away, self.home, self.late = {3, 4}, set(), []
        self.handed = deque(maxlen=9)  # arrays that the server was given
        self.server = self.new_server(quorum=TEAM)
        self.weight, self.version = Fraction(0), 0  # as they must be
        self.taken, self.pending, self.held = Counter(), {}, {}
        self.useless = set()  # whose pushes were dropped since the last checkpoint
        self.applied = []  # pushes that this server has made updates of

    def new_server(self, quorum=0, state=None):
        store = ParameterServer(["w"], [array(Fraction(0))])
        rule = RULES[self.name](TEAM)
        more = {"num_updates": self.num_updates, "keeper": self.keeper}
        return self.server_class(store, rule, quorum=quorum, **more, state=state)

    def hear(self, go, lost=()):
        """Let workers hear the server's answers."""
        assert len(go) == len(set(go))
        for w in set(go):
            answer = self.server.pull(w)
            if w in self.asking and w not in lost:
                self.asking.remove(w)
                self.sent.pop(w, None)
                if answer is None:
                    self.home.add(w)
                else:
                    assert answer.step == self.taken[w]
                    assert answer.version <= self.version
                    self.pulled[w], self.heard[w] = answer, answer.step

    def follow(self, go):
        """Follow the server: what is pending was applied if the version has grown."""
        before, self.version = self.version, self.server.store.version
        assert self.version - before in (0, 1)
        if self.version > before:
            self.weight += sum(self.pending.values()) / len(self.pending)
            self.applied += [(w, self.taken[w] - 1) for w in self.pending]
            self.pending = {}
            if self.version % self.every == 0:
                self.kept = self.weight, self.version, Counter(self.taken)
                self.useless = set()
        for w in go:
            self.held[w] = self.version

    def join(self, worker):
        self.away.discard(worker), self.home.discard(worker)
        self.pulled.pop(worker, None), self.sent.pop(worker, None)
        self.asking.add(worker)
        go = self.server.join(worker)
        self.follow(go)
        self.hear(go)

    def deliver(self, push, lost=()):
        worker, step, [update] = push
        self.handed.append((worker, step, update))
        known = len(self.server.ledger.log)
        member = worker in self.server.ledger.held
        try:
            go = self.server.push(*push, times=None)
        except ValueError as error:  # the server is from before this step
            assert step > self.taken[worker] or not member, error
            assert len(self.server.ledger.log) == known
            if worker in self.asking:
                self.join(worker)
            return
        new = step == self.taken[worker] and member
        assert (len(self.server.ledger.log) > known) == new
        if new:
            record = self.server.ledger.log[-1]
            staleness = self.version - self.held[worker]
            assert record[:3] == (worker, step, staleness)
            self.did["pushes"] += 1
            self.did["drops"] += record.dropped
            self.taken[worker] += 1
            if record.dropped:
                self.useless.add(worker)
            else:
                factor = self.server.rule.factor(staleness)
                self.pending[worker] = factor * update_of(worker, step)
            self.follow(go)
        else:
            assert self.server.store.version == self.version
        self.hear(go, lost)

    @rule(
        workers=st.lists(WORKERS, min_size=1, max_size=12), fate=st.sampled_from(FATES)
    )
    def workers_go_on(self, workers, fate):
        """Let some go on, one after the other, the first of them with bad luck."""
        for worker in workers:
            if worker not in self.away | self.home:
                self.go_on(worker, fate)
                fate = "arrives"

    def go_on(self, worker, fate="arrives"):
        """Come; or compute and push; or push again, where no answer has come."""
        if worker in self.pulled:
            step = self.pulled.pop(worker).step
            self.sent[worker] = worker, step, [array(update_of(worker, step))]
            self.asking.add(worker)
        if push := self.sent.get(worker):
            if fate in ("is late", "arrives twice"):
                self.late.append(push)
            if fate not in ("is late", "is lost"):
                self.deliver(push, [worker] if fate == "loses its answer" else [])
        else:
            self.join(worker)

    @precondition(lambda self: self.late)
    @rule(number=st.integers(0, 99))
    def a_late_push_arrives(self, number):
        self.deliver(self.late.pop(number % len(self.late)))

    @rule(worker=WORKERS)
    def a_worker_comes_or_dies_and_comes_back(self, worker):
        self.join(worker)

    @rule(worker=WORKERS)
    def a_worker_leaves(self, worker):
        self.away.add(worker)
        self.pulled.pop(worker, None), self.sent.pop(worker, None)
        self.asking.discard(worker)
        self.did["left in a round"] += worker in self.pending
        go = self.server.leave(worker)
        self.follow(go)
        self.hear(go)

    @precondition(lambda self: self.kept)
    @rule()
    def the_server_dies_and_comes_back(self):
        """It goes on from its last checkpoint; what workers have sent may come late."""
        before = self.taken
        self.weight, self.version, self.taken = copy.deepcopy(self.kept)
        if self.every == 1:  # who has an answer never does its step again
            for w in self.heard.keys() - self.useless:
                assert self.taken[w] >= self.heard[w]
        self.did["redone"] += before != self.taken
        self.useless = set()
        self.server, self.heard = self.new_server(state=self.keeper.state()), Counter()
        self.pending, self.held, self.applied, self.stopped = {}, {}, [], False
        for worker in self.away:  # a controller knows who will not come again
            self.follow(self.server.leave(worker))
        self.did[f"restored, {self.every}"] += 1

    @precondition(lambda self: self.version > 20)
    @rule()
    def training_is_stopped(self):
        self.stopped = True
        self.hear(self.server.stop())

    @invariant()
    def every_step_counts_once(self):
        if hasattr(self, "server"):
            server = self.server
            assert server.store.pull(["w"])[0] == self.weight
            assert server.store.version == self.version <= self.num_updates
            assert Counter(server.ledger.steps) == self.taken
            counted = [p[:2] for p in server.ledger.log if not p.dropped]
            waiting = [(w, self.taken[w] - 1) for w in server.pending]
            assert sorted(counted) == sorted(self.applied + waiting)
            for worker, step, update in self.handed:
                assert update == update_of(worker, step)

    def teardown(self):
        """Let all that are there go on until they are home: nobody may hang."""
        if not hasattr(self, "server"):
            return
        if self.num_updates == math.inf and not self.stopped:
            self.training_is_stopped()
        team = sorted(set(range(5)) - self.away) or [4]
        for worker in team:
            self.away.discard(worker)
            self.join(worker)
        for _ in range(400):
            for worker in team:
                if worker not in self.home:
                    self.go_on(worker)
            self.every_step_counts_once()
        assert set(team) <= self.home
        if not self.stopped:
            assert self.version == self.num_updates
            self.did["ended"] += 1


def run(name, server_class=Server, **more):
    """Run programs with a rule; return what happened, counted."""
    did = Counter()
    for every in (1, 3):
        own = {"name": name, "server_class": server_class, "did": did, "every": every}
        program = type("Program", (Delivery,), own)
        how = settings(max_examples=25, stateful_step_count=30, **more)
        run_state_machine_as_test(program, settings=how)
    return did


@pytest.mark.parametrize("name", RULES)
def test_every_step_counts_once_and_a_run_ends_whatever_happens(name):
    did = run(name)
    assert did["pushes"] > 700 and did["ended"] > 10
    assert did["restored, 1"] > 10 and did["restored, 3"] > 10
    assert did["redone"] > 5
    if name == "synchronous":
        assert did["left in a round"] > 5
    if name in DROPPING:
        assert did["drops"] > 50


MUTATIONS = [  # what is wrong, whose test finds it, in which module, what, by what
    ("a step is taken for new that is not", "asynchronous", ledger)
    + ("step < expected or worker in self.left", "worker in self.left"),
    ("a step is not counted", "asynchronous", ledger)
    + ("self.steps[worker] += 1", "pass"),
    ("what was dropped is not discarded", "backup workers", server)
    + ("self.pending.pop(w, None)  # dropped", "pass"),
    ("the ledger is not restored", "stale-synchronous", server)
    + ('self.ledger.steps.update(state["steps"])', "pass"),
    ("the mean is written into a worker's array", "synchronous", server)
    + ("if self.sums is None", "if self.__setattr__('sums', updates[0])"),
    ("who is not needed goes on", "synchronous", server)
    + ("if self.lacks_updates():", "if True:"),
    ("a repeated push lets its worker go again", "fading", server)
    + ("in self.ledger.waiting else [worker]", "in () else self.settle([], [worker])"),
    ("an update is lost when its worker leaves", "synchronous", server)
    + ("if worker in self.pending:", "if self.pending.pop(worker, None):"),
    ("what counts for nothing after all is not noted", "synchronous", server)
    + ("self.ledger.drop(self.pending)", "pass"),
    ("a rule is not told later of who has left in a round", "synchronous", server)
    + ("for w in set(apply) & self.ledger.left:", "for w in ():"),
    ("who has an answer is not yet saved", "asynchronous", server)
    + ("self.keeper.keep(self)", "self.store.version % 2 or self.keeper.keep(self)"),
    ("the rule does not hear of who leaves", "stale-synchronous", server)
    + ("apply, go = self.rule.leave(worker)", "apply, go = [], []"),
]


@pytest.mark.parametrize("row", MUTATIONS, ids=lambda row: row[0])
def test_the_programs_find_a_server_that_is_wrong(row, monkeypatch):
    _, name, module, old, new = row
    source = inspect.getsource(module)
    assert source.count(old) == 1
    wrong = dict(vars(module))
    exec(source.replace(old, new), wrong)
    if module is ledger:
        monkeypatch.setattr(server, "Ledger", wrong["Ledger"])
    with pytest.raises((AssertionError, ArithmeticError, LookupError, ValueError)):
        only = {"phases": [Phase.generate], "report_multiple_bugs": False}
        run(name, wrong.get("Server", Server), **only, database=None)
