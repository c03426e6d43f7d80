"""Checks of notebook 03: they run on the Ray that the notebook has started.

The answers get stand-ins for handles and tasks. Their references are Ray's own, but
the stand-ins live in the student's process and note there what is asked of them.
So a check starts no actor, and waits for the few short tasks that a wrong answer may
leave behind. (To cancel them is no option: Ray 2.60 ends the notebook's process when
a task that was cancelled comes to its end all the same.)
"""

import functools
import time

import numpy as np
import ray

from ps_helpers.checks import verdict
from ps_helpers.checks.verdict import NotYet, explained, require


class Remote:
    """Stand in for what is called with .remote(…), such as a method of an actor."""

    def __init__(self, reply):
        self.reply = reply  # takes the arguments, returns a reference

    def __call__(self, *_, **__):
        raise NotYet("what runs in another process is called with .remote(…)")

    def __reduce__(self):
        raise NotYet("call .remote in this function itself, not in a further task")

    def remote(self, *arguments, **named):
        def fetch(value):  # Ray does this, too
            return ray.get(value) if is_reference(value) else value

        return self.reply(*map(fetch, arguments), **{k: fetch(named[k]) for k in named})


class Handle:
    """Stand in for an actor's handle: its methods are called with .remote(…)."""

    def __init__(self, **methods):
        vars(self).update({name: Remote(reply) for name, reply in methods.items()})

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotYet(f"call {' and '.join(vars(self))} of the handle, not {name}")


@ray.remote(max_retries=0, num_returns=2)
def take_time(result, seconds):
    """Return a result after some seconds, and the time when it was ready."""
    time.sleep(seconds)
    return result, time.time()


class Calls(list):
    """What an answer called; a call that takes time is a task of Ray's."""

    def __init__(self, limit=30):
        self.limit, self.starts, self.ends = limit, [], []

    def start(self, call, result, seconds=0):
        """Note a call and return the reference of its result."""
        self.append(call)
        require(len(self) < self.limit, "it goes on and on, and the arguments do not")
        if not seconds:
            return ray.put(result)
        self.starts.append(time.time())
        reference, end = take_time.remote(result, seconds)
        self.ends.append(end)
        return reference

    def over(self, timeout=0):
        """Return the ends of those calls that are over; wait so many seconds."""
        return ray.wait(self.ends, num_returns=len(self.ends) or 1, timeout=timeout)[0]


def exercise_on_ray(check_answer):
    """Register a check that needs a running Ray; it also gets an empty Calls."""

    @functools.wraps(check_answer)
    def on_ray(answer):
        ready, calls = ray.is_initialized(), Calls()
        require(ready, "start Ray first: run the cell with session.start")
        references = "give ray.get a list of references"
        try:
            with explained(ValueError, "Invalid type of object refs", references):
                check_answer(answer, calls)
        finally:  # what still runs would be in the next check's way
            calls.over(timeout=5)

    return verdict.exercise(on_ray, seconds=30)  # a process may have to start


def is_reference(value):
    return isinstance(value, ray.ObjectRef)


def refuse(*rows):
    """Refuse an answer with the first reason that holds."""
    for holds, reason in rows:
        require(not holds, reason)


def same(a, b):
    """Return whether two lists hold the same numbers."""
    if not isinstance(a, list | tuple) or len(a) != len(b):
        return False
    return all(map(np.array_equal, map(verdict.as_numbers, a), b))


def require_keys(verb, asked, keys):
    right = isinstance(asked, list | tuple) and list(asked) == keys
    require(right, f"{verb} all keys in one call, as a list: {keys} here")


@exercise_on_ray
def train_worker(answer, calls):
    rng = np.random.default_rng(3)
    for keys, num_steps in ((["W", "b"], 3), (["b", "c", "W"], 12)):
        weights = {"b": rng.normal(size=3), "c": rng.normal(size=())}
        weights["W"] = rng.normal(size=(2, 3)).astype(np.float32)
        train(answer, weights, keys, num_steps)


