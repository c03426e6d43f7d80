"""TensorFlow for these notebooks: silent, single-threaded and without Keras.

TensorFlow writes to the process's standard error while it is being imported, before
any setting of its own can stop it. It also imports Keras, which nothing here uses:
leaving Keras out saves 100 MB and 3 of 8 s in each process.
"""

import contextlib
import os

from ps_helpers.lab.machine import environment, silent_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The legacy Keras is not installed, so TensorFlow imports no Keras at all; the setting
# is taken back at once, so that tf.keras still loads when it is asked for.
with environment({"TF_USE_LEGACY_KERAS": "1"}), silent_stderr():
    import tensorflow as tf

with contextlib.suppress(RuntimeError):  # it is in use already
    # One thread a process: workers share the cores, and what one process does is
    # then a fair measure for what several do.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.set_visible_devices([], "GPU")
