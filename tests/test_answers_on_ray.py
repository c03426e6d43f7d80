"""Wrong and right answers to the exercises of notebook 03, on a real Ray."""

import statistics
import time
import timeit
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import ray
from answers import all_tests_of, answer_of_the_teacher, assert_refused, renamed

from ps_helpers.checks import ray_actors
from ps_helpers.checks.verdict import verdict


@pytest.fixture(scope="module")
def processes(running_ray):
    """Let Ray have as many processes as a check needs at a time."""
    ray.get([ray_actors.take_time.remote(None, 1)[0] for _ in range(4)])


def with_timeit(ps, key, value, repeats, timer=time.perf_counter):
    def median(call):
        ray.get(call())  # warm up
        clock = timeit.Timer(lambda: ray.get(call()), timer=timer)
        return statistics.median(clock.repeat(repeats, number=1))

    return {
        "push": median(lambda: ps.push.remote(keys=[key], values=[value])),
        "pull": median(lambda: ps.pull.remote(keys=[key])),
    }


def all_at_once(ps, key, value, repeats):
    start = time.perf_counter()
    ray.get([ps.push.remote([key], [value]) for _ in range(repeats)])
    middle = time.perf_counter()
    ray.get([ps.pull.remote([key]) for _ in range(repeats)])
    end = time.perf_counter()
    return {"push": (middle - start) / repeats, "pull": (end - middle) / repeats}


PULL, UPDATE = "ray.get(ps.pull.remote(keys))", "compute_update(weights)"
PUSH = f"ray.get(ps.push.remote(keys, {UPDATE}))"
AS_IT_IS, IN_STEPS = "the whole list as it is", "times in 3 steps"
ASK = "server.pull.remote(keys)"
ALL = f"ray.get([{ASK} for server in servers])"
TIMED_PUSH, TIMED_PULL = "ps.push.remote([key], [value])", "ps.pull.remote([key])"
MEDIAN = "float(np.median(s))"
REFUSED = {
    "train_worker": [
        (PULL, "ps.pull.remote(keys)", "ray.get what is pulled"),
        (PUSH, PUSH[8:-1], "return a number, not a reference"),
        (PUSH, "3", "nothing was pushed"),
        ("ps.pull.remote", "ps.pull", "is called with .remote(…)"),
        ("ps.pull.remote", "ps.pull_with_version.remote", "call pull and push of"),
        ("in range(num_steps)", "in range(1)", "does the return stand inside"),
        ("num_steps", "3", "it pushed 3 times in 12 steps"),
        ("for _ in range(num_steps)", "while True", "it goes on and on"),
        ("weights =", f"{PULL}; weights =", f"it pulled 6 {IN_STEPS}"),
        ("weights =", f"weights = weights if _ else {PULL} #", "it pulled once for"),
        ("weights =", f"first = {PULL}; weights = weights if _ else", "just pulled"),
        (
            f"for _ in range(num_steps):\n        weights = {PULL}",
            f"for weights in [{PULL} for _ in range(num_steps)]:",
            "the order in each step is",
        ),
        (UPDATE, f"{UPDATE} and {UPDATE}", f"it called compute_update 6 {IN_STEPS}"),
        ("pull.remote(keys)", "pull.remote(['W', 'b'])", "pull all keys in one call"),
        ("push.remote(keys", "push.remote(keys[::-1]", "push all keys in one call"),
        (UPDATE, "weights", "it was not called yet"),
        (UPDATE, f"({UPDATE}, weights)[1]", "you pushed the weights"),
        (UPDATE, f"[w + u for w, u in zip(weights, {UPDATE})]", "not new weights"),
        (UPDATE, f"[-u for u in {UPDATE}]", "you turned the sign round"),
        (UPDATE, f"[np.float32(u) for u in {UPDATE}]", AS_IT_IS),
        (UPDATE, f"{UPDATE}[0]", AS_IT_IS),
        (UPDATE, f"[w.__iadd__(1) for w in {PULL}] or {UPDATE}", "is read-only"),
        ("return version", "return num_steps", "that is the number of steps"),
        ("return version", "return version + 1", "answered 15, you return 16"),
        ("return version", "return version - 3", "what the first push answered"),
        ("return version", "return [version]", "return one number, the last version"),
        ("return version", "keys.clear(); return version", "it changed the list of"),
    ],
    "busy_share": [
        ("{row: 0 for row, *_ in events}", "{}", "begin with a share of 0"),
        ("return shares", "return list(shares.values())", "return a dictionary"),
        ("end - start", "int(end - start)", "busy_share("),
    ],
    "pull_all": [
        ("servers.clear()", "it changed the list of servers or keys"),
        ("[[]]", "no server was called"),
        (ALL, ALL[8:-1], "these are references"),
        (ALL, f"[ray.get({ASK}) for server in servers]", "only when another was done"),
        (ALL, f"sum({ALL}, [])", "you joined the lists"),
        (ALL, f"{ALL}[::-1]", "from [2, 1, 0]"),
        (ALL, f"{ALL} and {ALL}", "each server was called twice"),
        (ALL, f"{ALL} and [[1]] * 3", "as ray.get gives it"),
        (ALL, f"{ALL[8:-1]}[0]", "that is one reference"),
        (ALL, f"ray.get({ALL[8:-1]}[-1])", "you return 2 results"),
        (
            ALL,
            "[ray.remote(lambda s: s.pull.remote(keys)).remote(s) for s in servers]",
            "not in a further task",
        ),
        (ASK, "servers[0].pull.remote(keys)", "you called [0, 0, 0]"),
        ("in servers", "in servers[:3]", "call server 0 to 11"),
    ],
    "measure": [
        ("value.fill(0)", "it changed the value"),
        ("(1, 2)", "a dictionary with the keys"),
        (f"ray.get({TIMED_PUSH})", TIMED_PUSH, "wait for the answer with ray.get"),
        (MEDIAN, "1000 * np.median(s)", "milliseconds"),
        (MEDIAN, "-max(s)", "are negative"),
        (MEDIAN, "sum(s)", "the time of all"),
        (MEDIAN, "min(s)", "that is a single"),
        (MEDIAN, "max(s)", "the longest push"),
        (MEDIAN, "s", "return one number for each verb"),
        (MEDIAN, "np.median(s) + 8 * (verb == 'push')", "and yours"),
        (MEDIAN, "[np.mean, np.median][verb == 'push'](s)", "that is the mean"),
        ("seconds.items()", "zip(['pull', 'push'], seconds.values())", "you swapped"),
        ("- middle", "- start", "that is push and pull together"),
        ("range(repeats)", "range(1)", "5 here; you did it 1"),
        ("range(repeats)", "range(5)", "7 here; you did it 5"),
        (TIMED_PUSH, "ps.push.remote(key, [value])", "push all keys in one call"),
        (TIMED_PUSH, "ps.push.remote([key], value)", "push the given value, in a list"),
        (TIMED_PUSH, "ps.push.remote([key], [0 * value])", "push the given value"),
        (TIMED_PULL, "ps.pull.remote(['W'])", "pull all keys in one call"),
        (all_at_once, "ray.get each answer before the next call"),
        (
            lambda *arguments: with_timeit(*arguments, timer=time.process_time),
            "leaves the waiting for push out",
        ),
    ],
}


