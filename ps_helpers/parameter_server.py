"""Train a small classifier with a parameter server on Ray.

    python -m ps_helpers.parameter_server --num-workers=4

The server is an actor that holds the weights. Every worker task receives the
server's handle and repeats three steps: pull the weights, compute an update
from a batch of its own shard of the data, push the update. By default nobody
waits for anybody else: training is asynchronous; --consistency chooses another
rule.
With --fast, weights and updates lie in memory that all processes share.
Notebooks 01 to 06 build this program.
"""

import signal
import sys
import time

import numpy as np
import ray

from ps_helpers import rules
from ps_helpers.command_line import parse
from ps_helpers.lab import data, model, session
from ps_helpers.recorded import recorded
from ps_helpers.training import Run, TrainingError, train


def require_known(weights, keys):
    """Raise KeyError unless there is a weight for every key."""
    for key in keys:
        if key not in weights:
            raise KeyError(f"no weight is called {key!r}; the keys are {list(weights)}")


def require_fit(weights, keys, values):
    """Raise KeyError or ValueError unless each value fits its weight."""
    require_known(weights, keys)
    if len(keys) != len(values):
        raise ValueError(f"{len(keys)} keys came with {len(values)} values")
    for key, value in zip(keys, values, strict=True):
        weight = weights[key]
        same_kind = np.can_cast(value.dtype, weight.dtype, "same_kind")
        if value.shape != weight.shape or not same_kind:
            raise ValueError(
                f"{key} is {weight.dtype} of shape {weight.shape}; cannot add "
                f"{value.dtype} of shape {value.shape}"
            )


@ray.remote(num_cpus=0)
class ParameterServer:
    """Hold weights by key: pushes add to them, pulls read them."""

    def __init__(self, keys, values):
        self.weights = dict(zip(keys, map(np.array, values), strict=True))
        self.version = 0  # how many pushes have been applied

    @recorded
    def push(self, keys, values):
        """Add each value to its weight, all or none; return the version."""
        values = [np.asarray(value) for value in values]
        require_fit(self.weights, keys, values)
        for key, value in zip(keys, values, strict=True):
            self.weights[key] += value
        self.version += 1
        return self.version

    @recorded
    def pull(self, keys):
        """Return copies of the weights of these keys, in the order asked."""
        require_known(self.weights, keys)
        return [self.weights[key].copy() for key in keys]

    def pull_with_version(self, keys):
        """Return the version and the weights, read in one call."""
        return self.version, self.pull(keys)

    def recorded_calls(self):  # for the timeline
        return list(self.calls)


@ray.remote(max_retries=0)  # a retried task would push its updates twice
def worker_task(ps, worker, shard, steps, batch_size, lr, model_name, engine, seed=0):
    """Pull, compute and push, once a step; return a record of each step."""
    classifier = model.load(model_name, engine, pixels=shard[0].shape[1])
    keys, records = classifier.keys, []
    for step in steps:
        times = [time.time()]
        version, weights = ray.get(ps.pull_with_version.remote(keys))
        times.append(time.time())
        x, y = data.draw_batch(shard, batch_size, [seed, worker, step])
        update = [-lr * part for part in classifier.gradient(weights, x, y)]
        times.append(time.time())
        new_version = ray.get(ps.push.remote(keys, update))
        times.append(time.time())
        staleness = new_version - 1 - version  # pushes by others in between
        records.append({"worker": worker, "staleness": staleness, "times": times})
    return records


def plot(run, consistency, path):
    """Write learning curves, and a stretch of the middle of training, to a file."""
    from ps_helpers.lab import plots

    meaning = rules.NAMES[consistency]
    plots.report(run.points, run.log, run.calls, meaning).savefig(path)


def main(arguments=None):
    """Run the command line; return its exit status."""
    options = parse(__doc__, arguments)
    run, status = Run(), 0
    try:
        train(options, run)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the clean-up comes first
        print("\nInterrupted. What was reached:", file=sys.stderr)
        status = 130
    except TrainingError as error:
        print(f"parameter_server: {error}", file=sys.stderr)
        status = 1
    except (session.SessionError, data.MissingDataError, ValueError) as error:
        print(f"parameter_server: {error}", file=sys.stderr)
        return 2
    finally:
        session.stop()
    print(run.table())
    if options.plot and run.points:
        plot(run, options.consistency, options.plot)
    return status


if __name__ == "__main__":
    sys.exit(main())
