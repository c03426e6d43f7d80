"""Wrong and right answers to the exercises of notebook 03, on a real Ray."""

import itertools
import statistics
import time
import timeit
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import ray
from answers import all_tests_of, answer_of_the_teacher, assert_refused, renamed

from ps_helpers.checks import ray_actors
from ps_helpers.checks.verdict import verdict
from ps_helpers.lab import session


@pytest.fixture(scope="module")
def processes():
    """A Ray as in the notebook, and as many processes as a check needs at a time."""
    started = not ray.is_initialized()
    if started:
        session.start(4, engine="numpy")
    ray.get([ray_actors.take_time.remote(None, 1)[0] for _ in range(4)])
    yield
    if started:
        session.stop()


def of(exercise, *rows):
    return [(exercise, *row) for row in rows]


PULL, UPDATE = "ray.get(ps.pull.remote(keys))", "compute_update(weights)"
PUSH = f"ray.get(ps.push.remote(keys, {UPDATE}))"
ASK = "server.pull.remote(keys)"
ALL_ASKED = f"[{ASK} for server in servers]"
TIMED_PUSH, TIMED_PULL = "ps.push.remote([key], [value])", "ps.pull.remote([key])"
MEDIANS = "{verb: float(np.median(s)) for verb, s in seconds.items()}"
NOT_LIST, IN_STEPS = "as it is", "times in 3 steps"
MUTATIONS = [
    *of(
        "train_worker",
        ("return version", "", "returned nothing"),
        (PULL, "ps.pull.remote(keys)", "ray.get what is pulled"),
        (PUSH, PUSH[8:-1], "return a number, not a reference"),
        ("ps.pull.remote", "ps.pull", "is called with .remote(…)"),
        ("ps.pull.remote", "ps.pull_with_version.remote", "call pull and push of"),
        ("in range(num_steps)", "in range(1)", "does the return stand inside"),
        ("num_steps", "3", "it pushed 3 times in 12 steps"),
        ("num_steps", "num_steps + 1", f"it pushed 4 {IN_STEPS}"),
        ("weights =", f"{PULL}; weights =", f"it pulled 6 {IN_STEPS}"),
        ("weights =", f"weights = weights if _ else {PULL} #", "it pulled once for"),
        ("weights =", f"first = {PULL}; weights = weights if _ else", "just pulled"),
        (UPDATE, f"{UPDATE} and {UPDATE}", f"it called compute_update 6 {IN_STEPS}"),
        (UPDATE, "compute_update(weights[0])", "from the list of weights just pulled"),
        ("pull.remote(keys)", "pull.remote(['W1', 'b1'])", "pull all keys in one call"),
        ("pull.remote(keys)", "pull.remote(keys[:1])", "pull all keys in one call"),
        ("push.remote(keys", "push.remote(keys[::-1]", "push all keys in one call"),
        (UPDATE, "weights", "compute_update returned"),
        (UPDATE, f"({UPDATE}, weights)[1]", "you pushed the weights"),
        (UPDATE, f"[w + u for w, u in zip(weights, {UPDATE})]", "not new weights"),
        (UPDATE, f"[-u for u in {UPDATE}]", "you turned the sign round"),
        (UPDATE, f"[u / 4 for u in {UPDATE}]", NOT_LIST),
        (UPDATE, f"[u.astype(np.float16) for u in {UPDATE}]", NOT_LIST),
        (UPDATE, f"[np.float32(u) for u in {UPDATE}]", NOT_LIST),
        (UPDATE, f"{UPDATE}[::-1]", NOT_LIST),
        (UPDATE, f"{UPDATE}[0]", NOT_LIST),
        (UPDATE, f"[w.__iadd__(1) for w in {PULL}] or {UPDATE}", "is read-only"),
        ("return version", "return num_steps", "that is the number of steps"),
        ("return version", "return version + 1", "answered 15, you return 16"),
        ("return version", "return version - 3", "what the first push answered"),
        ("return version", "return [version]", "return one number, the last version"),
        ("return version", "keys.clear(); return version", "it changed the list of"),
        ("for _ in range(num_steps)", "while True", "it goes on and on"),
    ),
    *of(
        "busy_share",
        ("{row: 0 for row, *_ in events}", "{}", "begin with a share of 0"),
        ("return shares", "return list(shares.values())", "return a dictionary"),
        ("return shares", "return max(shares.values())", "return a dictionary"),
        ("return shares", "shares", "returned nothing"),
        ("return shares", "return dict.fromkeys(shares, '1')", "return one number"),
        ("end - start", "int(end - start)", "busy_share("),
        ('== "compute"', 'in ("compute", "pull")', "busy_share("),
        ("row: 0 for", "row[:8]: 0 for", "begin with a share of 0"),
        ("for row, phase", "events.sort()\n    for row, phase", "leave it as it is"),
    ),
    *of(
        "pull_all",
        ("return", "_ =", "returned nothing"),
        (f"ray.get({ALL_ASKED})", ALL_ASKED, "these are references"),
        (
            f"ray.get({ALL_ASKED})",
            f"[ray.get({ASK}) for server in servers]",
            "only when",
        ),
        (f"ray.get({ALL_ASKED})", f"sum(ray.get({ALL_ASKED}), [])", "you joined the"),
        (f"ray.get({ALL_ASKED})", f"list(zip(*ray.get({ALL_ASKED})))", "you return 2"),
        (f"ray.get({ALL_ASKED})", f"ray.get({ALL_ASKED})[::-1]", "from [2, 1, 0]"),
        (ALL_ASKED, f"{ALL_ASKED}[-1]", "you return 2 results"),
        (f"ray.get({ALL_ASKED})", f"{ALL_ASKED}[0]", "that is one reference"),
        (
            f"ray.get({ALL_ASKED})",
            f"ray.get({ALL_ASKED}) and [[1]] * 3",
            "as ray.get g",
        ),
        (f"ray.get({ALL_ASKED})", f"dict(enumerate({ALL_ASKED}))", "not a dictionary"),
        (ASK, "server.pull(keys)", "is called with .remote(…)"),
        (ASK, "servers[0].pull.remote(keys)", "you called [0, 0, 0]"),
        (ASK, "server.pull.remote(keys[:1])", "pull all keys in one call"),
        ("in servers", "in servers[:3]", "call server 0 to 11"),
        ("return", "keys.sort(reverse=True); return", "pull all keys in one call"),
        (
            ALL_ASKED,
            f"[{ASK} for server in [servers.pop(0) for _ in servers[:]]]",
            "chan",
        ),
        (ALL_ASKED, f"{ALL_ASKED} and {ALL_ASKED}", "each server was called twice"),
    ),
    *of(
        "measure",
        ("return", "_ =", "returned nothing"),
        (f"ray.get({TIMED_PUSH})", TIMED_PUSH, "ray.get"),
        (
            MEDIANS,
            "{verb: 1000 * np.median(s) for verb, s in seconds.items()}",
            "milli",
        ),
        (MEDIANS, "{verb: sum(s) for verb, s in seconds.items()}", "the time of all"),
        (
            MEDIANS,
            "{verb: np.mean(s) for verb, s in seconds.items()}",
            "that is the mean",
        ),
        (MEDIANS, "{verb: min(s) for verb, s in seconds.items()}", "that is a single"),
        (MEDIANS, "{verb: s[-1] for verb, s in seconds.items()}", "that is a single"),
        (MEDIANS, "{verb: max(s) for verb, s in seconds.items()}", "the longest push"),
        (MEDIANS, "{verb: -max(s) for verb, s in seconds.items()}", "are negative"),
        (
            MEDIANS,
            "{v: np.median(s) + 8 * (v == 'push') for v, s in seconds.items()}",
            "yours",
        ),
        (
            MEDIANS,
            "{'push': np.median(seconds['push']), 'pull': np.mean(seconds['pull'])}",
            "that is the mean",
        ),
        (
            MEDIANS,
            "dict(zip(['pull', 'push'], map(np.median, seconds.values())))",
            "swap",
        ),
        (MEDIANS, "seconds", "return one number for each verb"),
        (
            MEDIANS,
            "{verb: str(np.median(s)) for verb, s in seconds.items()}",
            "type str",
        ),
        (
            MEDIANS,
            "tuple(map(np.median, seconds.values()))",
            "a dictionary with the keys",
        ),
        (MEDIANS, f"value.fill(0) or {MEDIANS}", "it changed the value"),
        ("- middle", "- start", "that is push and pull together"),
        ("range(repeats)", "range(1)", "5 here; you did it 1"),
        ("range(repeats)", "range(5)", "7 here; you did it 5"),
        ("range(repeats)", "iter(int, 1)", "it goes on and on"),
        (TIMED_PUSH, "ps.push.remote(key, [value])", "push all keys in one call"),
        (TIMED_PUSH, "ps.push.remote([key], value)", "push the given value, in a list"),
        (TIMED_PUSH, "ps.push.remote([key], [0 * value])", "push the given value"),
        (TIMED_PULL, "ps.pull.remote(key)", "pull all keys in one call"),
        (TIMED_PULL, "ps.pull.remote(['W'])", "pull all keys in one call"),
    ),
]


