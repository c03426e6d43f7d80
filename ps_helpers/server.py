"""The parameter server: it judges a push, once, and a store adds it up.

It knows neither Ray nor sockets nor a clock: how calls reach it is a gate's matter,
where the arrays lie is the store's. Notebook 04 builds it.
"""

import copy
import math

import numpy as np

from ps_helpers.ledger import Ledger
from ps_helpers.records import Pulled, Push, Report
from ps_helpers.store import require_fit


class Server:
    """Take the pushes of a team: a rule says which count, and a store adds them up.

    ``optimizer`` makes an update of what is pushed; without one updates are pushed.
    It ends after ``num_updates``, and at first lets nobody go before so many workers
    as ``quorum`` says have joined. A ``keeper`` saves its state, and from a ``state``
    it goes on, without a quorum.
    """

    def __init__(
        self,
        store,
        rule,
        optimizer=None,
        num_updates=math.inf,
        quorum=0,
        keeper=None,
        state=None,
    ):
        self.store, self.rule, self.optimizer = store, rule, optimizer
        self.num_updates, self.quorum, self.keeper = num_updates, quorum, keeper
        self.keys, self.ledger = list(store.weights), Ledger()
        self.pending = {}  # worker -> its update, until it is applied or dropped
        self.ready = []  # who may go on, and is not needed now
        self.sums = None  # arrays of the server's own, for means
        if state:
            self.restore(state)
        if optimizer and hasattr(store, "adopt"):
            store.adopt(optimizer)

    @property
    def over(self):
        """Return whether all updates are made."""
        return self.store.version >= self.num_updates

    def join(self, worker):
        """Count a worker in; return who may pull now: nobody before all are there."""
        self.ledger.join(worker)
        return self.admit([worker])

    def admit(self, workers):
        """Let these workers begin, or at the start all of them when all are there."""
        if self.quorum:
            if len(self.ledger.held) < self.quorum:
                return []
            workers, self.quorum = sorted(self.ledger.held), 0
        go = []
        for worker in workers:
            go += self.rule.join(worker, self.ledger.steps[worker])[1]
        return self.settle([], go)

    def push(self, worker, step, update, times, arrived=0.0):
        """Take an update, once; return the workers that may pull now.

        ``update`` has an array for each of the store's keys. Raises ValueError, and
        changes nothing, for one that does not fit and for a step out of order.
        """
        if not self.ledger.is_new(worker, step):  # its answer was lost: once more
            return [] if worker in self.ledger.waiting else [worker]
        require_fit(self.store.weights, self.keys, update)
        staleness = self.store.version - self.ledger.held[worker]
        factor = self.rule.factor(staleness)
        if factor != 1:
            update = [factor * part for part in update]
        self.pending[worker] = update
        self.ledger.take(worker)
        apply, go = self.rule.push(worker, staleness)
        dropped = worker in go and worker not in apply
        record = Push(worker, step, staleness, times, arrived, tuple(go), dropped)
        self.ledger.note(record)
        return self.settle(apply, go)

    def leave(self, worker):
        """Count a worker out; return who may pull now that nobody waits for it.

        An update of its that is pending counts with its round all the same.
        """
        self.ledger.leave(worker)
        if worker in self.pending:  # the rule hears of it when the round is full
            return self.settle([], [])
        apply, go = self.rule.leave(worker)
        if self.quorum:  # all that are still awaited have not begun
            self.quorum -= 1
            return self.admit([])
        return self.settle(apply, go)

    def settle(self, apply, go):
        """Make one update of these workers', and let workers go on from there."""
        if apply:
            self.add([self.pending.pop(w) for w in apply])
        ready, self.ready, go_on = dict.fromkeys([*self.ready, *go]), [], []
        for w in ready:
            self.pending.pop(w, None)  # dropped
            if w not in self.ledger.held:
                continue  # it has left
            if self.lacks_updates():
                self.ledger.let_go(w, self.store.version)
                go_on.append(w)
            else:  # the others bring all that is missing, unless they leave
                self.ready.append(w)
        go_on += self.sent_home()
        if apply and self.keeper and not self.pending:
            self.keeper.keep(self)  # before anybody has an answer
        for w in set(apply) & self.ledger.left:
            go_on += self.settle(*self.rule.leave(w))
        return go_on

    def add(self, updates):
        """Push the mean of updates, or let the store add it up where it can."""
        if hasattr(self.store, "book") and self.store.book(updates):
            return
        update = self.mean(updates)
        if self.optimizer:  # then what is pushed are gradients
            update = self.optimizer.updates(update)
        self.store.push(self.keys, update)

    def lacks_updates(self):
        """Return whether more updates are needed than are under way."""
        under_way = len(self.pending) + self.ledger.computing()
        lacking = self.num_updates - self.store.version
        return under_way < lacking * self.rule.needed

    def sent_home(self):
        """Count out, and return, who waits for nothing any more at the end."""
        if not self.over:
            return []
        unneeded = set(self.ledger.waiting)
        if self.ledger.computing():  # a round may still be filled
            unneeded -= set(self.pending)
        else:
            self.ledger.drop(self.pending)
            self.pending.clear()
        for w in unneeded:
            self.ledger.leave(w)
        return sorted(unneeded)

    def mean(self, updates):
        """Return the mean of updates, in arrays of the server's own; of one, itself."""
        if len(updates) == 1:
            return updates[0]
        if self.sums is None:
            self.sums = [np.empty_like(w) for w in self.store.weights.values()]
        for total, first, second, *others in zip(self.sums, *updates, strict=True):
            np.add(first, second, out=total)
            for part in others:
                total += part
            total /= len(updates)
        return self.sums

    def pull(self, worker):
        """Return what a worker goes on with; None when nothing is left for it to do."""
        if worker not in self.ledger.held:
            return None
        weights = self.store.pull(self.keys)
        return Pulled(weights, self.ledger.held[worker], self.ledger.steps[worker])

    def stop(self):
        """Let nobody go any more; return who may go home. What is under way counts."""
        self.num_updates = 0
        return self.settle([], [])

    def report(self, start=0):
        """Return a `Report` with the log from a number on."""
        weights, ledger = self.store.pull(self.keys), self.ledger
        return Report(
            self.store.version,
            weights,
            ledger.since(start),
            ledger.num_pushes,
            dict(ledger.steps),
            ledger.held.keys() - ledger.waiting,
            self.keeper.warning if self.keeper else "",
        )

    def state(self):
        """Return all that a new server needs to go on.

        Raises RuntimeError while updates are pending, as in the middle of a round.
        """
        if self.pending:
            raise RuntimeError("take the state right after an update, not in a round")
        if hasattr(self.store, "book"):
            self.store.make_whole()
        state = {
            "weights": dict(self.store.weights),
            "version": self.store.version,
            "rule": vars(self.rule),
            "optimizer": vars(self.optimizer) if self.optimizer else {},
            "steps": self.ledger.steps,
        }
        return copy.deepcopy(state)

    def restore(self, state):
        """Go on from a state that another server was in; everybody joins again.

        Who does not come back must be counted out, or others may wait for it. Raises
        ValueError for a state that is not of such a server.
        """
        state = copy.deepcopy(state)
        require_fit(self.store.weights, self.keys, [*state["weights"].values()])
        for name, part in {"rule": self.rule, "optimizer": self.optimizer}.items():
            own, new = vars(part) if part else {}, state[name]
            if own.keys() - new.keys() or not all(hasattr(part, key) for key in new):
                raise ValueError(f"the state is of another {name}: it has {[*new]}")
            own.update(new)
        for key, weight in state["weights"].items():
            self.store.weights[key][...] = weight
        self.store.version = state["version"]
        self.quorum = 0
        self.ledger.steps.update(state["steps"])
