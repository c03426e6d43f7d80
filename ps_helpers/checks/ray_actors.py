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
        first, calls = "start Ray first: run the cell with session.start", Calls()
        verdict.require(ray.is_initialized(), first)
        try:
            check_answer(answer, calls)
        finally:  # what still runs would be in the next check's way
            calls.over(timeout=5)

    return verdict.exercise(on_ray, seconds=30)  # a process may have to start


def is_reference(value):
    return isinstance(value, ray.ObjectRef)


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
    train(answer, Calls(30), ["W", "b"], 3)
    train(answer, Calls(99), ["b", "c", "W"], 12)


def train(answer, calls, right_keys, num_steps):
    """Let an answer train against a server that others push to as well."""
    weights = {"W": np.float32([[1.5, -2, 0], [0.1, 7, -3]]), "c": np.array(-0.75)}
    weights["b"], pulled, updates, versions = np.array([1 / 3, -1, 0]), [], [], [10]

    def pull(keys):
        require_keys("pull", keys, right_keys)
        pulled.append([weights[key].copy() for key in keys])
        return calls.start("pull", pulled[-1])

    def push(keys, values):
        require_keys("push", keys, right_keys)
        require(updates, "push what compute_update returned: it was not called yet")
        new = [w + u for w, u in zip(pulled[-1], updates[-1], strict=True)]
        for mistaken, reason in (
            (new, "push the update alone, not new weights: the server adds it"),
            (pulled[-1], "you pushed the weights; push the update"),
            ([-u for u in updates[-1]], "you turned the sign round"),
        ):
            require(not same(values, mistaken), reason)
        as_it_is = "push what compute_update returned, the whole list as it is"
        require(same(values, updates[-1]), as_it_is)
        for key, value in zip(keys, values, strict=True):
            weights[key] = weights[key] + value - 0.125  # others push as well
        versions.append(versions[-1] + 1 + len(versions) % 2)
        return calls.start("push", versions[-1])

    def compute_update(given):
        calls.start("compute", None)
        require(not is_reference(given), "compute from weights: ray.get what is pulled")
        new = pulled and same(given, pulled[-1])
        require(new, "compute from the list of weights just pulled, in every step")
        updates.append([np.exp(-np.asarray(w)) / 3 - 0.5 for w in given])
        return [part.copy() for part in updates[-1]]

    frozen = "what ray.get returns is read-only: push the update, the server adds it"
    with explained(ValueError, "read-only", frozen):
        handle = Handle(pull=pull, push=push)
        given = list(right_keys)
        result = answer(handle, given, compute_update, num_steps)
    pulls, computed, pushes = map(calls.count, ("pull", "compute", "push"))
    times = f"times in {num_steps} steps"
    require(given == right_keys, "it changed the list of keys: only read it")
    require(pushes, "nothing was pushed: call ps.push.remote(keys, update)")
    require(pushes > 1, "it did one step only: does the return stand inside the loop?")
    require(pulls > 1, "it pulled once for all steps: pull new weights in every step")
    require(pushes == num_steps, f"it pushed {pushes} {times}: push once in each")
    require(pulls == pushes, f"it pulled {pulls} {times}: pull once, at each start")
    require(computed == pushes, f"it called compute_update {computed} {times}")
    in_order = calls == ["pull", "compute", "push"] * num_steps
    require(in_order, "the order in each step is: pull, compute, push")
    got = not is_reference(result)
    require(got, "return a number, not a reference: ray.get the last push")
    one = not isinstance(result, list | tuple)
    require(one, "return one number, the last version")
    version, last = verdict.number(result), versions[-1]
    others = "that is the number of steps; return the version, for others push as well"
    require(version != num_steps, others)
    first = "that is what the first push answered, not the last"
    require(version != versions[1], first)
    require(version == last, f"the last push answered {last}, you return {version:g}")


def come_in_order(ask, calls, name):
    """Require that all are called before one is waited for, and results in order."""
    held = [[np.float32([i / 3, -i]), np.array([7e4 / 3 * i * i])] for i in range(12)]
    for takes in ((0.4, 0.3, 0.2), [0] * 12, [0]):
        calls, count = calls if any(takes) else Calls(), len(takes)
        wanted, seconds = [*range(count)], dict(enumerate(takes))

        def start(i, calls=calls, seconds=seconds):
            return calls.start(i, held[i % 12], seconds.get(i, 0))

        found = ask(start, count)
        asked, ends = sorted(calls), ray.get(calls.over())
        require(asked, f"no {name} was called: call .remote(…) for each")
        require(asked != sorted(wanted * 2), f"each {name} was called twice")
        from_0 = asked != [*range(1, count + 1)]
        require(from_0, f"the first {name} has the number 0")
        require(asked == wanted, f"call {name} 0 to {count - 1}; you called {asked}")
        require(not ends or max(calls.starts) < min(ends), IN_TURNS)
        several = not is_reference(found)
        require(several, "that is one reference: ray.get all of them, return a list")
        found = verdict.listed(found)
        got = not any(map(is_reference, found))
        require(got, f"these are references: ray.get what each {name} returns")
        joined = same(found, sum(held[:count], []))
        require(not joined, f"you joined the lists: return one for each {name}")
        others = f"there are {count} {name}s, and you return {len(found)} results"
        require(len(found) == count, others)
        whose = [next((i for i in wanted if same(f, held[i])), None) for f in found]
        unchanged = f"return what each {name} returned, as ray.get gives it"
        require(None not in whose, unchanged)
        order = f"return that of {name} 0 first; yours are from {whose}"
        require(whose == wanted, order)


