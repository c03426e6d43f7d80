"""Checks of notebook 03: they run on the Ray that the notebook has started.

The answers get stand-ins for handles and tasks. Their references are Ray's own, but
the stand-ins live in the student's process and note there what is asked of them.
So a check starts no actor, and waits for the few short tasks that a wrong answer may
leave behind. (To cancel them is no option: Ray 2.60 ends the notebook's process when
a task that was cancelled comes to its end all the same.)
"""

import functools
import operator
import time

import numpy as np
import ray

from ps_helpers.checks.verdict import (
    NotYet,
    as_numbers,
    close,
    exercise,
    listed,
    number,
    require,
)


def exercise_on_ray(check_answer):
    """Register a check that needs a running Ray; it also gets an empty Calls."""

    @functools.wraps(check_answer)
    def on_ray(answer):
        require(
            ray.is_initialized(),
            "start Ray first: run the cell with session.start",
        )
        calls = Calls()
        try:
            check_answer(answer, calls)
        finally:
            calls.let_end()

    return exercise(on_ray, seconds=30)  # a process may have to start


class Remote:
    """Stand in for what is called with .remote(…), such as a method of an actor."""

    def __init__(self, reply):
        self.reply = reply  # takes the arguments, returns a reference

    def __call__(self, *_args, **_options):
        raise NotYet("what runs in another process is called with .remote(…)")

    def __reduce__(self):
        raise NotYet("call .remote in this function itself, not in a further task")

    def remote(self, *arguments, **named):
        resolved = map(value_of, arguments)  # Ray does this, too
        return self.reply(*resolved, **{k: value_of(v) for k, v in named.items()})


class Handle:
    """Stand in for an actor's handle: its methods are called with .remote(…)."""

    def __init__(self, **methods):
        for name, reply in methods.items():
            setattr(self, name, Remote(reply))


def value_of(argument):
    return ray.get(argument) if is_reference(argument) else argument


def is_reference(value):
    return isinstance(value, ray.ObjectRef)


def fetched(results, reason):
    """Return an answer's results as a list; refuse references, with this reason."""
    require(
        not is_reference(results),
        "that is one reference; ray.get all of them, and return a list",
    )
    results = listed(results)
    require(not any(map(is_reference, results)), reason)
    return results


@ray.remote(max_retries=0, num_returns=2)
def take_time(result, seconds):
    """Return a result after some seconds, and the time when it was ready."""
    time.sleep(seconds)
    return result, time.time()


class Calls:
    """What an answer called, and when; a call that takes time is a task of Ray's."""

    def __init__(self):
        self.arguments, self.starts, self.ends = [], [], []

    def note(self, arguments):
        """Note a call; refuse the answer that makes so many that it never ends."""
        self.arguments.append(arguments)
        require(
            len(self.arguments) < 20,
            "it goes on and on: repeat as often as the arguments say, not for ever",
        )

    def start(self, arguments, result, seconds):
        """Note a call and return the reference of its result."""
        self.note(arguments)
        self.starts.append(time.time())
        reference, end = take_time.remote(result, seconds)
        self.ends.append(end)
        return reference

    def pending(self):
        """Return whether a call is not over yet."""
        return bool(ray.wait(self.ends, num_returns=len(self.ends), timeout=0)[1])

    def in_turns(self):
        """Return whether a call was made only when an earlier one was over."""
        over, _ = ray.wait(self.ends, num_returns=len(self.ends), timeout=0)
        return any(max(self.starts) > end for end in ray.get(over))

    def bounds(self, until):
        """Return how long each call took, at least and at most, as two arrays.

        At least until the task had its result; and, if each call was waited for, at
        most until the next call, or until the answer returned. So what an answer
        measures can be judged on a machine of any speed, however busy.
        """
        least = np.subtract(ray.get(self.ends), self.starts)
        return least, np.diff([*self.starts, until])

    def let_end(self):
        """Wait until the calls are over, so that they are not in the next one's way."""
        if self.ends:
            ray.wait(self.ends, num_returns=len(self.ends), timeout=5)