def wait_for_the_last_push(ps, keys, compute_update, num_steps):
    for _ in range(num_steps):
        update = ray.put(compute_update(ray.get(ps.pull.remote(keys))))
        last = ps.push.remote(list(keys), update)
    return np.int64(ray.get(last))


def wait_on_copies(ps, keys, compute_update, num_steps):
    versions = []
    while len(versions) < num_steps:
        ready, _ = ray.wait([ps.pull.remote(keys=keys)])
        weights = [weight.copy() for weight in ray.get(ready[0])]
        update = tuple(compute_update(weights))
        versions += ray.get([ps.push.remote(keys, values=update)])
    return versions[-1]


def with_arrays(events):
    rows, phases, starts, ends = map(np.array, zip(*events, strict=True))
    spent = (ends - starts) * (phases == "compute") / (ends.max() - starts.min())
    return {str(row): spent[rows == row].sum() for row in set(rows)}


def in_order_of_finishing(servers, keys):
    calls = {server.pull.remote(keys=keys): i for i, server in enumerate(servers)}
    results, waiting = [None] * len(servers), list(calls)
    while waiting:
        (ready,), waiting = ray.wait(waiting)
        results[calls[ready]] = ray.get(ready)
    return results


def copies_in_threads(servers, keys):
    def pull_one(server):
        return tuple(weight.copy() for weight in ray.get(server.pull.remote(keys)))

    with ThreadPoolExecutor(len(servers)) as pool:
        return tuple(pool.map(pull_one, servers))


RIGHT = {
    "train_worker": [wait_for_the_last_push, wait_on_copies],
    "busy_share": [with_arrays],
    "pull_all": [in_order_of_finishing, copies_in_threads],
    "measure": [with_timeit],
}
TestAnswers = pytest.mark.usefixtures("processes")(
    all_tests_of(REFUSED, RIGHT, ray_actors)
)


def test_an_endless_answer_does_not_block_the_next_one(processes):
    def pull_all(servers, keys):
        while True:  # more tasks than there are places
            servers[2].pull.remote(keys)

    assert_refused(pull_all, "it goes on and on")
    assert verdict(answer_of_the_teacher("pull_all")) == "passed"


def test_an_answer_that_waits_for_a_long_task_is_interrupted(
    processes, short_time_limit
):
    def pull_all(servers, keys):
        return ray.get(ray_actors.take_time.remote(None, 4)[0])

    short_time_limit()
    assert_refused(pull_all, "it loops for ever")


def test_a_decorated_answer_is_explained():
    @ray.remote
    def train_worker(ps, keys, compute_update, num_steps):
        pass

    assert_refused(train_worker, "leave @ray.remote out")


def test_without_ray_the_reader_is_told_to_start_it(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    answer = renamed(lambda ps, key, value, repeats: None, "measure")
    assert_refused(answer, "start Ray first")