def times_of(ps, key, value, repeats, clock=time.perf_counter):
    """Measure rightly: return the seconds of each push and of each pull."""
    seconds = {"push": [], "pull": []}
    for _ in range(repeats):
        start = clock()
        ray.get(ps.push.remote([key], [value]))
        middle = clock()
        ray.get(ps.pull.remote([key]))
        seconds["push"].append(middle - start)
        seconds["pull"].append(clock() - middle)
    return seconds


def own_computing(*arguments):
    seconds = times_of(*arguments, clock=time.process_time)
    return {verb: np.median(times) for verb, times in seconds.items()}


def all_at_once(ps, key, value, repeats):
    medians = {}
    for verb, arguments in (("push", ([key], [value])), ("pull", ([key],))):
        start, times = time.perf_counter(), []
        calls = [getattr(ps, verb).remote(*arguments) for _ in range(repeats)]
        for reference in calls:
            ray.get(reference)
            times.append(time.perf_counter() - start)
        medians[verb] = np.median(times)
    return medians


def never_wait(ps, key, value, repeats):
    calls = [lambda: ps.push.remote([key], [value]), lambda: ps.pull.remote([key])]
    push, pull = (timeit.timeit(call, number=repeats) / repeats for call in calls)
    return {"push": push, "pull": pull}