@exercise_on_ray
def train_worker(answer, calls):
    keys, num_steps, before = ["W", "b"], 3, 10  # others have pushed 10 times
    weights = {"b": np.array([64.0]), "other": np.ones(1), "W": np.array([128.0, 256])}

    def note(verb, keys_asked):
        require(
            isinstance(keys_asked, list | tuple)
            and all(k in weights for k in keys_asked),
            f"a {verb} takes a list of keys: pass on the argument keys",
        )
        calls.note((verb, list(keys_asked)))

    def pull(keys):
        note("pull", keys)
        return ray.put([weights[key].copy() for key in keys])

    def push(keys, values):
        note("push", keys)
        require(
            isinstance(values, list | tuple) and len(values) == len(keys),
            "push what compute_update returned: a list with an array for each key",
        )
        for key, value in zip(keys, values, strict=True):
            require(
                np.shape(as_numbers(value)) == weights[key].shape,
                f"what is pushed to {key} must be its update, an array of its shape",
            )
            weights[key] = weights[key] + value
        return ray.put(before + [verb for verb, _ in calls.arguments].count("push"))

    def compute_update(pulled):
        require(
            not is_reference(pulled),
            "compute_update needs the weights: ray.get what pull returned",
        )
        require(
            isinstance(pulled, list | tuple) and len(pulled) == 2,
            "give compute_update the whole list of weights, as pull returns it",
        )
        return [-0.25 * np.asarray(weight) for weight in pulled]

    result = answer(Handle(pull=pull, push=push), keys, compute_update, num_steps)
    verbs = [verb for verb, _ in calls.arguments]
    pulls, pushes = verbs.count("pull"), verbs.count("push")
    require(pushes > 0, "nothing was pushed: call ps.push.remote(keys, update)")
    require(
        all(len(asked) == 2 for _, asked in calls.arguments),
        "pull and push all keys in one call, not each on its own",
    )
    require(
        verbs != ["pull", "push"],
        "it did one step only: does the return stand inside the loop?",
    )
    require(pulls != 1, "it pulled once for all steps: pull new weights in every step")
    require(
        pulls == pushes or pushes != num_steps,
        f"it pulled {pulls} times in 3 steps: pull once, at the start of each step",
    )
    require(
        pushes == num_steps,
        f"it pushed {pushes} times: push once in each of 3 steps",
    )
    require(
        verbs == ["pull", "push"] * num_steps,
        "the order in each step is: pull, compute, push",
    )
    b = weights["b"]
    require(
        not close(b, [64 * 2**3]),
        "you pushed the weights; push the update, what compute_update returns",
    )
    require(
        not close(b, [64 * 1.75**3]),
        "you pushed new weights; push the update alone, the server adds it",
    )
    require(
        not close(b, [64 * 1.25**3]),
        "you turned the sign round; push the update as it is",
    )
    require(
        not close(b, [64 * 0.25]),
        "each step used the weights of the first: compute from those just pulled",
    )
    require(
        close(b, [27]) and close(weights["W"], [54, 108]),
        "the weights are not those of three steps: push compute_update(weights)",
    )
    require(
        not is_reference(result),
        "return a number, not a reference: ray.get the answer of the last push",
    )
    require(
        not isinstance(result, list | tuple),
        "return one number, the last version",
    )
    version = number(result)
    require(
        version != num_steps,
        "that is the number of your steps; return what the last push answers, since "
        "other workers push as well",
    )
    require(version != before + 1, "that is what the first push answered, not the last")
    require(
        version == before + num_steps,
        f"return the last version, which push answers: 13 here, not {version:g}",
    )


