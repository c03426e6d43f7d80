"""Wrong and right answers to the exercises of notebook 03, on a real Ray."""

import itertools
import statistics
import time
import timeit
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import ray
from test_exercises import (
    Answers,
    answer_of_the_teacher,
    assert_refused,
    reason,
    renamed,
)

from ps_helpers.checks import verdict as engine
from ps_helpers.checks.ray_actors import take_time
from ps_helpers.checks.verdict import verdict
from ps_helpers.lab import session

answers = Answers()
wrong, right = answers.wrong, answers.right


@pytest.fixture(scope="module")
def processes():
    """A Ray as in the notebook, and as many processes as a check needs at a time."""
    started = not ray.is_initialized()
    if started:
        session.start(4, engine="numpy")
    ray.get([take_time.remote(None, 1)[0] for _ in range(4)])
    yield
    if started:
        session.stop()


# Exercise 1: train_worker(ps, keys, compute_update, num_steps)


@wrong("train_worker", "forgets return", words="returned nothing")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        ray.get(ps.push.remote(keys, compute_update(weights)))


@wrong(
    "train_worker", "forgets ray.get of the pull", words="ray.get what pull returned"
)
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ps.pull.remote(keys)
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version


@wrong("train_worker", "forgets ray.get of the push", words="a number, not a reference")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        version = ps.push.remote(keys, compute_update(weights))
    return version


@wrong("train_worker", "forgets .remote", words="is called with .remote(…)")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        version = ps.push(keys, compute_update(ps.pull(keys)))
    return version


@wrong("train_worker", "pulls once", words="it pulled once for all steps")
def _(ps, keys, compute_update, num_steps):
    weights = ray.get(ps.pull.remote(keys))
    for _step in range(num_steps):
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version


@wrong("train_worker", "uses the first weights", words="the weights of the first")
def _(ps, keys, compute_update, num_steps):
    first = ray.get(ps.pull.remote(keys))
    version = ray.get(ps.push.remote(keys, compute_update(first)))
    for _step in range(1, num_steps):
        ray.get(ps.pull.remote(keys))
        version = ray.get(ps.push.remote(keys, compute_update(first)))
    return version


@wrong("train_worker", "pulls at the end too", words="it pulled 4 times in 3 steps")
def _(ps, keys, compute_update, num_steps):
    weights = ray.get(ps.pull.remote(keys))
    for _step in range(num_steps):
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
        weights = ray.get(ps.pull.remote(keys))
    return version


@wrong("train_worker", "pulls first, then pushes", words="order in each step is: pull")
def _(ps, keys, compute_update, num_steps):
    pulled = [ray.get(ps.pull.remote(keys)) for _ in range(num_steps)]
    for weights in pulled:
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version


@wrong("train_worker", "swaps push and pull", words="it raised UnboundLocalError")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        version = ray.get(ps.push.remote(keys, compute_update(weights)))  # noqa: F821
        weights = ray.get(ps.pull.remote(keys))  # noqa: F841
    return version


@wrong("train_worker", "never pushes", words="nothing was pushed")
def _(ps, keys, compute_update, num_steps):
    version = 0
    for _step in range(num_steps):
        compute_update(ray.get(ps.pull.remote(keys)))
        version += 1
    return version


@wrong("train_worker", "returns in the loop", words="it did one step only")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        return ray.get(ps.push.remote(keys, compute_update(weights)))


@wrong("train_worker", "does one step too many", words="it pushed 4 times: push once")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps + 1):
        weights = ray.get(ps.pull.remote(keys))
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version


@wrong("train_worker", "works key by key", words="all keys in one call")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = [ray.get(ps.pull.remote([key]))[0] for key in keys]
        for key, value in zip(keys, compute_update(weights), strict=True):
            version = ray.get(ps.push.remote([key], [value]))
    return version


@wrong("train_worker", "passes a single weight", words="the whole list of weights")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        for weight in ray.get(ps.pull.remote(keys)):
            version = ray.get(ps.push.remote(keys, compute_update(weight)))
    return version


@wrong("train_worker", "knows the keys", words="pass on the argument keys")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(["W1", "b1", "W2", "b2"]))
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version


@wrong("train_worker", "pushes new weights", words="you pushed new weights")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        update = compute_update(weights)
        new = [w + u for w, u in zip(weights, update, strict=True)]
        version = ray.get(ps.push.remote(keys, new))
    return version


