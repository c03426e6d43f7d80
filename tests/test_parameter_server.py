"""Tests of the server, first as a plain class, then as an actor with its workers."""

import numpy as np
import pytest
import ray
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ps_helpers import records
from ps_helpers.lab import data, model, numpy_engine
from ps_helpers.parameter_server import ParameterServer, worker_task
from ps_helpers.settings import Settings
from ps_helpers.store import ParameterServer as PlainServer

# Whole numbers add up exactly in any of these, in whichever order.
DTYPES = (np.float32, np.float64, np.int64)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
KEYS = st.lists(st.text(max_size=5) | st.integers(), unique=True, max_size=5)


def whole_numbers(shape, dtype):
    return hnp.arrays(dtype, shape, elements=st.integers(-1000, 1000).map(dtype))


@st.composite
def servers(draw, min_keys=0):
    """Draw the keys and initial values of a server."""
    keys = draw(KEYS.filter(lambda keys: len(keys) >= min_keys))
    dtypes = [draw(st.sampled_from(DTYPES)) for _ in keys]
    return keys, [draw(whole_numbers(draw(SHAPES), dtype)) for dtype in dtypes]


@st.composite
def pushes(draw, keys, values, min_size=0):
    """Draw a push that fits: some keys, in any order, also twice, with arrays."""
    if not keys:
        return [], []
    indices = draw(st.lists(st.integers(0, len(keys) - 1), min_size=min_size))
    updates = []
    for i in indices:
        float_is_fine = values[i].dtype != np.int64
        dtype = draw(st.sampled_from(DTYPES if float_is_fine else (np.int64,)))
        updates.append(draw(whole_numbers(values[i].shape, dtype)))
    return [keys[i] for i in indices], updates


SPOILERS = [  # of a key and its update make keys and updates that do not fit
    lambda key, update: (["no such key"], [update]),
    lambda key, update: ([key], []),
    lambda key, update: ([key], [update[np.newaxis]]),  # it could be broadcast
    lambda key, update: ([key], [update.dtype.type(1) if update.ndim else np.ones(1)]),
    lambda key, update: ([key], [update * (1 + 0j)]),
]


def assert_same(arrays, expected):
    for array, expected_array in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, expected_array, strict=True)


# The plain class


@given(st.data())
def test_weights_are_the_sums_of_whatever_was_pushed(draws):
    keys, values = draws.draw(servers())
    server = PlainServer(keys, values)
    sums = {key: value.astype(object) for key, value in zip(keys, values, strict=True)}
    steps = draws.draw(st.lists(pushes(keys, values), max_size=5))
    for step, (pushed, updates) in enumerate(steps):
        for key, update in zip(pushed, updates, strict=True):
            sums[key] = sums[key] + update.astype(object)
        assert server.push(pushed, updates) == step + 1
    expected = [np.array(sums[k], v.dtype) for k, v in zip(keys, values, strict=True)]
    order = draws.draw(st.permutations(range(len(keys))))
    version, weights = server.pull_with_version([keys[i] for i in order])
    assert version == len(steps)
    assert_same(weights, [expected[i] for i in order])


@given(st.data())
def test_a_refused_push_changes_nothing(draws):
    keys, values = draws.draw(servers(min_keys=1))
    server = PlainServer(keys, values)
    pushed, updates = draws.draw(pushes(keys, values, min_size=1))
    spoil = draws.draw(st.sampled_from(SPOILERS))
    i = draws.draw(st.integers(0, len(pushed) - 1))
    pushed[i : i + 1], updates[i : i + 1] = spoil(pushed[i], updates[i])
    with pytest.raises((KeyError, ValueError)):
        server.push(pushed, updates)
    version, weights = server.pull_with_version(keys)
    assert version == 0
    assert_same(weights, values)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("f4", 1e300), ("f2", np.float32(1e5)), ("i1", 128), ("i8", np.uint64(2**63))],
)
def test_a_value_that_overflows_the_weight_is_refused(dtype, value):
    server = PlainServer(["a", "b"], [np.ones(2, dtype), np.ones(2, dtype)])
    with pytest.raises(ValueError, match=f"b is {np.dtype(dtype)}: too small"):
        server.push(["a", "b"], [np.ones(2, dtype), np.full(2, value)])
    assert_same(server.pull(["a", "b"]), [np.ones(2, dtype)] * 2)
    assert server.push(["a"], [np.full(2, 100, np.float64 if dtype[0] == "f" else int)])


def test_nan_and_infinity_are_added_as_numbers():
    server = PlainServer(["a"], [np.ones(2, np.float32)])
    server.push(["a"], [np.array([np.nan, np.inf])])
    assert_same(server.pull(["a"]), [np.array([np.nan, np.inf], np.float32)])


def test_refusals_say_what_does_not_fit():
    server = PlainServer(["W", "b"], [np.zeros((2, 3)), np.zeros(3, int)])
    with pytest.raises(KeyError, match=r"'w'.*\['W', 'b'\]"):
        server.push(["w"], [np.zeros((2, 3))])
    with pytest.raises(ValueError, match="b is int64.*cannot add float64"):
        server.push(["b"], [np.full(3, 0.5)])
    with pytest.raises(ValueError, match="1 keys came with 2 values"):
        server.push(["b"], [np.zeros(3), np.zeros(3)])
    with pytest.raises(ValueError, match=r"W .*\(2, 3\).*\(3,\)"):
        server.push(["b", "W"], [np.zeros(3, int), np.zeros(3)])
    with pytest.raises(KeyError, match="'w'"):
        server.pull(["b", "w"])
    with pytest.raises(ValueError, match="argument 2 is longer"):
        PlainServer(["W"], [np.zeros(1), np.zeros(1)])
    with pytest.raises(ValueError, match="twice.*'W', 'b', 'W'"):
        PlainServer(["W", "b", "W"], [np.zeros(1)] * 3)
    for call in (lambda: PlainServer("Wb", [0, 0]), lambda: server.pull("W")):
        with pytest.raises(TypeError, match="a list: write"):
            call()