@exercise_on_ray
def run_workers(answer, calls):
    num_workers, given = 3, Handle()

    def start_task(ps, worker):
        require(
            ps is given and isinstance(worker, int | np.integer),
            "start the task as task.remote(ps, worker), with a number for the worker",
        )
        seconds = 0.4 - 0.1 * min(max(worker, 0), 2)  # the first takes longest
        return calls.start(int(worker), f"result of worker {worker}", seconds)

    start_task.__qualname__ = "task.remote"  # Python's message has it
    results = answer(Remote(start_task), given, num_workers)
    workers = calls.arguments
    require(workers, "no worker was started: call task.remote(ps, worker)")
    require(
        len(workers) == 1 or len(set(workers)) > 1,
        f"each worker needs its own number 0, 1, 2; yours were {workers}",
    )
    require(
        sorted(workers) != [1, 2, 3],
        "workers are numbered from 0; yours are 1, 2, 3",
    )
    require(
        len(workers) != 2 * num_workers,
        "each worker was started twice: keep the references of the first time",
    )
    require(
        sorted(workers) == [0, 1, 2],
        f"start {num_workers} workers, with the numbers 0, 1, 2; yours were {workers}",
    )
    require(
        not calls.in_turns(),
        "a worker was started only when another had ended: start all of them first, "
        "then ray.get",
    )
    results = fetched(
        results,
        "these are references; ray.get them to return what the workers returned",
    )
    require(
        len(results) == num_workers,
        f"3 workers return 3 results, not {len(results)}: wait for all of them",
    )
    expected = [f"result of worker {worker}" for worker in range(num_workers)]
    require(
        set(map(str, results)) == set(expected),
        "return what the workers returned, unchanged: what ray.get gives for each",
    )
    require(
        results == expected,
        "return the results in the order of the workers, not in that of finishing",
    )


@exercise_on_ray
def pull_all(answer, calls):
    keys, num_servers = ["W", "bias"], 3

    def held(server):
        return [np.array([10.0 * server**2]), np.array([10.0 * server**2, 1.0])]

    def pull(server, keys):
        require(
            isinstance(keys, list | tuple) and list(keys) == ["W", "bias"],
            "ask each server for all of the keys, in one call",
        )
        return calls.start(server, held(server), 0.4 - 0.1 * server)

    servers = [
        Handle(pull=functools.partial(pull, server)) for server in range(num_servers)
    ]
    found = answer(servers, keys)
    asked = sorted(calls.arguments)
    require(asked, "no server was asked: call server.pull.remote(keys)")
    require(
        asked != [0, 0, 1, 1, 2, 2],
        "each server was asked twice: keep the references of the first time",
    )
    require(
        asked == [0, 1, 2],
        "each of the 3 servers is to be asked once; asked were those at the places "
        f"{asked}",
    )
    require(
        not calls.in_turns(),
        "a server is asked only when another has answered: call pull.remote on all, "
        "then ray.get",
    )
    found = fetched(found, "these are references: ray.get them all at the end")
    require(
        len(found) != num_servers * len(keys),
        "you joined the lists of the servers: return one list for each server",
    )
    require(
        len(found) == num_servers,
        f"return one list of weights for each of 3 servers, not {len(found)}",
    )

    def places(weights):
        """Return from which servers these weights may be."""
        weights = weights if isinstance(weights, list | tuple) else []
        return [
            server
            for server in range(num_servers)
            if len(weights) == 2 and all(map(close, weights, held(server)))
        ]

    origins = [places(weights) for weights in found]
    require(
        all(origins),
        "return the lists of weights as the servers gave them, one for each server",
    )
    require(
        origins == [[0], [1], [2]],
        "return the lists in the order of the servers, not in that of answering",
    )