@wrong("train_worker", "pushes the weights", words="you pushed the weights")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        compute_update(weights)
        version = ray.get(ps.push.remote(keys, weights))
    return version


@wrong("train_worker", "subtracts", words="you turned the sign round")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        update = compute_update(ray.get(ps.pull.remote(keys)))
        version = ray.get(ps.push.remote(keys, [-part for part in update]))
    return version


@wrong("train_worker", "mixes up the values", words="must be its update")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        update = compute_update(ray.get(ps.pull.remote(keys)))
        version = ray.get(ps.push.remote(keys, update[::-1]))
    return version


@wrong("train_worker", "pushes one value", words="an array for each key")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        update = compute_update(ray.get(ps.pull.remote(keys)))
        version = ray.get(ps.push.remote(keys, update[0]))
    return version


@wrong("train_worker", "scales the update", words="not those of three steps")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        update = compute_update(ray.get(ps.pull.remote(keys)))
        version = ray.get(ps.push.remote(keys, [part / 4 for part in update]))
    return version


@wrong("train_worker", "changes what it pulled", words="it raised ValueError")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        for weight, part in zip(weights, compute_update(weights), strict=True):
            weight += part
        version = ray.get(ps.push.remote(keys, weights))
    return version


@wrong(
    "train_worker", "counts its steps and does not wait", words="the number of your st"
)
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        ps.push.remote(keys, compute_update(ray.get(ps.pull.remote(keys))))
    return num_steps


@wrong(
    "train_worker", "returns the first version", words="what the first push answered"
)
def _(ps, keys, compute_update, num_steps):
    versions = []
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        versions.append(ray.get(ps.push.remote(keys, compute_update(weights))))
    return versions[0]


@wrong("train_worker", "returns all versions", words="one number, the last version")
def _(ps, keys, compute_update, num_steps):
    versions = []
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        versions.append(ray.get(ps.push.remote(keys, compute_update(weights))))
    return versions


@wrong("train_worker", "adds one to the version", words="13 here, not 14")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        weights = ray.get(ps.pull.remote(keys))
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version + 1


@wrong("train_worker", "trains for ever", words="it goes on and on")
def _(ps, keys, compute_update, num_steps):
    while True:
        weights = ray.get(ps.pull.remote(keys))
        ray.get(ps.push.remote(keys, compute_update(weights)))


@wrong("train_worker", "waits for a version", words="it goes on and on")
def _(ps, keys, compute_update, num_steps):
    version = 0
    while version != num_steps:
        weights = ray.get(ps.pull.remote(keys))
        version = ray.get(ps.push.remote(keys, compute_update(weights)))
    return version


@wrong("train_worker", "starts a task", words="not in a further task")
def _(ps, keys, compute_update, num_steps):
    @ray.remote(num_cpus=0)
    def step(ps):
        weights = ray.get(ps.pull.remote(keys))
        return ray.get(ps.push.remote(keys, compute_update(weights)))

    return [ray.get(step.remote(ps)) for _ in range(num_steps)][-1]


@right("train_worker", "with names for everything")
def _(ps, keys, compute_update, num_steps):
    version = None
    for _step in range(num_steps):
        pull_reference = ps.pull.remote(keys)
        weights = ray.get(pull_reference)
        update = compute_update(weights)
        push_reference = ps.push.remote(keys, update)
        version = ray.get(push_reference)
    return version


@right("train_worker", "that waits for the last push only")
def _(ps, keys, compute_update, num_steps):
    for _step in range(num_steps):
        last = ps.push.remote(keys, compute_update(ray.get(ps.pull.remote(keys))))
    return ray.get(last)


@right("train_worker", "with while and ray.wait, on copies")
def _(ps, keys, compute_update, num_steps):
    versions = []
    while len(versions) < num_steps:
        ready, _ = ray.wait([ps.pull.remote(keys=keys)])
        weights = [weight.copy() for weight in ray.get(ready[0])]
        update = tuple(compute_update(weights))
        versions += ray.get([ps.push.remote(keys, values=update)])
    return versions[-1]


@right("train_worker", "with a helper, and a reference to the update")
def _(ps, keys, compute_update, num_steps):
    def step():
        update = ray.put(compute_update(ray.get(ps.pull.remote(keys))))
        return ray.get(ps.push.remote(tuple(keys), update))

    return np.int64(max(step() for _ in range(num_steps)))


