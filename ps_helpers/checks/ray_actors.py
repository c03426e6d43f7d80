"""Checks of notebook 03: they run on the Ray that the notebook has started."""

import asyncio
import time

import numpy as np
import ray

from ps_helpers.checks.one_process import close
from ps_helpers.checks.verdict import NotYet, exercise, require

SECONDS = 30  # a correct answer takes less than one


def get(reference, mistake):
    """Return the value of a reference; refuse the answer if it does not come."""
    try:
        return ray.get(reference, timeout=SECONDS)
    except ray.exceptions.GetTimeoutError:
        raise NotYet(mistake) from None
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, (NotImplementedError, NotYet)):
            raise error.cause from None
        raise


@ray.remote(num_cpus=0)
class LoggingServer:
    """A parameter server that writes down who calls what."""

    def __init__(self, keys, values):
        self.weights = dict(zip(keys, map(np.array, values), strict=True))
        self.log = []

    def push(self, keys, values):
        self.log.append("push")
        for key, value in zip(keys, values, strict=True):
            self.weights[key] = self.weights[key] + value
        return self.log.count("push")

    def pull(self, keys):
        self.log.append("pull")
        return [self.weights[key].copy() for key in keys]

    def history(self):
        return self.log


@ray.remote(num_cpus=0)
class SlowServer:
    """A server that takes a known time for each call and counts them."""

    SECONDS = 0.05

    def __init__(self):
        self.count = {"push": 0, "pull": 0}
        self.pushed = []

    def push(self, keys, values):
        time.sleep(self.SECONDS)
        self.count["push"] += 1
        self.pushed = [np.shape(value) for value in values]

    def pull(self, keys):
        time.sleep(self.SECONDS)
        self.count["pull"] += 1
        return [np.zeros(3) for _ in keys]

    def history(self):
        return self.count, self.pushed


@ray.remote(num_cpus=0)
class MeetingPoint:
    """A place where callers wait until all the others have come too."""

    def __init__(self, expected):
        self.expected = expected
        self.arrived = 0
        self.complete = asyncio.Event()

    async def meet(self):
        """Return whether all came within 4 seconds."""
        self.arrived += 1
        if self.arrived == self.expected:
            self.complete.set()
        try:
            await asyncio.wait_for(self.complete.wait(), 4)
        except TimeoutError:
            return False
        return True

    async def pull(self, keys):
        """Answer like a server, once all callers have met."""
        return [np.array([len(key)]) for key in keys] if await self.meet() else None


@ray.remote
def meeting_task(meeting, worker):
    """Return the worker's number and whether it met the others."""
    return worker, ray.get(meeting.meet.remote())


@exercise
def train_worker(answer):
    ps = LoggingServer.remote(["W", "b"], [np.array([1.0, 2.0]), np.array([8.0])])

    def half_down(weights):
        require(
            isinstance(weights, list) and len(weights) == 2,
            "compute_update needs the weights: ray.get what pull returned",
        )
        return [-0.5 * weight for weight in weights]

    task = ray.remote(num_cpus=0, max_retries=0)(answer)
    never = "it did not come to an end: loop num_steps times, not for ever"
    result = get(task.remote(ps, ["W", "b"], half_down, 3), never)
    log = ray.get(ps.history.remote())
    pulls, pushes = log.count("pull"), log.count("push")
    require(pushes > 0, "nothing was pushed: call ps.push.remote(keys, update)")
    require(
        pulls == 3 or pushes != 3,
        f"it pulled {pulls} times in 3 steps: pull new weights in every step",
    )
    require(pushes == 3, f"it pushed {pushes} times; push once in each of 3 steps")
    require(
        log == ["pull", "push"] * 3,
        "the order in each step is: pull, compute, push",
    )
    W, b = ray.get(ps.pull.remote(["W", "b"]))
    require(
        not close(b, [64 * 8]) and not close(W, [3.375, 6.75]),
        "push the update as it is; the server adds it",
    )
    require(
        not close(b, [8 * 0.5]),
        "the pushes do not build on each other: compute from the newest weights",
    )
    require(
        close(W, [0.125, 0.25]) and close(b, [1]),
        "the weights are not those of three steps: push compute_update(weights)",
    )
    require(
        not isinstance(result, ray.ObjectRef),
        "return a number, not a reference: ray.get the answer of the last push",
    )
    require(
        result == 3,
        f"return the last version, which push answers: 3 here, not {result}",
    )


