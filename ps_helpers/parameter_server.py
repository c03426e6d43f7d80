"""Train a small classifier with a parameter server on Ray.

    python -m ps_helpers.parameter_server --num-workers=4

The server is an actor that holds the weights. Every worker task receives its
handle and repeats three steps: pull the weights, compute an update from a batch
of its own shard of the data, push the update. By default nobody waits for
anybody else: training is asynchronous; --consistency chooses another rule.
With --fast, weights and updates lie in memory that all processes share.
Notebooks 01 to 07 build this program.

Exit status: 0 when the target or the number of updates is reached; 1 when
training fails or gives up; 2 when options or the machine do not allow it;
130 after Ctrl-C, 143 after SIGTERM. Where it did not succeed, table and files
tell what was reached by then.
"""

import inspect
import json
import math
import pydoc
import signal
import sys
from functools import partial

from ps_helpers.lab import ending

if __name__ == "__main__":  # what follows takes seconds
    ending.answer(ending.leave_at_once, ending.leave_at_once)
    sys.modules["rfc3987_syntax"] = None  # lab/lean tells what it would take

import ray

from ps_helpers import store
from ps_helpers.endpoint import connect
from ps_helpers.lab import data, model, session
from ps_helpers.lab.events import Events
from ps_helpers.settings import Settings
from ps_helpers.team import Team, TrainingError
from ps_helpers.training import Run, follow, saved_states, start_ray, tell
from ps_helpers.worker import Learner, work


def about(plain):
    """Return what help() and signature() show; Ray would show its own instead."""
    text, _, _ = pydoc.plaintext.document(plain).partition(" |  ----")
    return text, inspect.signature(plain)


found = about(store.ParameterServer)
ParameterServer = ray.remote(num_cpus=0)(store.ParameterServer)  # as a decorator does
ParameterServer.__doc__, ParameterServer.__signature__ = found


@ray.remote(max_retries=0)  # a retried task would begin with other weights
def worker_task(ps, worker, shard, settings, steps=()):
    """Train against a server until it, or the last step, ends it; return the log."""
    pixels = shard[0].shape[1]
    classifier = model.load(settings.model, settings.engine, pixels, settings.hidden)
    draw = partial(data.draw_batch, shard, settings.batch_size)
    learner = Learner(classifier, draw, settings, worker)
    shapes = dict(zip(classifier.keys, classifier.shapes, strict=True))
    return work(connect(ps, worker, shapes, classifier.borrow, steps), learner)


worker_task.__doc__, worker_task.__signature__ = about(worker_task._function)


def train(settings, run):
    """Train until the target accuracy or the number of updates is reached.

    Fills the run as it goes, so that an interrupted run keeps what it reached.
    Raises TrainingError when training cannot go on.
    """
    saved = saved_states(settings)
    if settings.plot:
        from ps_helpers.lab import plots

        plots.require_picture(settings.plot)
    if settings.log_dir:
        run.events = Events(settings.log_dir, tell)
    dataset = data.load(settings.data, settings.seed)
    shards = data.shards(*dataset[:2], settings.team, settings.seed)
    if settings.batch_size > (size := len(shards[0][0])):
        reason = f"{settings.batch_size} is more than a worker has: {size} images"
        raise ValueError(f"--batch-size: {reason}")
    # The driver only evaluates: NumPy will do, unless there is a convolution.
    engine = "tensorflow" if settings.model == "cnn" else "numpy"
    pixels = dataset.train_x.shape[1]
    classifier = model.load(settings.model, engine, pixels, settings.hidden)
    initial = classifier.initial_weights(settings.seed)
    weights = dict(zip(classifier.keys, initial, strict=True))
    start_ray(settings, weights, shards)
    ending.let_raise()
    team = Team(settings, weights, shards, worker_task, saved=saved, tell=tell)
    guess = math.log(dataset.train_y.max() + 1)  # as likely for each class
    follow(team, run, classifier, dataset[2:], guess)


def draw_comparison(paths, picture):
    """Draw the learning curves of runs that --json has kept; refuse other files."""
    from ps_helpers.lab import plots

    try:
        records = {path.stem: json.loads(path.read_text()) for path in paths}
        plots.comparison(records).savefig(picture)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"--compare: these are not files of --json: {error}"
        ) from error


def main(arguments=None):
    """Run the command line; return its exit status."""
    settings, said, status = Settings.parse(__doc__, arguments), [], 0
    run = Run(settings)
    with ending.answers_kept():
        try:
            if settings.compare:
                draw_comparison(settings.compare, settings.plot)
                return 0
            train(settings, run)
        except (KeyboardInterrupt, SystemExit) as told:
            print(ending.TOLD, file=sys.stderr)
            status = 130 if isinstance(told, KeyboardInterrupt) else 143
        except TrainingError as error:
            said, status = [error], 1
        except UnicodeEncodeError:  # a kind of ValueError
            said, status = ["a name has letters beyond UTF-8: set PYTHONUTF8=1"], 2
        except (session.SessionError, data.MissingDataError, ValueError) as error:
            said, status = [error], 2
        finally:
            ending.answer(signal.SIG_IGN, signal.SIG_IGN)  # the clean-up comes first
            session.stop()
            if not settings.compare and (run.points or status != 2):
                print(run.table())
        if run.points or status != 2:
            lost = run.keep()
            said, status = [*said, *lost], status or int(bool(lost))
        for reason in said:
            print(f"parameter_server: {reason}", file=sys.stderr)
    return status


if __name__ == "__main__":
    ending.run(main)