# Exercise 2: run_workers(task, ps, num_workers)


@wrong("run_workers", "forgets return", words="returned nothing")
def _(task, ps, num_workers):
    ray.get([task.remote(ps, worker) for worker in range(num_workers)])


@wrong("run_workers", "forgets ray.get", words="these are references")
def _(task, ps, num_workers):
    return [task.remote(ps, worker) for worker in range(num_workers)]


@wrong("run_workers", "gets in the loop", words="start all of them first")
def _(task, ps, num_workers):
    results = []
    for worker in range(num_workers):
        results.append(ray.get(task.remote(ps, worker)))
    return results


@wrong("run_workers", "waits in the loop", words="start all of them first")
def _(task, ps, num_workers):
    tasks = []
    for worker in range(num_workers):
        tasks.append(task.remote(ps, worker))
        ray.wait(tasks, num_returns=len(tasks))
    return ray.get(tasks)


@wrong("run_workers", "keeps one in reserve", words="start all of them first")
def _(task, ps, num_workers):
    tasks = [task.remote(ps, worker) for worker in range(num_workers - 1)]
    first = ray.get(tasks)
    return first + [ray.get(task.remote(ps, num_workers - 1))]


@wrong("run_workers", "forgets .remote", words="is called with .remote(…)")
def _(task, ps, num_workers):
    return ray.get([task(ps, worker) for worker in range(num_workers)])


@wrong("run_workers", "forgets the worker", words="it raised TypeError: task.remote()")
def _(task, ps, num_workers):
    return ray.get([task.remote(ps) for _ in range(num_workers)])


@wrong("run_workers", "swaps the arguments", words="start the task as task.remote(ps,")
def _(task, ps, num_workers):
    return ray.get([task.remote(worker, ps) for worker in range(num_workers)])


@wrong("run_workers", "numbers from one", words="workers are numbered from 0")
def _(task, ps, num_workers):
    return ray.get([task.remote(ps, worker + 1) for worker in range(num_workers)])


@wrong("run_workers", "gives all the same number", words="its own number 0, 1, 2")
def _(task, ps, num_workers):
    return ray.get([task.remote(ps, 0) for _ in range(num_workers)])


@wrong("run_workers", "passes num_workers", words="its own number 0, 1, 2")
def _(task, ps, num_workers):
    return ray.get([task.remote(ps, num_workers) for _ in range(num_workers)])


@wrong("run_workers", "starts one", words="start 3 workers, with the numbers 0, 1, 2")
def _(task, ps, num_workers):
    for worker in range(num_workers):
        return [ray.get(task.remote(ps, worker))]


@wrong("run_workers", "knows four workers", words="yours were [0, 1, 2, 3]")
def _(task, ps, num_workers):
    return ray.get([task.remote(ps, worker) for worker in range(4)])


@wrong("run_workers", "starts everybody twice", words="each worker was started twice")
def _(task, ps, num_workers):
    [task.remote(ps, worker) for worker in range(num_workers)]
    return ray.get([task.remote(ps, worker) for worker in range(num_workers)])


@wrong("run_workers", "returns the last", words="what came is of type str")
def _(task, ps, num_workers):
    tasks = [task.remote(ps, worker) for worker in range(num_workers)]
    for reference in tasks:
        result = ray.get(reference)
    return result


@wrong("run_workers", "waits for one", words="3 workers return 3 results, not 1")
def _(task, ps, num_workers):
    tasks = [task.remote(ps, worker) for worker in range(num_workers)]
    ready, _ = ray.wait(tasks)
    return ray.get(ready)


@wrong("run_workers", "takes them as they finish", words="not in that of finishing")
def _(task, ps, num_workers):
    tasks, results = [task.remote(ps, worker) for worker in range(num_workers)], []
    while tasks:
        ready, tasks = ray.wait(tasks)
        results += ray.get(ready)
    return results


@wrong("run_workers", "returns the numbers", words="what the workers returned, unch")
def _(task, ps, num_workers):
    ray.get([task.remote(ps, worker) for worker in range(num_workers)])
    return list(range(num_workers))


@wrong("run_workers", "returns a dictionary", words="a list, not a dictionary")
def _(task, ps, num_workers):
    tasks = {worker: task.remote(ps, worker) for worker in range(num_workers)}
    return {worker: ray.get(reference) for worker, reference in tasks.items()}