@given(servers(min_keys=1))
def test_nobody_outside_holds_the_servers_arrays(drawn):
    keys, values = drawn
    originals = [value.copy() for value in values]
    server = PlainServer(keys, values)
    updates = [value.copy() for value in values]
    server.push(keys, updates)
    pulled = server.pull(keys + keys)
    for array in (*values, *updates, *pulled[: len(keys)]):
        array[...] = 7777
    doubled = [2 * original for original in originals]
    assert_same(pulled[len(keys) :], doubled)
    assert_same(server.pull(keys), doubled)


def test_lists_may_be_pushed():
    server = PlainServer(["a"], [np.ones(2, np.float32)])
    server.push(["a"], [[1, 2]])
    assert_same(server.pull(["a"]), [np.array([2, 3], np.float32)])


def test_the_newest_calls_are_recorded_in_order_refused_ones_too(monkeypatch):
    monkeypatch.setattr(records, "CALLS_KEPT", 3)
    server = PlainServer(["a"], [np.zeros(1)])
    server.pull(["a"])  # a long run forgets its oldest calls
    server.push(["a"], [np.ones(1)])
    server.pull_with_version(["a"])
    with pytest.raises(KeyError):
        server.pull(["b"])
    names, starts, ends = zip(*server.recorded_calls(), strict=True)
    assert names == ("push", "pull", "pull")
    moments = [moment for pair in zip(starts, ends, strict=True) for moment in pair]
    assert moments == sorted(moments)


# The actor and its workers

SEED, LR, BATCH, STEPS = 5, 0.1, 8, 8
SOFTMAX = model.load("softmax", "numpy")
SETTINGS = Settings(
    model="softmax", engine="numpy", batch_size=BATCH, learning_rate=LR, seed=SEED
)


def get(reference):
    return ray.get(reference, timeout=60)  # Ray itself would wait for ever


@pytest.fixture(scope="module")
def shards(digits):
    return data.shards(*digits[:2], 4)


@pytest.fixture(scope="module")
def watched_run(running_ray, shards):
    """Train with four workers on a server that keeps every version and update.

    Each takes its steps in two tasks: the second goes on where the first has ended.
    """

    class WatchedServer(PlainServer):
        history = []  # the weights before each update, and the update

        def push(self, keys, values):
            self.history.append((self.pull(keys), values))
            return super().push(keys, values)

    actor = ray.remote(num_cpus=0)(WatchedServer)
    ps, logs = actor.remote(SOFTMAX.keys, SOFTMAX.initial_weights()), [[], [], [], []]
    for steps in (range(3), range(3, STEPS)):
        tasks = [
            worker_task.remote(ps, worker, shard, SETTINGS, steps)
            for worker, shard in enumerate(shards)
        ]
        logs = [log + more for log, more in zip(logs, get(tasks), strict=True)]
    version, weights = get(ps.pull_with_version.remote(SOFTMAX.keys))
    history = get(ps.__ray_call__.remote(lambda server: server.history))
    return logs, version, weights, history


def test_concurrent_pushes_and_pulls_lose_nothing(running_ray):
    @ray.remote
    def push_ones(ps, times):
        versions, seen = [], []
        for _ in range(times):
            versions.append(ray.get(ps.push.remote(["n"], [np.ones(50, int)])))
            version, [weight] = ray.get(ps.pull_with_version.remote(["n"]))
            seen.append((version, set(weight.tolist())))
        return versions, seen

    ps = ParameterServer.remote(["n"], [np.zeros(50, int)])
    results = get([push_ones.remote(ps, 40) for _ in range(4)])
    assert sorted(sum((versions for versions, _ in results), [])) == [*range(1, 161)]
    for _, seen in results:  # a pull sees a push as a whole, and its version with it
        assert all(values == {version} for version, values in seen)
    assert_same(get(ps.pull.remote(["n"])), [np.full(50, 160)])


def test_every_step_of_every_worker_is_one_update(watched_run):
    logs, version, weights, history = watched_run
    assert version == len(history) == 4 * STEPS
    for worker, log in enumerate(logs):
        steps = [(push.worker, push.step) for push in log]
        assert steps == [(worker, step) for step in range(STEPS)]
        times = [moment for push in log for moment in push.times]
        assert times == sorted(times)
        assert all(push.times.computed <= push.arrived for push in log)
    sums = SOFTMAX.initial_weights()
    for _, update in history:
        sums = [total + part for total, part in zip(sums, update, strict=True)]
    for weight, total in zip(weights, sums, strict=True):
        np.testing.assert_array_equal(weight, total)


def test_staleness_counts_the_updates_that_came_in_between(watched_run, shards):
    """Find out from which version each update was computed by computing it again."""
    logs, _, _, history = watched_run
    next_step, recounted = [0] * 4, [[] for _ in range(4)]
    for version, (_, update) in enumerate(history):
        origins = []
        for worker in range(4):
            step = next_step[worker]
            if step < STEPS:
                batch = data.draw_batch(shards[worker], BATCH, [SEED, worker, step])
                for old in range(version + 1):
                    gradient = numpy_engine.gradient(history[old][0], *batch)
                    if np.allclose(update[0], -LR * gradient[0], rtol=0, atol=1e-9):
                        origins.append((worker, version - old))
        [(worker, staleness)] = origins
        next_step[worker] += 1
        recounted[worker].append(staleness)
    assert recounted == [[push.staleness for push in log] for log in logs]