def train(answer, weights, right_keys, num_steps):
    """Let an answer train against a server that others push to as well."""
    calls, pulled, updates, versions = Calls(9 * num_steps), [], [], [10]

    def pull(keys):
        require_keys("pull", keys, right_keys)
        pulled.append([weights[key].copy() for key in keys])
        return calls.start("pull", pulled[-1])

    def push(keys, values):
        require_keys("push", keys, right_keys)
        require(updates, "push what compute_update returned: it was not called yet")
        new = [w + u for w, u in zip(pulled[-1], updates[-1], strict=True)]
        refuse(
            (same(values, new), "push the update alone, not new weights: it is added"),
            (same(values, pulled[-1]), "you pushed the weights; push the update"),
            (same(values, [-u for u in updates[-1]]), "you turned the sign round"),
            (not same(values, updates[-1]), "push the list of compute_update as it is"),
        )
        for key, value in zip(keys, values, strict=True):
            weights[key] = weights[key] + value - 0.125  # others push as well
        versions.append(versions[-1] + 1 + len(versions) % 2)
        return calls.start("push", versions[-1])

    def compute_update(given):
        calls.start("compute", None)
        whole = isinstance(given, list | tuple) and len(given) == len(right_keys)
        new = pulled and whole and same(given, pulled[-1])
        refuse(
            (is_reference(given), "compute_update wants weights: ray.get the pull"),
            (not whole, "give compute_update the whole list of weights, as pulled"),
            (not new, "compute from the weights that were just pulled, in every step"),
        )
        updates.append([np.exp(-np.asarray(w)) / 3 - 0.5 for w in given])
        return [part.copy() for part in updates[-1]]

    frozen = "what ray.get returns is read-only: push the update, the server adds it"
    with explained(ValueError, "read-only", frozen):
        handle = Handle(pull=pull, push=push)
        result = answer(handle, list(right_keys), compute_update, num_steps)
    pulls, computed, pushes = map(calls.count, ("pull", "compute", "push"))
    in_order = calls == ["pull", "compute", "push"] * num_steps
    times = f"times in {num_steps} steps"
    refuse(
        (pushes == 0, "nothing was pushed: call ps.push.remote(keys, update)"),
        (pushes == 1, "it did one step only: does the return stand inside the loop?"),
        (pulls == 1, "it pulled once for all steps: pull new weights in every step"),
        (pushes != num_steps, f"it pushed {pushes} {times}: push once in each"),
        (pulls != pushes, f"it pulled {pulls} {times}: pull once, at each start"),
        (computed != pushes, f"it called compute_update {computed} {times}"),
        (not in_order, "the order in each step is: pull, compute, push"),
        (is_reference(result), "return a number, not a reference: ray.get the push"),
        (isinstance(result, list | tuple), "return one number, the last version"),
    )
    version, last = verdict.number(result), versions[-1]
    refuse(
        (version == num_steps, "that is the number of steps, and others push as well"),
        (version == versions[1], "that is what the first push answered, not the last"),
        (version != last, f"the last push answered {last}, you return {version:g}"),
    )


def come_in_order(ask, calls, name):
    """Require that all are called before one is waited for, and results in order."""
    for seconds in ((0.4, 0.3, 0.2), [0] * 12, [0]):
        held = [[np.float32([i / 3, -i]), np.array([7e4 / 3 * i])] for i in range(12)]
        calls, count = calls if any(seconds) else Calls(), len(seconds)
        joined = sum(held[:count], [])
        takes = dict(enumerate(seconds))
        start = lambda i: calls.start(i, held[i % 12], takes.get(i, 0))  # noqa
        with explained(ValueError, "inhomogeneous", "what is returned makes no array"):
            found = ask(start, count)
        asked, ends = sorted(calls), ray.get(calls.over())
        in_turns = ends and max(calls.starts) > min(ends)
        refuse(
            (not asked, f"no {name} was called: call .remote(…) for each"),
            (asked == sorted([*range(count)] * 2), f"each {name} was called twice"),
            (asked == [*range(1, count + 1)], f"the first {name} has the number 0"),
            (asked != [*range(count)], f"call {name} 0 to {count - 1}, not {asked}"),
            (
                in_turns,
                f"a {name} was called only when another was done: call .remote for "
                "all, then ray.get (a generator makes each call only when it is read)",
            ),
            (is_reference(found), "that is one reference: ray.get all, return a list"),
        )
        found = verdict.listed(found)
        whose = [next((i for i in range(12) if same(f, held[i])), None) for f in found]
        refuse(
            (any(map(is_reference, found)), "these are references: ray.get them"),
            (same(found, joined), f"you joined the lists: return one for each {name}"),
            (
                len(found) != count,
                f"{count} {name}s return {count} results, not so many",
            ),
            (None in whose, f"return what the {name}s returned, as ray.get gives it"),
            (
                whose != [*range(count)],
                f"return {name} 0 first: yours are in the order {whose}",
            ),
        )


@exercise_on_ray
def run_workers(answer, calls):
    def ask(start, num_workers):
        def start_task(ps, worker):
            right = ps is given and isinstance(worker, int | np.integer)
            require(right, "start task.remote(ps, worker), with the worker's number")
            return start(int(worker))

        start_task.__qualname__ = "task.remote"  # Python's message has it
        given = Handle()
        return answer(Remote(start_task), given, num_workers)

    come_in_order(ask, calls, "worker")