@wrong("run_workers", "gets a generator", words="it raised ValueError")
def _(task, ps, num_workers):
    return ray.get(task.remote(ps, worker) for worker in range(num_workers))


@wrong("run_workers", "never starts one", words="no worker was started")
def _(task, ps, num_workers):
    return [task.remote for worker in range(num_workers)]


@wrong("run_workers", "starts them for ever", words="it goes on and on")
def _(task, ps, num_workers):
    tasks = []
    for worker in itertools.cycle(range(num_workers)):
        tasks.append(task.remote(ps, worker))
    return ray.get(tasks)


@right("run_workers", "in two loops")
def _(task, ps, num_workers):
    tasks = []
    for worker in range(num_workers):
        tasks.append(task.remote(ps, worker))
    results = []
    for reference in tasks:
        results.append(ray.get(reference))
    return results


@right("run_workers", "with ray.wait, put in order")
def _(task, ps, num_workers):
    tasks = {task.remote(ps, worker=w): w for w in range(num_workers)}
    results, waiting = [None] * num_workers, list(tasks)
    while waiting:
        (ready,), waiting = ray.wait(waiting)
        results[tasks[ready]] = ray.get(ready)
    return results


@right("run_workers", "started from the last to the first, as a tuple")
def _(task, ps, num_workers):
    tasks = [task.remote(ps, w) for w in reversed(range(num_workers))]
    return tuple(ray.get(tasks[::-1]))


@right("run_workers", "in threads")
def _(task, ps, num_workers):
    with ThreadPoolExecutor(num_workers) as pool:
        run = pool.map(lambda w: ray.get(task.remote(ps, w)), np.arange(num_workers))
        return list(run)


# Exercise 3: pull_all(servers, keys)


@wrong("pull_all", "forgets return", words="returned nothing")
def _(servers, keys):
    ray.get([server.pull.remote(keys) for server in servers])


@wrong("pull_all", "stays slow", words="call pull.remote on all, then ray.get")
def _(servers, keys):
    pulled = []
    for server in servers:
        pulled.append(ray.get(server.pull.remote(keys)))
    return pulled


@wrong("pull_all", "stays slow in one line", words="call pull.remote on all, then ray")
def _(servers, keys):
    return [ray.get(server.pull.remote(keys)) for server in servers]


@wrong("pull_all", "stays slow as a generator", words="call pull.remote on all, then")
def _(servers, keys):
    references = (server.pull.remote(keys) for server in servers)
    return [ray.get(reference) for reference in references]


@wrong("pull_all", "forgets ray.get", words="these are references")
def _(servers, keys):
    return [server.pull.remote(keys) for server in servers]


@wrong("pull_all", "keeps one reference", words="that is one reference")
def _(servers, keys):
    for server in servers:
        pulled = server.pull.remote(keys)
    return pulled


@wrong("pull_all", "gets the last", words="return one list of weights for each of 3")
def _(servers, keys):
    for server in servers:
        reference = server.pull.remote(keys)
    return ray.get(reference)


@wrong("pull_all", "forgets .remote", words="is called with .remote(…)")
def _(servers, keys):
    return ray.get([server.pull(keys) for server in servers])


@wrong("pull_all", "calls the list", words="it raised AttributeError")
def _(servers, keys):
    return ray.get(servers.pull.remote(keys))


@wrong("pull_all", "joins the lists", words="you joined the lists of the servers")
def _(servers, keys):
    return sum(ray.get([server.pull.remote(keys) for server in servers]), [])


@wrong("pull_all", "sorts by key", words="one list of weights for each of 3 servers")
def _(servers, keys):
    pulled = ray.get([server.pull.remote(keys) for server in servers])
    return list(zip(*pulled, strict=True))


@wrong("pull_all", "takes them as they come", words="not in that of answering")
def _(servers, keys):
    waiting, pulled = [server.pull.remote(keys) for server in servers], []
    while waiting:
        ready, waiting = ray.wait(waiting)
        pulled += ray.get(ready)
    return pulled


@wrong(
    "pull_all", "asks the first only", words="asked were those at the places [0, 0, 0]"
)
def _(servers, keys):
    return ray.get([servers[0].pull.remote(keys) for _ in servers])


@wrong("pull_all", "knows two servers", words="asked were those at the places [0, 1]")
def _(servers, keys):
    return ray.get([servers[0].pull.remote(keys), servers[1].pull.remote(keys)])


