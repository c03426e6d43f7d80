"""Rules of waiting: when an update counts, and when its worker may go on.

A rule is told of every push, in the order in which the pushes reach the server, with
its staleness: the updates that were made since its worker pulled. It answers with two
lists of workers: those whose last updates are applied now, as one update that is
their mean, and those that get the newest weights and go on. Who goes on was applied
or is dropped: from then on its arrays are its own again. Notebook 04 builds them.
"""


class Rule:
    """What a server asks of a rule, and the answers of one that lets nobody wait."""

    needed = 1  # pushes that make an update
    live = True  # whether a server on Ray can follow it

    def push(self, worker, staleness):
        """Return whose updates are applied now, and who goes on."""
        raise NotImplementedError

    def join(self, worker, steps):
        """Count a worker in that has done so many steps; answer as `push` does.

        Who still waits, for a round or for the slowest, is not let go by joining.
        """
        return [], [worker]

    def leave(self, worker):
        """Count a worker out, also one that waits; answer as `push` does."""
        return [], []

    def factor(self, staleness):
        """Return what an update of this staleness is multiplied by."""
        return 1


class Asynchronous(Rule):
    """Nobody waits: every update is applied when it comes."""

    def push(self, worker, staleness):
        """Return whose updates are applied now, and who goes on."""
        return [worker], [worker]


class Synchronous(Rule):
    """Everybody waits for a round to be full, and one update is made of it.

    A round is full when ``needed`` workers have pushed, or all members where they are
    fewer. With more workers than that the others are backup workers: an update that
    is stale, because its round was closed without it, is dropped (Chen et al.,
    Revisiting distributed synchronous SGD, 2016).
    """

    def __init__(self, needed):
        self.full, self.members = needed, set()
        self.came = []  # who has pushed in this round

    @property
    def needed(self):
        """Return how many pushes make a round full now."""
        return min(self.full, len(self.members) or self.full)

    def push(self, worker, staleness):
        """Return whose updates are applied now, and who goes on."""
        if staleness > 0:
            return [], [worker]  # too late: dropped
        self.came.append(worker)
        return self.close()

    def close(self):
        """Close the round if it is full; answer as `push` does."""
        if len(self.came) < self.needed:
            return [], []
        everyone, self.came = sorted(self.came), []
        return everyone, everyone

    def join(self, worker, steps):
        self.members.add(worker)
        return [], [] if worker in self.came else [worker]

    def leave(self, worker):
        self.members.discard(worker)
        if worker in self.came:
            self.came.remove(worker)
        return self.close() if self.came else ([], [])


class StaleSynchronous(Rule):
    """Who is more than ``bound`` steps ahead of the slowest waits for it.

    Updates are applied when they come. Ho et al., More effective distributed ML via
    a stale synchronous parallel parameter server (2013).
    """

    def __init__(self, num_workers, bound):
        self.bound = bound
        self.clocks = dict.fromkeys(range(num_workers), 0)  # steps each has done
        self.waiting = []

    def push(self, worker, staleness):
        """Return whose updates are applied now, and who goes on."""
        self.clocks[worker] += 1
        self.waiting.append(worker)
        return [worker], self.let_go()

    def let_go(self):
        """Return who need not wait, or no longer."""
        slowest = min(self.clocks.values(), default=0)
        asking, self.waiting = self.waiting, []
        go = []
        for w in asking:
            may_go_on = self.clocks[w] - slowest <= self.bound
            (go if may_go_on else self.waiting).append(w)
        return go

    def join(self, worker, steps):
        """Let a newcomer begin beside the slowest, so that nobody waits for it."""
        slowest = min(self.clocks.values(), default=0)
        self.clocks.setdefault(worker, max(steps, slowest))
        if worker not in self.waiting:
            self.waiting.append(worker)
        return [], self.let_go()

    def leave(self, worker):
        self.clocks.pop(worker, None)
        self.waiting = [w for w in self.waiting if w != worker]
        return [], self.let_go()
