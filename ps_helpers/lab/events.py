"""Write what TensorBoard reads, while training runs."""


class Events:
    """Numbers by name and update in a folder, for TensorBoard to draw.

    Where one cannot be written any more, ``tell`` gets a sentence, and no more are.
    Raises ValueError where the package is missing or the folder cannot be written to.
    """

    def __init__(self, folder, tell):
        try:
            from tensorboard.summary import Writer  # an extra: half a second
        except ImportError:
            reason = "pip install tensorboard brings what writes it"
            raise ValueError(f"--log-dir: {reason}") from None
        try:
            self.writer, self.tell = Writer(str(folder)), tell
        except OSError as error:
            reason = f"{folder} cannot be written to: {error.strerror}"
            raise ValueError(f"--log-dir: {reason}") from error

    def add(self, update, numbers):
        """Add numbers by name, as they are after so many updates."""
        if self.writer is None:
            return
        try:
            for name, number in numbers.items():
                self.writer.add_scalar(name, number, step=update)
            self.writer.flush()
        except OSError as error:  # training goes on
            self.writer = None
            self.tell(f"--log-dir: nothing is written from now on: {error.strerror}")


def rates(pushes, local_steps, num_bytes):
    """Return what the pushes since the last point say of a team, by name.

    ``num_bytes`` is the size of an update. A worker's time is that of its step, from
    asking for weights to having the update.
    """
    seconds = pushes[-1].arrived - min(push.times.asked for push in pushes)
    waiting = sum(push.times.began - push.times.asked for push in pushes)
    whole = sum(push.times.computed - push.times.asked for push in pushes)
    return {
        "gradients per second": len(pushes) * local_steps / seconds,
        "pushed megabytes per second": len(pushes) * num_bytes / 1e6 / seconds,
        "mean staleness": sum(push.staleness for push in pushes) / len(pushes),
        "share of waiting": waiting / whole,
        "workers": len({push.worker for push in pushes}),
    }