@wrong("pull_all", "asks key by key", words="all of the keys, in one call")
def _(servers, keys):
    return ray.get([server.pull.remote([key]) for server in servers for key in keys])


@wrong("pull_all", "gives each server a key", words="all of the keys, in one call")
def _(servers, keys):
    pairs = zip(servers, keys, strict=False)
    return ray.get([server.pull.remote([key]) for server, key in pairs])


@wrong("pull_all", "asks twice", words="each server was asked twice")
def _(servers, keys):
    for server in servers:
        server.pull.remote(keys)
    return ray.get([server.pull.remote(keys) for server in servers])


@wrong("pull_all", "averages", words="as the servers gave them")
def _(servers, keys):
    pulled = ray.get([server.pull.remote(keys) for server in servers])
    return [[sum(part) / 3 for part in zip(*pulled, strict=True)]] * 3


@wrong("pull_all", "returns a dictionary", words="a list, not a dictionary")
def _(servers, keys):
    references = [server.pull.remote(keys) for server in servers]
    return dict(enumerate(ray.get(references)))


@wrong("pull_all", "makes up the weights", words="no server was asked")
def _(servers, keys):
    return [[np.zeros(1) for _ in keys] for _ in servers]


@wrong("pull_all", "asks in a task", words="not in a further task")
def _(servers, keys):
    @ray.remote(num_cpus=0)
    def pull_one(server):
        return ray.get(server.pull.remote(keys))

    return ray.get([pull_one.remote(server) for server in servers])


@wrong("pull_all", "asks for ever", words="it goes on and on")
def _(servers, keys):
    for server in itertools.cycle(servers):
        server.pull.remote(keys)


@right("pull_all", "in two loops")
def _(servers, keys):
    references, pulled = [], []
    for server in servers:
        references.append(server.pull.remote(keys))
    for reference in references:
        pulled.append(ray.get(reference))
    return pulled


@right("pull_all", "with ray.wait for all")
def _(servers, keys):
    references = [server.pull.remote(list(keys)) for server in servers]
    ray.wait(references, num_returns=len(references))
    return [ray.get(reference) for reference in references]


@right("pull_all", "with map, as a tuple")
def _(servers, keys):
    references = list(map(lambda server: server.pull.remote(keys=keys), servers))
    return tuple(map(ray.get, references))


@right("pull_all", "in threads, on copies")
def _(servers, keys):
    def pull_one(server):
        return [weight.copy() for weight in ray.get(server.pull.remote(keys))]

    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(pull_one, servers))


# Exercise 4: measure(ps, key, value, repeats)


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


@wrong("measure", "forgets return", words="returned nothing")
def _(ps, key, value, repeats):
    times_of(ps, key, value, repeats)


@wrong("measure", "times without ray.get", words="wait with ray.get before you stop")
def _(ps, key, value, repeats):
    seconds = {"push": [], "pull": []}
    for _ in range(repeats):
        start = time.perf_counter()
        ps.push.remote([key], [value])
        middle = time.perf_counter()
        ps.pull.remote([key])
        seconds["push"].append(middle - start)
        seconds["pull"].append(time.perf_counter() - middle)
    return {verb: np.median(times) for verb, times in seconds.items()}


@wrong("measure", "waits when the clock has stopped", words="clock leaves the waiting")
def _(ps, key, value, repeats):
    push, pull = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        reference = ps.push.remote([key], [value])
        push.append(time.perf_counter() - start)
        ray.get(reference)
        start = time.perf_counter()
        reference = ps.pull.remote([key])
        pull.append(time.perf_counter() - start)
        ray.get(reference)
    return {"push": np.median(push), "pull": np.median(pull)}


@wrong("measure", "measures its own computing", words="clock leaves the waiting")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats, clock=time.process_time)
    return {verb: np.median(times) for verb, times in seconds.items()}


@wrong("measure", "waits for the pulls only", words="how long the call of push takes")
def _(ps, key, value, repeats):
    push, pull = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        ps.push.remote([key], [value])
        middle = time.perf_counter()
        ray.get(ps.pull.remote([key]))
        push.append(middle - start)
        pull.append(time.perf_counter() - middle)
    return {"push": np.median(push), "pull": np.median(pull)}


@wrong("measure", "returns milliseconds", words="return seconds, not milliseconds")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: 1000 * np.median(times) for verb, times in seconds.items()}


@wrong("measure", "returns the total", words="that is the time of all calls")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: sum(times) for verb, times in seconds.items()}


