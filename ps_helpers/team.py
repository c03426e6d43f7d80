"""The servers and the workers of a training: placed, started, watched, stopped."""

import math
import time

import numpy as np
import ray

from ps_helpers.endpoint import Sharing
from ps_helpers.gate import GateActor
from ps_helpers.layout import Layout, by_ranges
from ps_helpers.shared_memory import MemoryGate

ANSWER_SECONDS = 120  # a server that takes longer is given up
MemoryGateActor = ray.remote(num_cpus=0)(MemoryGate)


class TrainingError(RuntimeError):
    """Training cannot go on; the message says what to do."""


class Team:
    """The servers and the workers of a training.

    ``weights`` are the first ones by key. ``task`` is started for each worker as
    ``task.remote(servers, worker, shard, settings)``. A ``rule`` takes the place of
    the settings' own. Raises ValueError for a rule that no server can follow, and for
    several servers with an optimizer that needs whole arrays.
    """

    def __init__(self, settings, weights, shards, task, rule=None):
        self.settings, self.shards, self.task = settings, shards, task
        self.running = {}  # a task's reference -> its worker
        self.noted = 0  # pushes of the first server's log that were reported
        self.servers, self.to = self.start_servers(weights, rule or settings.rule())
        self.grow(range(len(shards)))

    def start_servers(self, weights, rule):
        """Return the servers' handles, and what a worker connects to."""
        settings, make = self.settings, self.settings.make_optimizer
        if not isinstance(weights, dict):
            raise TypeError(f"weights are a dictionary by key, not {type(weights)}")
        if isinstance(rule, type):
            raise TypeError(f"make an object of it: {rule.__name__}(…)")
        if not rule.live:
            raise ValueError(f"{type(rule).__name__} is for the simulator only")
        parts = {"rule": rule, "optimizer": make(), "quorum": len(self.shards)}
        first = parts | {"num_updates": settings.num_updates or settings.max_updates}
        keys, values = list(weights), list(weights.values())
        if settings.fast:
            server = MemoryGateActor.remote(keys, values, first, len(self.shards))
            return [server], server
        if settings.num_servers == 1:
            server = GateActor.remote(keys, values, first)
            return [server], server
        if make() and not make().elementwise:
            raise ValueError(f"{type(make()).__name__} needs whole arrays: one server")
        shapes = {key: np.shape(value) for key, value in weights.items()}
        sizes = {key: math.prod(shape) for key, shape in shapes.items()}
        layout = Layout(
            by_ranges(sizes, settings.num_servers), shapes, settings.num_servers
        )
        # The first server alone counts, and sends home: so all get the same pushes.
        pieces = zip(layout.names, layout.split(values), strict=True)
        servers = [
            GateActor.remote(names, mine, parts if i else first)
            for i, (names, mine) in enumerate(pieces)
        ]
        return servers, Sharing(servers, layout)

    def grow(self, workers):
        """Start these workers; one that was here before goes on where it stood."""
        for worker in workers:
            shard = self.shards[worker]
            call = self.task.remote(self.to, worker, shard, self.settings)
            self.running[call] = worker

    def shrink(self, workers):
        """Count these workers out: nobody waits for them, and each is sent home."""
        for worker in workers:
            self.ask(*(ps.leave.remote(worker) for ps in self.servers))

    def reports(self, seconds=1):
        """Yield a `Report` about that often until all workers have gone home.

        ``seconds`` is a number, or a function that returns one. A report has the
        updates that all servers have, and the pushes since the last report. Raises
        TrainingError, in a sentence, where a worker or server has failed or nothing
        has moved for settings.patience seconds. When the caller stops asking, by an
        error or an interrupt, what still runs is killed.
        """
        last, moved = 0, time.time()
        try:
            while self.running:
                pause = seconds() if callable(seconds) else seconds
                self.take_off_finished(pause)
                report = self.report()
                if report.log or report.version > last:
                    moved, last = time.time(), report.version
                    yield report
                elif time.time() > moved + self.settings.patience:
                    raise TrainingError(self.stuck(last))
        except BaseException:
            self.kill()
            raise

    def stuck(self, version):
        """Return a sentence on a run in which nothing moves."""
        patience = self.settings.patience
        if version == 0:
            return (
                f"the workers were not ready after {patience} s: free some memory or "
                "CPUs, or start fewer workers."
            )
        return f"nothing has moved for {patience} s after {version} updates: try again."

    def take_off_finished(self, seconds):
        """Wait so long, or until a worker is done; take those that are done off."""
        tasks = list(self.running)
        ray.wait(tasks, timeout=max(0.02, seconds))
        for task in ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]:
            worker = self.running.pop(task)
            try:
                ray.get(task)
            except ray.exceptions.RayError as error:
                self.report()  # where a server has failed, that is the reason
                reason = f"worker {worker} failed: {first_line(error)}"
                raise TrainingError(reason) from error

    def report(self):
        """Return a `Report` of all servers, with the pushes since the last one."""
        starts = [self.noted] + [math.inf] * (len(self.servers) - 1)  # one log will do
        for pause in (0, 0.1, 1, 5):
            time.sleep(pause)
            calls = [
                ps.report.remote(start)
                for ps, start in zip(self.servers, starts, strict=True)
            ]
            reports = self.ask(*calls)
            versions = {report.version for report in reports}
            # A worker's last push may be on its way to some when it has gone home.
            if self.running or len(versions) == 1:
                break
        self.noted, weights = reports[0].num_pushes, reports[0].weights
        if isinstance(self.to, Sharing):
            weights = self.to.layout.join([report.weights for report in reports])
        return reports[0]._replace(version=min(versions), weights=weights)

    def ask(self, *calls):
        """Return the servers' answers; raise TrainingError if one has died."""
        try:
            return ray.get(list(calls), timeout=ANSWER_SECONDS)
        except ray.exceptions.GetTimeoutError as error:
            raise TrainingError("a server does not answer: run it again.") from error
        except ray.exceptions.RayError as error:
            raise TrainingError(f"the server failed: {first_line(error)}") from error

    def stop(self):
        """Send every worker home with its next push."""
        self.ask(self.servers[0].stop.remote())

    def recorded_calls(self):
        """Return when the first server was at work: (what, start, end)."""
        return self.ask(self.servers[0].recorded_calls.remote())[0]

    def kill(self):
        """End servers and workers at once."""
        for ps in self.servers:
            ray.kill(ps)
        for task in self.running:
            ray.cancel(task, force=True)


def first_line(error):
    reason = getattr(error, "cause", None) or error
    return str(reason).strip().split("\n")[0]