def in_a_further_task(servers, keys):
    @ray.remote(num_cpus=0)
    def pull_one(server):
        return ray.get(server.pull.remote(keys))

    return ray.get([pull_one.remote(server) for server in servers])


def as_they_finish(servers, keys):
    calls, results = [server.pull.remote(keys) for server in servers], []
    while calls:
        ready, calls = ray.wait(calls)
        results += ray.get(ready)
    return results


def pull_all_first(ps, keys, compute_update, num_steps):
    pulled = [ray.get(ps.pull.remote(keys)) for _ in range(num_steps)]
    for weights in pulled:
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version


def never_push(ps, keys, compute_update, num_steps):
    return [ray.get(ps.pull.remote(keys)) for _ in range(num_steps)] and 3


def push_first(ps, keys, compute_update, num_steps):
    return ray.get(ps.push.remote(keys, [np.zeros((2, 3)), np.zeros(3)]))


def wait_for_the_last_push(ps, keys, compute_update, num_steps):
    for _ in range(num_steps):
        last = ps.push.remote(keys, compute_update(ray.get(ps.pull.remote(keys))))
    return ray.get(last)


def wait_on_copies(ps, keys, compute_update, num_steps):
    versions = []
    while len(versions) < num_steps:
        ready, _ = ray.wait([ps.pull.remote(keys=keys)])
        weights = [weight.copy() for weight in ray.get(ready[0])]
        update = tuple(compute_update(weights))
        versions += ray.get([ps.push.remote(keys, values=update)])
    return versions[-1]


