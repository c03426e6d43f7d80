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
from ps_helpers.checks.tables import table
from ps_helpers.checks.verdict import NotYet, require


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

    handle, given = Handle(pull=pull, push=push), list(right_keys)
    frozen = "what ray.get returns is read-only: push the update, the server adds it"
    try:
        result = answer(handle, given, compute_update, num_steps)
    except ValueError as error:
        require("read-only" not in str(error), frozen)
        raise
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


def shares(result):
    """Return an answer's result as a dictionary of numbers."""
    require(result is not None, "it returned nothing; end it with a return")
    require(isinstance(result, dict), "return a dictionary, {row: share}")
    return {row: verdict.number(share) for row, share in result.items()}


def computing(events):
    return [event for event in events if event[1] == "compute"]


def length_of(events):
    return max(event[3] for event in events) - min(event[2] for event in events)


def sum_of(events):
    return sum(end - start for _, _, start, end in events)


def of_the_row(length):
    """Return an answer that divides by a length of a row's own events."""
    return lambda events: {
        row: sum_of(computing(mine)) / length(mine)
        for row in dict.fromkeys(event[0] for event in events)
        for mine in [[event for event in events if event[0] == row]]
    }


SHORT = [("b", "pull", 0.5, 1), ("a", "compute", 1, 3.5), ("b", "push", 3.5, 4.5)]
LATE = [
    ("worker 10", "wait", 1007.25, 1009),
    ("worker 2", "compute", 1002.5, 1003.125),
    ("server", "serve", 1001.75, 1002),
    ("worker 2", "pull", 1001.5, 1002.5),
    ("worker 10", "compute", 1003, 1007.25),
    ("worker 2", "compute", 1004.5, 1006),
    ("server", "serve", 1000.5, 1001.25),
    ("worker 2", "push", 1003.125, 1004),
]
MANY = [
    (f"worker {w}", phase, start + w / 3, start + w / 3 + 0.1 * w + 0.25)
    for w in range(11)
    for phase, start in (("compute", 7), ("push", -2.5), ("compute", 2), ("sleep", 20))
]


@table(
    calls=[(SHORT,), (LATE,), (MANY,), (LATE[::-1],), (LATE[1:2],), (SHORT[::2],)],
    returns=shares,
    mistakes={
        "return shares: divide the seconds by the whole time": "/ (last - first) →",
        "those are percent; return shares from 0 to 1": "+= ( → += 100 * (",
        "the time begins with the first start, not at 0": "last - first → last",
        "the earliest start need not stand first": "min(starts) → starts[0]",
        "the latest end need not stand last": "max(ends) → ends[-1]",
        "the time ends with the last end, not the last start": "(ends) → (starts)",
        "count the phase compute alone": 'phase == "compute" → phase',
        "count it while it computes; you counted the rest": "== → !=",
        "a row may compute several times: add up": "+= → =",
        "add up the seconds; you counted how often it computes": "end - start → 1",
        "a time is end - start; you turned it round": "end - start → start - end",
        "a row that never computes has the share 0": "events} → computing(events)}",
        "divide by the time of all rows, not of each": of_the_row(length_of),
        "the time has gaps too: do not add up what a row does": of_the_row(sum_of),
        "rows run side by side: do not add up the times of all": "last - first → "
        "sum_of(events)",
        "the time is that of all events, not of those that compute": "last - first → "
        "length_of(computing(events))",
        "that is the share of all computing; divide by the time": "last - first → "
        "sum_of(computing(events))",
    },
    raises=[(KeyError, "", "let each row begin with a share of 0")],
)
def busy_share(events):
    *_, starts, ends = zip(*events, strict=True)
    first, last = min(starts), max(ends)
    shares = {row: 0 for row, *_ in events}
    for row, phase, start, end in events:
        if phase == "compute":
            shares[row] += (end - start) / (last - first)
    return shares


IN_TURNS = (
    "a call was made only when another was done: call .remote for all, then ray.get "
    "(a generator makes each call only when it is read)"
)


