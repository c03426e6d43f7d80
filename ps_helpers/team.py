"""The servers and the workers of a training: placed, started, watched, stopped."""

import itertools
import math
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import ray

from ps_helpers import nodes
from ps_helpers.checkpoint import Keeper, newest
from ps_helpers.endpoint import Sharing
from ps_helpers.gate import GateActor
from ps_helpers.layout import Layout, by_ranges
from ps_helpers.shared_memory import MemoryGate

END_SECONDS = 10  # in which a task ends by itself when its server has gone
MemoryGateActor = ray.remote(num_cpus=0)(MemoryGate)


class TrainingError(RuntimeError):
    """Training cannot go on; the message says what to do."""


class ServerLost(TrainingError):
    """A server has died, or does not answer."""


class Team:
    """The servers and the workers of a training.

    ``weights`` are the first ones by key. ``task`` is started for each worker as
    ``task.remote(servers, worker, shard, settings)``. A ``rule`` takes the place of
    the settings' own. ``events`` are (seconds, sentence) of what has died and come
    back; each sentence is also given to ``tell``. ``saved`` are states that servers go
    on from. Raises ValueError for a rule that no server can follow, and for several
    servers with an optimizer that needs whole arrays.
    """

    def __init__(
        self, settings, weights, shards, task, rule=None, saved=None, tell=str
    ):
        self.settings, self.shards, self.task = settings, shards, task
        self.tell, self.events = tell, []
        self.weights, self.rule = weights, rule or settings.rule()
        self.running = {}  # a task's reference -> its worker
        self.members = set()  # workers that are to be there
        self.noted = 0  # pushes of the first server's log that were reported
        self.deaths = Counter()  # of each since it last did something
        self.since = {}  # (worker, step) -> when it was first seen to compute it
        self.warning, self.stopped = "", False
        self.node_of, self.aggregators = {}, {}  # by worker
        self.servers, self.to = self.start_servers(
            saved or [None] * settings.num_servers
        )
        self.grow(range(len(shards)))

    def parts(self, number, state):
        """Return what a server is made of, beside its store."""
        settings, keeper, first = self.settings, None, {}
        if settings.checkpoint:
            strict = settings.checkpoint_failure == "stop"
            more = {"settings": settings.identity()}
            folder = Path(settings.checkpoint).absolute()
            keeper = Keeper(folder, settings.checkpoint_every, number, strict, more)
        if number == 0:  # it alone counts, and sends home: so all get the same pushes
            first = {"num_updates": settings.num_updates or settings.max_updates}
        own = {"rule": self.rule, "optimizer": settings.make_optimizer()}
        own["quorum"] = len(self.shards)
        return own | {"keeper": keeper, "state": state} | first

    def start_servers(self, states):
        """Return the servers' handles, and what a worker connects to."""
        settings = self.settings
        if not isinstance(self.weights, dict):
            kind = type(self.weights)
            raise TypeError(f"weights are a dictionary by key, not {kind}")
        if isinstance(self.rule, type):
            raise TypeError(f"make an object of it: {self.rule.__name__}(…)")
        if not self.rule.live:
            raise ValueError(f"{type(self.rule).__name__} is for the simulator only")
        if states[0]:
            self.note(f"training goes on from update {states[0]['version']}.")
        elif self.members:
            self.note("training begins again: there is no checkpoint yet.")
        if settings.fast:
            cpus = nodes.cpus_of_nodes() if settings.address else {}
            if len(cpus) > 1 or self.aggregators:
                return self.start_over_nodes(cpus, states)
            if settings.num_servers > 1:
                raise ValueError("--num-servers: on one node --fast needs one server")
            if settings.compress != "none":
                raise ValueError("--compress: on one node nothing crosses a link")
        if settings.num_servers > 1:
            layout = self.layout()
            servers = [GateActor.remote(*own) for own in self.divided(layout, states)]
            return servers, Sharing(servers, layout)
        whole = list(self.weights), list(self.weights.values())
        parts = self.parts(0, states[0])
        if settings.fast:
            server = MemoryGateActor.remote(*whole, parts, len(self.shards))
        else:
            server = GateActor.remote(*whole, parts)
        return [server], server

    def divided(self, layout, states):
        """Yield the keys, the values and the parts of each server."""
        values = layout.split(list(self.weights.values()))
        for i, (names, mine) in enumerate(zip(layout.names, values, strict=True)):
            yield names, mine, self.parts(i, states[i])

    def layout(self):
        """Return which server has which part of the weights: as much as the others."""
        make, num_servers = self.settings.make_optimizer, self.settings.num_servers
        if num_servers > 1 and make() and not make().elementwise:
            raise ValueError(f"{type(make()).__name__} needs whole arrays: one server")
        shapes = {key: np.shape(value) for key, value in self.weights.items()}
        sizes = {key: math.prod(shape) for key, shape in shapes.items()}
        return Layout(by_ranges(sizes, num_servers), shapes, num_servers)

    def start_over_nodes(self, cpus, states):
        """Spread workers over nodes, with an aggregator each, and servers beside them.

        Raises ValueError for rules that must see each update by itself.
        """
        settings, layout = self.settings, self.layout()
        own_rule = type(self.rule) is not type(settings.rule())
        if settings.consistency == "backup" or own_rule:
            raise ValueError(
                "--fast: on several nodes updates are summed up before a rule judges "
                "them, and none can be left out: choose async, sync or ssp"
            )
        workers = sorted(self.members) or range(len(self.shards))
        if self.members and len(workers) > (room := nodes.cpus_left(cpus)):
            self.note(f"workers without a CPU are counted out: {workers[room:]}.")
            self.members = set(workers := workers[:room])
        if not workers:
            raise TrainingError("no node is left that has CPUs.")
        sites = itertools.cycle(Counter(nodes.spread_over(cpus, len(workers))))
        servers = [
            nodes.SocketGateActor.options(**nodes.pinned_to(next(sites))).remote(*own)
            for own in self.divided(layout, states)
        ]
        self.places = self.ask(*(ps.place.remote() for ps in servers))
        self.aggregators = {}
        self.gather(workers, cpus, layout)
        self.ask(*(it.address.remote() for it in set(self.aggregators.values())))
        return servers, Sharing(servers, layout)

    def gather(self, workers, cpus, layout):
        """Give workers a node each, and to those of a node an aggregator there."""
        settings, chosen = self.settings, nodes.spread_over(cpus, len(workers))
        in_rounds = settings.in_rounds
        summed = in_rounds or settings.make_optimizer() is None
        started = {
            node: nodes.AggregatorActor.options(**nodes.pinned_to(node)).remote(
                self.places, layout, number, in_rounds, summed, settings.compress
            )
            for node, number in Counter(chosen).items()
        }
        for worker, node in zip(workers, chosen, strict=True):
            self.node_of[worker], self.aggregators[worker] = node, started[node]

    def note(self, sentence):
        """Note what has happened, and when."""
        self.events.append((time.time(), sentence))
        self.tell(sentence)

    def grow(self, workers):
        """Start these workers; one that was here before goes on where it stood."""
        for worker in workers:
            task, to = self.task, self.to
            if self.aggregators:
                task = task.options(**nodes.pinned_to(self.node_of[worker]))
                to = self.aggregators[worker]
            call = task.remote(to, worker, self.shards[worker], self.settings)
            self.running[call] = worker
            self.members.add(worker)

    def shrink(self, workers):
        """Count these workers out: nobody waits for them, and each is sent home."""
        for worker in workers:
            self.members.discard(worker)
            first = self.aggregators.get(worker)  # it has pushes to send before
            servers = [first] if first else self.servers
            self.ask(*(ps.leave.remote(worker) for ps in servers))

    def replace(self, worker, reason):
        """Start a worker that has died in its place, or go on without it.

        Nobody has heard of its death: a round waits for who takes its place.
        """
        self.deaths[worker] += 1
        if self.deaths[worker] <= self.settings.replace:
            self.note(f"worker {worker} has died and is started again.")
            return self.grow([worker])
        self.note(f"worker {worker} has died and is counted out.")
        self.shrink([worker])
        if not self.members:
            raise TrainingError(f"worker {worker} failed: {reason}")

    def move(self, worker):
        """Start all of an aggregator's workers again if it has gone; return whether.

        They go on with a new one: on their node, or where CPUs are left if that is
        lost. It is a death of each, and who finds no CPU is counted out. A node that
        comes back is used when servers are recovered.
        """
        lost, node = self.aggregators[worker], self.node_of[worker]
        cpus = nodes.cpus_of_nodes()
        if node in cpus and not nodes.has_gone(lost):
            return False
        ray.kill(lost)  # then tasks that still run end by themselves
        mine = {w for w, it in self.aggregators.items() if it == lost}
        here = {worker, *self.running.values()} & mine & self.members
        self.running = {t: w for t, w in self.running.items() if w not in mine}
        for w in mine:
            self.deaths[w] += 1
            del self.aggregators[w]
        if node in cpus:
            cpus, what = {node: len(mine)}, "an aggregator has died"
        else:
            cpus, what = Counter(cpus), "a node is lost"
            others = self.members & self.aggregators.keys()
            cpus.subtract(self.node_of[w] for w in others)
        stay = [w for w in sorted(here) if self.deaths[w] <= self.settings.replace]
        stay = stay[: nodes.cpus_left(cpus)]
        counts = f"{len(stay)} started again, {len(here) - len(stay)} counted out"
        self.note(f"{what}; of its workers are {counts}.")
        self.gather(stay, cpus, self.to.layout)
        self.grow(stay)
        self.shrink(here - set(stay))
        if not self.members:
            raise TrainingError(f"{what}, and no worker is left.")
        return True

    def let_go_of_late(self, report):
        """Count out, and kill, who computes a step for longer than the deadline."""
        now, seconds = time.monotonic(), self.settings.deadline
        steps = [(worker, report.steps[worker]) for worker in report.computing]
        self.since = {it: self.since.get(it, now) for it in steps}
        for worker, step in [it for it in steps if now - self.since[it] > seconds]:
            self.note(f"worker {worker} is let go: step {step} took {seconds} s.")
            self.shrink([worker])
            for task in [t for t, w in self.running.items() if w == worker]:
                ray.cancel(task, force=True)  # when it has ended it is replaced

    def recover(self, error):
        """Start servers and workers again from a checkpoint; return its version."""
        self.deaths["server"] += 1
        if not self.settings.checkpoint or self.deaths["server"] > 3:
            raise error
        self.kill(END_SECONDS)
        self.note(str(error))
        found, damage = newest(self.settings.checkpoint, self.settings.num_servers)
        for sentence in damage:
            self.note(sentence)
        try:
            self.servers, self.to = self.start_servers(found)
        except ServerLost as error:  # on a node that was lost, too
            return self.recover(error)
        self.running, self.noted, self.since = {}, 0, {}
        self.grow(sorted(self.members))
        with suppress(ServerLost):  # then it is recovered from again
            self.shrink(set(range(len(self.shards))) - self.members)
        if self.stopped:
            self.stop()
        return found[0]["version"] if found[0] else 0

    def reports(self, seconds=1):
        """Yield a `Report` about that often until all workers have gone home.

        ``seconds`` is a number, or a function that returns one. A report has the
        updates that all servers have, and the pushes since the last report. Raises
        TrainingError, in a sentence, where a worker's code or a server has failed or
        nothing has moved for settings.patience seconds. When the caller stops asking,
        by an error or an interrupt, what still runs is killed.
        """
        last, moved, took = 0, time.time(), 0
        try:
            while self.members.intersection(self.running.values()):
                pause = seconds() if callable(seconds) else seconds
                try:
                    self.take_off_finished(max(pause, 4 * took))
                    asked = time.monotonic()
                    report = self.report()
                    # Long over a slow link. No log: servers had to start first.
                    took = time.monotonic() - asked if report.log else 0
                    self.let_go_of_late(report)
                except ServerLost as error:
                    last, moved = self.recover(error), time.time()
                    continue
                if report.warning not in ("", self.warning):
                    self.note(report.warning)
                self.warning = report.warning
                if report.log or report.version > last:
                    moved, last = time.time(), report.version
                    for name in {"server", *(push.worker for push in report.log)}:
                        self.deaths.pop(name, None)
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
        done = ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]
        if self.aggregators:  # a task may be silent for ever on a node that is
            alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
            done += [t for t in tasks if self.node_of[self.running[t]] not in alive]
        for task in done:
            if (worker := self.running.pop(task, None)) is None:
                continue  # it has been started again with others
            try:
                ray.get(task, timeout=1)
            except ray.exceptions.RayError as error:
                failed = isinstance(error, ray.exceptions.RayTaskError)
                if failed or self.aggregators:  # a server's failure is the reason
                    self.ask(*(ps.report.remote(math.inf) for ps in self.servers))
                if worker in self.aggregators and self.move(worker):
                    continue
                if failed:
                    reason = f"worker {worker} failed: {first_line(error)}"
                    raise TrainingError(reason) from error
                self.replace(worker, first_line(error))  # its process has died

    def report(self):
        """Return a `Report` of all servers, with the pushes since the last one."""
        first, *others = self.servers
        for pause in (0, 0.1, 1, 5):
            time.sleep(pause)
            calls = [first.report.remote(self.noted)]  # one log will do
            calls += [ps.report.remote(math.inf) for ps in others]
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
        """Return the servers' answers; raise ServerLost if one has died."""
        try:
            return ray.get(list(calls), timeout=nodes.ANSWER_SECONDS)
        except ray.exceptions.GetTimeoutError as error:
            raise ServerLost("a server does not answer: run it again.") from error
        except ray.exceptions.RayError as error:
            lost = ray.exceptions.RayActorError, ray.exceptions.ActorUnschedulableError
            kind = ServerLost if isinstance(error, lost) else TrainingError
            raise kind(f"the server failed: {first_line(error)}") from error

    def stop(self):
        """Send every worker home with its next push."""
        self.stopped = True
        with suppress(ServerLost):  # then `recover` does it
            self.ask(self.servers[0].stop.remote())

    def recorded_calls(self):
        """Return when each server was at work: {name: [(what, start, end)]}."""
        names = [f"server {i}" for i in range(len(self.servers))]
        calls = self.ask(*(ps.recorded_calls.remote() for ps in self.servers))
        return dict(zip(names if len(names) > 1 else ["server"], calls, strict=True))

    def kill(self, seconds=2):
        """End servers, and workers that have not ended by themselves in some seconds.

        Most fail at once without their servers, and to kill what is just about to end
        would abort Ray 2.60: so first wait.
        """
        for actor in (*self.servers, *set(self.aggregators.values())):
            ray.kill(actor)
        if tasks := list(self.running):
            _, tasks = ray.wait(tasks, num_returns=len(tasks), timeout=seconds)
        for task in tasks:
            ray.cancel(task, force=True)


def first_line(error):
    """Return the reason in a line: of what could not be made or imported the last."""
    first, *others = str(getattr(error, "cause", None) or error).strip().split("\n")
    if "in its creation task" in first or "failed to import" in first:
        first = (others or [first])[-1]
        if "No module named" in first:
            first += ": install on each node what is here"
    return first