@exercise
def run_workers(answer):
    num_workers = 3
    meeting = MeetingPoint.remote(num_workers)
    results = answer(meeting_task, meeting, num_workers)
    require(results is not None, "it returned nothing; end it with a return")
    results = list(results)
    require(
        not any(isinstance(result, ray.ObjectRef) for result in results),
        "these are references; ray.get them to return what the workers returned",
    )
    require(
        len(results) == num_workers,
        f"{num_workers} workers return {num_workers} results, not {len(results)}",
    )
    workers = [worker for worker, _ in results]
    require(
        len(set(workers)) == num_workers,
        f"each worker needs its own number 0, 1, 2; yours were {workers}",
    )
    require(
        sorted(workers) == [0, 1, 2],
        f"workers are numbered from 0, yours are {sorted(workers)}",
    )
    require(workers == [0, 1, 2], "return the results in the order of the workers")
    require(
        all(met for _, met in results),
        "a worker was started only when the one before had ended: start all of "
        "them first, then ray.get",
    )


@exercise
def pull_all(answer):
    servers = [MeetingPoint.remote(1) for _ in range(2)]
    expected = [[np.array([1]), np.array([4])]] * 2
    found = answer(servers, ["W", "bias"])
    require(found is not None, "it returned nothing; end it with a return")
    found = list(found)
    require(
        not any(isinstance(weights, ray.ObjectRef) for weights in found),
        "these are references: ray.get them all at the end",
    )
    require(
        len(found) == len(servers),
        "return one list of weights for each server",
    )
    require(
        all(
            isinstance(weights, list) and all(map(close, weights, right))
            for weights, right in zip(found, expected, strict=True)
        ),
        "the weights are not those that the servers hold: ask each for these keys",
    )
    meeting = MeetingPoint.remote(3)  # answers when it has been asked three times
    found = list(answer([meeting] * 3, ["W"]))
    require(
        all(weights is not None for weights in found),
        "the second server is asked only when the first has answered: call "
        "pull.remote on all, then ray.get",
    )


@exercise
def measure(answer):
    ps = SlowServer.remote()
    value = np.zeros(3)
    ray.get(ps.pull.remote(["W"]))  # the actor is up
    result = answer(ps, "W", value, 6)
    count, pushed = ray.get(ps.history.remote())
    require(result is not None, "it returned nothing; end it with a return")
    require(
        isinstance(result, dict) and set(result) == {"push", "pull"},
        'return a dictionary with the keys "push" and "pull"',
    )
    require(
        count["push"] >= 6 and count["pull"] >= 7,
        f"each call is to be repeated: 6 times, not {count['push']} pushes and "
        f"{count['pull'] - 1} pulls",
    )
    require(pushed == [(3,)], "push the value that was given, as a list of one")
    slow = SlowServer.SECONDS
    for verb in ("push", "pull"):
        seconds = result[verb]
        require(np.ndim(seconds) == 0, "return one number for each verb, the median")
        require(
            seconds >= slow,
            f"a {verb} here takes at least {slow} s and you measured {seconds:.3f}: "
            "wait for the answer with ray.get before you stop the clock",
        )
        require(seconds < 40 * slow, "return seconds, not milliseconds")
        require(
            seconds < 5 * slow, "that is the time of all calls: take the median of one"
        )
    both = result["push"] < 1.9 * slow and result["pull"] < 1.9 * slow
    require(both, "you timed push and pull together: a clock for each")