IN_TURNS = (
    "a call was made only when another was done: call .remote for all, then ray.get "
    "(a generator makes each call only when it is read)"
)


@exercise_on_ray
def run_workers(answer, calls):
    def ask(start, num_workers):
        def start_task(ps, worker):
            right = ps is given and isinstance(worker, int | np.integer)
            require(right, "start task.remote(ps, worker), with the worker's number")
            return start(int(worker))

        start_task.__qualname__ = "task.remote"  # Python's message has it
        return answer(Remote(start_task), given, num_workers)

    given = Handle()
    come_in_order(ask, calls, "worker")


@exercise_on_ray
def pull_all(answer, calls):
    def ask(start, num_servers):
        def pull(server, keys):
            require_keys("pull", keys, right_keys)
            return start(server)

        right_keys = ["W", "bias", "W1"][: num_servers % 4 or 2]
        pulls = [functools.partial(pull, server) for server in range(num_servers)]
        servers, keys = [Handle(pull=pull) for pull in pulls], list(right_keys)
        found = answer(servers, keys)
        kept = len(servers) == num_servers and keys == right_keys
        require(kept, "it changed the list of servers or keys: only read it")
        return found

    come_in_order(ask, calls, "server")


@exercise_on_ray
def measure(answer, calls):
    times = {"push": [10, 150, 600, 90, 60], "pull": [5, 60, 5, 400, 200]}
    time_calls(answer, calls, "W", np.float32([1.5, -2, 0]), times)
    times = {"push": [20, 5, 60, 20, 5, 20, 5], "pull": [5, 5, 30, 5, 5, 5, 40]}
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
    given = value.copy()
    result = answer(handle, key, given, repeats)
    until, pending = time.time(), len(calls.over()) < len(calls.ends)
    require(np.array_equal(given, value), "it changed the value: only push it")
    require(result is not None, "it returned nothing; end it with a return")
    both = isinstance(result, dict) and set(result) == {"push", "pull"}
    require(both, 'return a dictionary with the keys "push" and "pull"')
    for verb in result:
        count, one = calls.count(verb), not isinstance(result[verb], list | tuple)
        enough = repeats <= count <= repeats + 2  # warming up is allowed
        require(enough, f"{verb} `repeats` times: {repeats} here; you did it {count}")
        require(one, "return one number for each verb: the median of its times")
    seconds = {verb: verdict.number(result[verb]) for verb in milliseconds}
    # A call took at least until its result was there; and, if it was waited for, at
    # most until the next call. So a machine may be slow, or busy.
    starts, ends = np.array(calls.starts), np.array(ray.get(calls.ends))
    times = np.stack([ends - starts, np.diff([*starts, until])])
    bounds = {v: times[:, np.equal(calls, v)][:, -repeats:] for v in seconds}
    bounds["both"] = bounds["push"] + bounds["pull"]

    def looks_like(verb, of, statistic=np.median):
        """Return whether the seconds of a verb may be a statistic of these calls."""
        low, high = map(statistic, bounds[of])
        return low - 0.01 <= seconds[verb] <= high + 0.01  # clocks stand apart

    fast, slow = min(seconds.values()), max(seconds.values())
    unlike = [v for v in seconds if not looks_like(v, v)]
    unwaited = any(seconds[v] < np.median(bounds[v][0]) for v in seconds)
    swapped = [looks_like(*pair) for pair in (("push", "pull"), ("pull", "push"))]
    require(fast >= 0, "your seconds are negative: subtract the start from the end")
    too_many = slow > 10 * (until - starts[0])
    require(not too_many, "return seconds, not milliseconds")
    waited = not pending or not unwaited
    require(waited, "wait for the answer with ray.get, then stop the clock")
    apart = (times[0] <= times[1]).all()
    require(apart, "ray.get each answer before the next call")
    mixed = len(unlike) == 2 and all(swapped)
    require(not mixed, "you swapped push and pull: a push takes longer here")
    for verb in unlike:
        found, median = seconds[verb], np.median(bounds[verb][0])
        unwaited = f"your clock leaves the waiting for {verb} out (process_time does)"
        single = f"that is a single {verb}, or the shortest: take the median of all"
        require(found >= min(bounds[verb][0]), unwaited)
        together = "that is push and pull together: a clock for each"
        require(not looks_like(verb, "both"), together)
        for statistic, reason in (
            *[(np.min, single), (lambda t: t[0], single), (lambda t: t[-1], single)],
            (np.max, f"that is the longest {verb}: take the median"),
            (np.sum, "that is the time of all: take the median of one"),
            (np.mean, "that is the mean; take the median, which no slow call moves"),
        ):
            require(not looks_like(verb, verb, statistic), reason)
        raise NotYet(f"the median {verb} took {median:.2f} s, and yours {found:.2f}")