@exercise_on_ray
def pull_all(answer, calls):
    def ask(start, num_servers):
        def pull(server, keys):
            require_keys("pull", keys, right_keys)
            return start(server)

        right_keys = ["W", "bias", "W1"][: num_servers % 4]
        pulls = [functools.partial(pull, server) for server in range(num_servers)]
        return answer([Handle(pull=pull) for pull in pulls], list(right_keys))

    come_in_order(ask, calls, "server")


@exercise_on_ray
def measure(answer, calls):
    push, pull = [10, 120, 600, 120, 10], [5, 60, 5, 300, 60]
    given = np.array([1.5, -2, 0], np.float32)
    time_calls(answer, calls, "W", given, {"push": push, "pull": pull})
    times = {"push": [30, 5, 90], "pull": [5, 5, 60]}
    time_calls(answer, Calls(), "b2", np.ones((2, 2)) / 3, times)


def time_calls(answer, calls, key, value, milliseconds):
    """Let an answer measure pushes and pulls that take these times."""
    repeats = len(milliseconds["push"])

    def take(verb, keys):
        require_keys(verb, keys, [key])
        seconds = milliseconds[verb][calls.count(verb) % repeats] / 1000
        return calls.start(verb, [value], seconds)

    def push(keys, values):
        require(same(values, [value]), "push the given value, in a list: [value]")
        return take("push", keys)

    handle = Handle(push=push, pull=functools.partial(take, "pull"))
    result = answer(handle, key, value.copy(), repeats)
    until, pending = time.time(), len(calls.over()) < len(calls.ends)
    require(result is not None, "it returned nothing; end it with a return")
    both = isinstance(result, dict) and set(result) == {"push", "pull"}
    require(both, 'return a dictionary with the keys "push" and "pull"')
    for verb in result:
        count, lists = calls.count(verb), isinstance(result[verb], list | tuple)
        enough = repeats <= count <= repeats + 2  # warming up is allowed
        require(enough, f"{verb} `repeats` times: here {repeats}, not {count}")
        require(not lists, "return one number for each verb: the median of its times")
    seconds = {verb: verdict.number(result[verb]) for verb in milliseconds}
    # A call took at least until its result was there; and, if it was waited for, at
    # most until the next call. So a machine may be slow, or busy.
    starts, ends = np.array(calls.starts), np.array(ray.get(calls.ends))
    times = np.stack([ends - starts, np.diff([*starts, until])])
    bounds = {v: times[:, np.equal(calls, v)][:, -repeats:] for v in seconds}
    bounds["both"] = bounds["push"] + bounds["pull"]

    def looks_like(verb, statistic, of):
        """Return whether the seconds of a verb may be a statistic of these calls."""
        low, high = map(statistic, bounds[of])
        return low - 0.01 <= seconds[verb] <= high + 0.01  # clocks stand apart

    fast, slow = min(seconds.values()), max(seconds.values())
    unlike = [v for v in seconds if not looks_like(v, np.median, v)]
    unwaited = any(seconds[v] < np.median(bounds[v][0]) for v in seconds)
    swapped = looks_like("push", np.median, "pull") & looks_like(
        "pull", np.median, "push"
    )
    refuse(
        (fast < 0, "your seconds are negative: subtract the start from the end"),
        (slow > 10 * (until - starts[0]), "return seconds, not milliseconds"),
        (pending and unwaited, "wait for the answer with ray.get, then stop the clock"),
        (
            (times[0] > times[1]).any(),
            "a call began before the last was answered: ray.get it",
        ),
        (
            len(unlike) == 2 and swapped,
            "you swapped push and pull: a push takes longer here",
        ),
    )
    for verb in unlike:
        found, median = seconds[verb], np.median(bounds[verb][0])
        unwaited = f"your clock leaves the waiting for {verb} out (process_time does)"
        single = f"that is a single {verb}, or the shortest: take the median of all"
        require(found >= min(bounds[verb][0]), unwaited)
        for statistic, of, reason in (
            (np.median, "both", "that is push and pull together: two clocks"),
            (np.min, verb, single),
            (lambda times: times[0], verb, single),
            (lambda times: times[-1], verb, single),
            (np.max, verb, f"that is the longest {verb}: take the median"),
            (np.sum, verb, "that is the time of all: take the median of one"),
            (np.mean, verb, "that is the mean; one slow call moves it"),
        ):
            require(not looks_like(verb, statistic, of), reason)
        raise NotYet(f"the median {verb} took {median:.2f} s, and yours {found:.2f}")