@wrong("measure", "returns the mean", words="that is the mean; take the median")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: np.mean(times) for verb, times in seconds.items()}


@wrong("measure", "divides the total", words="that is the mean; take the median")
def _(ps, key, value, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        ray.get(ps.push.remote([key], [value]))
    middle = time.perf_counter()
    for _ in range(repeats):
        ray.get(ps.pull.remote([key]))
    end = time.perf_counter()
    return {"push": (middle - start) / repeats, "pull": (end - middle) / repeats}


@wrong("measure", "returns the shortest", words="or the shortest: take the median")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: min(times) for verb, times in seconds.items()}


@wrong("measure", "returns the last", words="that is a single push")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: times[-1] for verb, times in seconds.items()}


@wrong("measure", "returns the longest", words="that is the longest push")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: max(times) for verb, times in seconds.items()}


@wrong("measure", "takes the middle without sorting", words="that is the longest push")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: times[repeats // 2] for verb, times in seconds.items()}


@wrong("measure", "swaps push and pull", words="you swapped push and pull")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {"push": np.median(seconds["pull"]), "pull": np.median(seconds["push"])}


@wrong("measure", "times both together", words="you timed push and pull together")
def _(ps, key, value, repeats):
    both = []
    for _ in range(repeats):
        start = time.perf_counter()
        ray.get(ps.push.remote([key], [value]))
        ray.get(ps.pull.remote([key]))
        both.append(time.perf_counter() - start)
    return {"push": np.median(both), "pull": np.median(both)}


@wrong("measure", "lets the clock run on", words="start the clock anew")
def _(ps, key, value, repeats):
    push, pull = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        ray.get(ps.push.remote([key], [value]))
        push.append(time.perf_counter() - start)
        ray.get(ps.pull.remote([key]))
        pull.append(time.perf_counter() - start)
    return {"push": np.median(push), "pull": np.median(pull)}


@wrong("measure", "subtracts the end", words="your seconds are negative")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: -np.median(times) for verb, times in seconds.items()}


@wrong("measure", "starts all calls at once", words="the one before it was there")
def _(ps, key, value, repeats):
    medians = {}
    for verb, arguments in (("push", ([key], [value])), ("pull", ([key],))):
        start, times = time.perf_counter(), []
        calls = [getattr(ps, verb).remote(*arguments) for _ in range(repeats)]
        for reference in calls:
            ray.get(reference)
            times.append(time.perf_counter() - start)
        medians[verb] = np.median(times)
    return medians


@wrong("measure", "measures once", words="here 5 times, not 1 for push")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, 1)
    return {verb: times[0] for verb, times in seconds.items()}


@wrong("measure", "repeats a fixed number", words="repeat each call `repeats` times")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, 8)
    return {verb: np.median(times) for verb, times in seconds.items()}


@wrong("measure", "measures for ever", words="it goes on and on")
def _(ps, key, value, repeats):
    while True:
        start = time.perf_counter()
        ray.get(ps.pull.remote([key]))
        assert time.perf_counter() > start


@wrong("measure", "returns all times", words="the median of its times")
def _(ps, key, value, repeats):
    return times_of(ps, key, value, repeats)


@wrong(
    "measure", "returns a tuple", words='a dictionary with the keys "push" and "pull"'
)
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return np.median(seconds["push"]), np.median(seconds["pull"])


@wrong("measure", "formats the numbers", words="one number; what came is of type str")
def _(ps, key, value, repeats):
    seconds = times_of(ps, key, value, repeats)
    return {verb: f"{np.median(times):.3f} s" for verb, times in seconds.items()}


@wrong("measure", "pushes the bare key", words="push the key as a list of one")
def _(ps, key, value, repeats):
    ray.get(ps.push.remote(key, [value]))


@wrong("measure", "pushes the bare value", words="push the value as a list of one")
def _(ps, key, value, repeats):
    ray.get(ps.push.remote([key], value))


@wrong("measure", "pushes something else", words="push the value that was given")
def _(ps, key, value, repeats):
    ray.get(ps.push.remote([key], [np.zeros(10)]))


@wrong("measure", "pulls the bare key", words="pull the key as a list of one")
def _(ps, key, value, repeats):
    ray.get(ps.pull.remote(key))