@exercise_on_ray
def pull_all(answer, calls):
    """Require that all are called before one is waited for, and results in order."""
    held = [[np.float32([i / 3, -i]), np.array([7e4 / 3 * i * i])] for i in range(12)]
    for takes in ((0.4, 0.3, 0.2), [0] * 12, [0]):
        calls, count = calls if any(takes) else Calls(), len(takes)
        right_keys = ["W", "bias", "W1"][: count % 4 or 2]
        wanted, seconds = [*range(count)], dict(enumerate(takes))

        def pull(i, keys, calls=calls, seconds=seconds, right_keys=right_keys):
            require_keys("pull", keys, right_keys)
            return calls.start(i, held[i], seconds[i])

        servers = [Handle(pull=functools.partial(pull, i)) for i in wanted]
        given, keys = list(servers), list(right_keys)
        found = answer(given, keys)
        kept = given == servers and keys == right_keys
        require(kept, "it changed the list of servers or keys: only read it")
        asked, ends = sorted(calls), ray.get(calls.over())
        require(asked, "no server was called: call .remote(…) for each")
        require(asked != sorted(wanted * 2), "each server was called twice")
        require(asked == wanted, f"call server 0 to {count - 1}; you called {asked}")
        require(not ends or max(calls.starts) < min(ends), IN_TURNS)
        several = not is_reference(found)
        require(several, "that is one reference: ray.get all of them, return a list")
        found = verdict.listed(found)
        got = not any(map(is_reference, found))
        require(got, "these are references: ray.get what each server returns")
        joined = same(found, sum(held[:count], []))
        require(not joined, "you joined the lists: return one for each server")
        others = f"there are {count} servers, and you return {len(found)} results"
        require(len(found) == count, others)
        whose = [next((i for i in wanted if same(f, held[i])), None) for f in found]
        unchanged = "return what each server returned, as ray.get gives it"
        require(None not in whose, unchanged)
        order = f"return that of server 0 first; yours are from {whose}"
        require(whose == wanted, order)


@exercise_on_ray
def measure(answer, calls):
    # Of these, the median, the mean, the extremes and the sums lie far apart.
    times = {"push": [20, 350, 200, 1000, 5], "pull": [10, 40, 700, 80, 5]}
    for _ in range(3):  # wrong numbers look right where a busy machine delays calls
        late = time_calls(answer, calls, "W", np.float32([1.5, -2, 0]), times)
        if late < 0.04:
            break
        calls = Calls()
    times = {"push": [20, 5, 60, 20, 5, 20, 5], "pull": [5, 5, 30, 5, 5, 5, 40]}
    time_calls(answer, Calls(), "b2", np.ones((2, 2)) / 3, times)


def time_calls(answer, calls, key, value, milliseconds):
    """Let an answer measure calls of these times; return how late a typical one is."""
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
    mixed = unlike and all(swapped)
    require(not mixed, "you swapped push and pull: a push takes longer here")
    for verb in unlike:
        found, median = seconds[verb], np.median(bounds[verb][0])
        unwaited = f"your clock leaves the waiting for {verb} out (process_time does)"
        require(found >= min(bounds[verb][0]), unwaited)
        single = f"that is a single {verb}, or the shortest: take the median of all"
        reasons = [
            *((verb, s, single) for s in (np.min, lambda t: t[0], lambda t: t[-1])),
            (verb, np.max, f"that is the longest {verb}: take the median"),
            (verb, np.sum, "that is the time of all: take the median of one"),
            (verb, np.mean, "that is the mean: a slow call moves it, not the median"),
            ("both", np.median, "that is push and pull together: a clock for each"),
        ]
        # A busy machine widens the bounds until several fit; the nearest one is meant.
        near = {
            abs(found - np.mean([statistic(t) for t in bounds[of]])): reason
            for of, statistic, reason in reasons
            if looks_like(verb, of, statistic)
        }
        require(not near, near and near[min(near)])
        raise NotYet(f"the median {verb} took {median:.2f} s, and yours {found:.2f}")
    return max(
        np.median(bounds[v][1]) - np.median(milliseconds[v]) / 1000 for v in seconds
    )