def put_the_update(ps, keys, compute_update, num_steps):
    def step():
        update = ray.put(compute_update(ray.get(ps.pull.remote(keys))))
        return ray.get(ps.push.remote(list(keys), update))

    return np.int64(max(step() for _ in range(num_steps)))


def in_order_of_finishing(servers, keys):
    calls = {server.pull.remote(keys=keys): i for i, server in enumerate(servers)}
    results, waiting = [None] * len(servers), list(calls)
    while waiting:
        (ready,), waiting = ray.wait(waiting)
        results[calls[ready]] = ray.get(ready)
    return results


def copies_in_threads(servers, keys):
    def pull_one(server):
        return [weight.copy() for weight in ray.get(server.pull.remote(keys))]

    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(pull_one, servers))


def wait_for_all(servers, keys):
    references = [server.pull.remote(list(keys)) for server in servers]
    ray.wait(references, num_returns=len(references))
    return [ray.get(reference) for reference in references]


def one_after_the_other(*arguments):
    times_of(*arguments[:3], 1)  # warm up
    push, pull = map(sorted, times_of(*arguments, clock=time.time).values())
    return dict(pull=pull[len(pull) // 2], push=push[len(push) // 2])


def with_timeit(ps, key, value, repeats):
    def median(call):
        times = timeit.repeat(lambda: ray.get(call()), number=1, repeat=repeats)
        return statistics.median(times)

    return {
        "push": median(lambda: ps.push.remote(keys=[key], values=[value])),
        "pull": median(lambda: ps.pull.remote(keys=[key])),
    }


def of_fixed_length(events):
    return {row: with_arrays(events)[row] / 2 for row, *_ in events}


def with_arrays(events):
    rows, phases, starts, ends = map(np.array, zip(*events, strict=True))
    spent = (ends - starts) * (phases == "compute") / (ends.max() - starts.min())
    return {str(row): spent[rows == row].sum() for row in set(rows)}


def with_a_counter(events):
    spent, moments = Counter(), []
    for row, phase, *both in events:
        spent[row] += (both[1] - both[0]) * (phase == "compute")
        moments += both
    whole = max(moments) - min(moments)
    return Counter({row: time / whole for row, time in spent.items()})


WRONG = [
    ("train_worker", pull_all_first, "the order in each step is"),
    ("train_worker", never_push, "nothing was pushed"),
    ("train_worker", push_first, "what compute_update returned"),
    ("busy_share", of_fixed_length, "busy_share("),
    ("pull_all", as_they_finish, "yours are from [2, 1, 0]"),
    ("pull_all", in_a_further_task, "not in a further task"),
    (
        "pull_all",
        lambda servers, keys: [[np.zeros(1)] for _ in servers],
        "no server was",
    ),
    (
        "pull_all",
        lambda servers, keys: [s.pull.remote(keys) for s in itertools.cycle(servers)],
        "it goes on and on",
    ),
    ("measure", own_computing, "leaves the waiting for push out"),
    ("measure", never_wait, "wait for the answer with ray.get"),
    ("measure", all_at_once, "ray.get each answer before the next call"),
]
RIGHT = [
    ("train_worker", wait_for_the_last_push),
    ("train_worker", wait_on_copies),
    ("train_worker", put_the_update),
    ("busy_share", with_arrays),
    ("busy_share", with_a_counter),
    ("pull_all", in_order_of_finishing),
    ("pull_all", copies_in_threads),
    ("pull_all", wait_for_all),
    ("pull_all", lambda s, keys: tuple(map(ray.get, [x.pull.remote(keys) for x in s]))),
    ("measure", one_after_the_other),
    ("measure", with_timeit),
]
TestAnswers = pytest.mark.usefixtures("processes")(
    all_tests_of(ray_actors, MUTATIONS, WRONG, RIGHT)
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


def test_a_decorated_answer_is_explained(processes):
    @ray.remote
    def train_worker(ps, keys, compute_update, num_steps):
        pass

    assert_refused(train_worker, "leave @ray.remote out")


def test_without_ray_the_reader_is_told_to_start_it(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    answer = renamed(lambda ps, key, value, repeats: None, "measure")
    assert_refused(answer, "start Ray first")