@right("measure", "one verb after the other, sorted")
def _(ps, key, value, repeats):
    push, pull = [], []
    for _ in range(repeats):
        start = time.time()
        ray.get(ps.push.remote([key], [value]))
        push.append(time.time() - start)
    for _ in range(repeats):
        start = time.time()
        ray.get(ps.pull.remote([key]))
        pull.append(time.time() - start)
    return dict(pull=sorted(pull)[repeats // 2], push=sorted(push)[repeats // 2])


@right("measure", "with timeit and statistics")
def _(ps, key, value, repeats):
    def median(call):
        times = timeit.repeat(lambda: ray.get(call()), number=1, repeat=repeats)
        return statistics.median(times)

    return {
        "push": median(lambda: ps.push.remote(keys=[key], values=[value])),
        "pull": median(lambda: ps.pull.remote(keys=[key])),
    }


@right("measure", "after a warm-up, in an array")
def _(ps, key, value, repeats):
    ray.get(ps.push.remote([key], [value]))
    ray.get(ps.pull.remote([key]))
    seconds = np.zeros((repeats, 2))
    for row in seconds:
        for column, call in enumerate((ps.push, ps.pull)):
            arguments = ([key], [value])[: 2 - column]
            start = time.monotonic_ns()
            ray.wait([call.remote(*arguments)])
            row[column] = (time.monotonic_ns() - start) / 1e9
    return dict(zip(("push", "pull"), np.median(seconds, axis=0), strict=True))


# The tests themselves.


JUNK = [None, 1.5, "text", [], {}, ["a", "b"], [None] * 3, object(), len, iter([])]
JUNK += [{"push": None, "pull": "x"}, {"push": float("nan"), "pull": float("inf")}]


TestAnswers = pytest.mark.usefixtures("processes")(answers.tests(JUNK))


def call_everything(exercise, value):
    """Return an answer that makes the calls it should, and returns something else."""

    def train_worker(ps, keys, compute_update, num_steps):
        for _ in range(num_steps):
            weights = ray.get(ps.pull.remote(keys))
            ray.get(ps.push.remote(keys, compute_update(weights)))
        return value

    def run_workers(task, ps, num_workers):
        [task.remote(ps, worker) for worker in range(num_workers)]
        return value

    def pull_all(servers, keys):
        [server.pull.remote(keys) for server in servers]
        return value

    def measure(ps, key, value_to_push, repeats):
        for _ in range(repeats):
            ray.get(ps.pull.remote([key]))
            ps.push.remote([key], [value_to_push])
        return value

    return locals()[exercise]


@pytest.mark.parametrize("value", JUNK[1::2])
@answers.every_exercise()
def test_whatever_comes_after_the_right_calls_is_explained(processes, exercise, value):
    assert "raised" not in reason(call_everything(exercise, value))


@pytest.mark.parametrize("interruptible", [True, False], ids=["ray.wait", "computing"])
def test_an_answer_that_waits_for_ever_is_interrupted(
    processes, interruptible, monkeypatch
):
    limit = engine.time_limit
    monkeypatch.setattr(engine, "time_limit", lambda seconds: limit(1.5))

    def run_workers(task, ps, num_workers):
        tasks = [task.remote(ps, worker) for worker in range(num_workers)]
        while tasks:  # nothing is ever taken off the list
            if interruptible:
                ray.wait(tasks, num_returns=len(tasks))

    assert_refused(run_workers, "it loops for ever")


def test_an_answer_that_waits_for_a_long_task_is_interrupted(processes, monkeypatch):
    limit = engine.time_limit
    monkeypatch.setattr(engine, "time_limit", lambda seconds: limit(1.5))

    def pull_all(servers, keys):
        return ray.get(take_time.remote(None, 6)[0])

    assert_refused(pull_all, "it loops for ever")


def test_an_endless_answer_does_not_block_the_next_one(processes):
    def run_workers(task, ps, num_workers):
        while True:  # more tasks than there are places
            task.remote(ps, 2)

    assert_refused(run_workers, "it goes on and on")
    assert verdict(answer_of_the_teacher("run_workers")) == "passed"


def test_a_decorated_answer_is_explained(processes):
    @ray.remote
    def train_worker(ps, keys, compute_update, num_steps):
        pass

    assert_refused(train_worker, "leave @ray.remote out")


def test_without_ray_the_reader_is_told_to_start_it(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    answer = renamed(lambda ps, key, value, repeats: None, "measure")
    assert_refused(answer, "start Ray first")