@exercise_on_ray
def measure(answer, calls):
    repeats, given = 5, np.array([1.0, 2.0, 3.0])
    milliseconds = {"push": [10, 100, 600, 100, 10], "pull": [5, 5, 5, 5, 5]}

    def take(verb, keys):
        require(
            isinstance(keys, list | tuple) and list(keys) == ["W"],
            f"{verb} the key as a list of one: [key]",
        )
        seconds = milliseconds[verb][calls.arguments.count(verb) % repeats] / 1000
        return calls.start(verb, [given], seconds)

    def push(keys, values):
        require(
            isinstance(values, list | tuple) and len(values) == 1,
            "push the value as a list of one: [value]",
        )
        require(close(values[0], given), "push the value that was given")
        return take("push", keys)

    def pull(keys):
        return take("pull", keys)

    result = answer(Handle(push=push, pull=pull), "W", given.copy(), repeats)
    until, pending = time.time(), calls.pending()
    require(result is not None, "it returned nothing; end it with a return")
    require(
        isinstance(result, dict) and set(result) == {"push", "pull"},
        'return a dictionary with the keys "push" and "pull"',
    )
    for verb in ("push", "pull"):
        count = calls.arguments.count(verb)
        require(
            repeats <= count <= repeats + 2,  # warming up is allowed
            f"repeat each call `repeats` times: here 5 times, not {count} for {verb}",
        )
    require(
        not any(isinstance(seconds, list | tuple) for seconds in result.values()),
        "return one number for each verb: the median of its times",
    )
    seconds = {verb: number(value) for verb, value in result.items()}
    require(
        seconds["push"] >= 0 and seconds["pull"] >= 0,
        "your seconds are negative: subtract the start from the end",
    )
    require(
        seconds["push"] != seconds["pull"],
        "you timed push and pull together: a clock for each",
    )
    require(
        max(seconds.values()) < 10 * (until - calls.starts[0]),
        "return seconds, not milliseconds",
    )
    least, most = calls.bounds(until)
    called = np.array(calls.arguments)
    rows = {verb: np.flatnonzero(called == verb)[-repeats:] for verb in seconds}

    def looks_like(statistic, verb, of):
        """Return whether the seconds of a verb may be a statistic of these calls."""
        low, high = statistic(least[rows[of]]), statistic(most[rows[of]])
        slack = 0.01  # a busy machine may let the clocks stand so far apart
        return low - slack <= seconds[verb] <= high + slack

    for verb in ("push", "pull"):
        require(
            not pending or seconds[verb] > np.median(least[rows[verb]]),
            f"you measured how long the call of {verb} takes, not its answer: wait "
            "with ray.get before you stop the clock",
        )
    require(
        (least <= most).all(),
        "a call began before the answer to the one before it was there: ray.get each",
    )
    require(
        not looks_like(np.median, "push", "pull")
        or not looks_like(np.median, "pull", "push"),
        "you swapped push and pull: here a push takes longer than a pull",
    )
    if not looks_like(np.median, "push", "push"):
        require(
            seconds["push"] >= min(least[rows["push"]]),
            "your clock leaves the waiting for push out: read time.perf_counter() "
            "after ray.get (time.process_time() does not count waiting)",
        )
        single = "that is a single push, or the shortest: take the median of all"
        for statistic, reason in (
            (np.min, single),
            (operator.itemgetter(0), single),
            (operator.itemgetter(-1), single),
            (np.max, "that is the longest push: take the median of all"),
            (np.sum, "that is the time of all calls: take the median of one"),
            (
                np.mean,
                "that is the mean; take the median, which one slow call does not move",
            ),
        ):
            require(not looks_like(statistic, "push", "push"), reason)
        median, yours = np.median(least[rows["push"]]), seconds["push"]
        raise NotYet(f"the median of the pushes is {median:.2f} s, not {yours:.2f}")
    require(
        seconds["pull"] >= min(least[rows["pull"]]),
        "your clock leaves the waiting for pull out: stop it after ray.get",
    )
    require(
        looks_like(np.median, "pull", "pull"),
        "the time of a pull contains that of the push: start the clock anew",
    )
