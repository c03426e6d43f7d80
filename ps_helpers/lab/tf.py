"""TensorFlow for these notebooks: silent, single-threaded and without Keras.

TensorFlow writes log lines to the process's standard error while it is being
imported, before any setting of its own can stop it. It also imports Keras, which
nothing here uses: leaving Keras out saves 100 MB and 3 of 8 s in each process.
"""

import contextlib
import os


@contextlib.contextmanager
def silent_stderr():
    """Send what native code writes to standard error to nowhere."""
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _import_tensorflow():
    """Import TensorFlow with one thread and no accelerator, and return it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keras_choice = os.environ.get("TF_USE_LEGACY_KERAS")
    # The legacy Keras is not installed, so TensorFlow imports no Keras at all; the
    # setting is taken back at once, so that tf.keras still loads when it is asked for.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    try:
        with silent_stderr():
            import tensorflow
    finally:
        del os.environ["TF_USE_LEGACY_KERAS"]
        if keras_choice is not None:
            os.environ["TF_USE_LEGACY_KERAS"] = keras_choice
    if hasattr(tensorflow, "config"):
        try:
            # One thread a process: workers share the cores, and what one process
            # does is then a fair measure for what several do.
            tensorflow.config.threading.set_intra_op_parallelism_threads(1)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
            tensorflow.config.set_visible_devices([], "GPU")
        except RuntimeError:
            pass  # somebody used TensorFlow before: its threads are fixed already
    return tensorflow


tf = _import_tensorflow()
