"""Which step each worker does next, which version it holds, and who waits."""

from collections import deque


class Ledger:
    """Know a server's members, and keep a bounded log of their pushes.

    A worker has at most one push without an answer, so the number of its next step
    is all that is needed to count each push once.
    """

    def __init__(self, kept=100_000):
        self.steps = {}  # worker -> how many of its steps have counted
        self.held = {}  # member -> the version that it has pulled
        self.waiting = set()  # members that may not pull yet
        self.left = set()  # who has been a member, and goes home
        self.log, self.forgotten = deque(maxlen=kept), 0

    def join(self, worker):
        """Count a worker in, waiting; its steps go on where its number stands."""
        self.steps.setdefault(worker, 0)
        self.held.setdefault(worker, 0)
        self.waiting.add(worker)
        self.left.discard(worker)

    def leave(self, worker):
        """Count a worker out; its next step is kept for whoever takes its place."""
        self.held.pop(worker, None)
        self.waiting.discard(worker)
        self.left.add(worker)

    def is_new(self, worker, step):
        """Return whether a step is to count now: it has not, and its worker is here.

        Raises ValueError where a step before it is missing, or for a new step of a
        worker that has not joined.
        """
        expected = self.steps.get(worker, 0)
        if step < expected or worker in self.left:
            return False
        if worker not in self.held:
            raise ValueError(f"worker {worker} is no member: it must join, then push")
        if step > expected:
            raise ValueError(
                f"worker {worker} pushed step {step} before step {expected}: it must "
                "join again, and do the step that it is told"
            )
        return True

    def take(self, worker):
        """Count a worker's step; it waits from now on."""
        self.steps[worker] += 1
        self.waiting.add(worker)

    def let_go(self, worker, version):
        """Note that a worker pulls a version, and waits no longer."""
        self.held[worker] = version
        self.waiting.discard(worker)

    def computing(self):
        """Return how many members hold a version and do not wait."""
        return len(self.held) - len(self.waiting)

    def note(self, push):
        """Append a record; the oldest is forgotten when there are too many."""
        self.forgotten += len(self.log) == self.log.maxlen
        self.log.append(push)

    def drop(self, workers):
        """Note of these workers' last pushes that they count for nothing after all."""
        last = {push.worker: i for i, push in enumerate(self.log)}
        for i in {last[w] for w in workers if w in last}:
            self.log[i] = self.log[i]._replace(dropped=True)

    @property
    def num_pushes(self):
        """Return how many pushes there were, those that are forgotten included."""
        return self.forgotten + len(self.log)

    def since(self, number):
        """Return the records from a number on, as far as they are kept."""
        start = min(max(0, number - self.forgotten), len(self.log))
        return [self.log[i] for i in range(start, len(self.log))]
