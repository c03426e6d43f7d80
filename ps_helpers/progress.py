"""Wait for training on Ray, and show how far it has come."""

import ray

from ps_helpers.lab import plots
from ps_helpers.rules import duration


def watch(ps, tasks, look=None, seconds=1):
    """Wait for the workers of a `WaitingServer`; return the weights and the log.

    About every so many seconds, and at the end, ``look(weights, log)`` is called.
    When a worker fails or the reader interrupts, the server is ended, and with it
    its workers: they give their places back.
    """
    log = []
    try:
        while tasks:
            done, tasks = ray.wait(tasks, num_returns=len(tasks), timeout=seconds)
            ray.get(done)
            _, weights, records = ray.get(ps.report.remote(len(log)))
            log += records
            if look and log:
                look(weights, log)
    except BaseException:
        ray.kill(ps)
        raise
    return weights, log


class GrowingCurves:
    """Test losses of several runs in one figure, which grows while they train."""

    def __init__(self, classifier, weights, test, caption):
        self.classifier, self.test, self.caption = classifier, test, caption
        loss = classifier.loss(weights, *test)
        self.start = {"gradients": 0, "seconds": 0, "loss": loss}
        self.runs = {}  # label -> its points
        self.handle = None  # of the figure, once it is displayed

    def look(self, label):
        """Return what `watch` is to call for the run with this label."""
        self.runs[label] = [self.start]

        def add_point(weights, log):
            point = {
                "gradients": len(log),
                "seconds": duration(log),
                "loss": self.classifier.loss(weights, *self.test),
            }
            self.runs[label].append(point)
            fig = plots.two_axes(self.runs, ("per gradient", "per second"))
            self.handle = plots.replace(self.handle, fig, self.caption)

        return add_point
