"""The models in TensorFlow: logits as functions of weights, gradients by tape."""

import math

import numpy as np

from ps_helpers.lab.tf import tf


def softmax(weights, x):
    """Return the logits of softmax regression; weights W (pixels, classes), b."""
    W, b = weights
    return x @ W + b


def mlp(weights, x):
    """Return the logits of a network with one hidden layer; weights W1, b1, W2, b2."""
    W1, b1, W2, b2 = weights
    return tf.nn.relu(x @ W1 + b1) @ W2 + b2


def cnn(weights, x):
    """Return the logits of one 3×3 convolution, 2×2 pooling and a dense layer."""
    filters, bias, W, b = weights
    side = math.isqrt(x.shape[1])
    images = tf.reshape(x, (-1, side, side, 1))
    features = tf.nn.relu(tf.nn.conv2d(images, filters, 1, "SAME") + bias)
    pooled = tf.nn.max_pool2d(features, 2, 2, "VALID")
    return tf.reshape(pooled, (-1, W.shape[0])) @ W + b


LOGITS = {"softmax": softmax, "mlp": mlp, "cnn": cnn}


def borrow(array):
    """Return a tensor in the memory of a writable array, without a copy.

    Raises ValueError where that does not begin at a multiple of 64 bytes: TensorFlow's
    vector instructions might fail.
    """
    if array.ctypes.data % 64:
        raise ValueError("an array that TensorFlow borrows begins at 64 bytes")
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def functions(name, shapes, pixels):
    """Return what `Model` tells of, compiled once for any number of rows."""
    logits = LOGITS[name]
    signature = (
        [tf.TensorSpec(shape, tf.float32) for shape in shapes],
        tf.TensorSpec((None, pixels), tf.float32),
        tf.TensorSpec((None,), tf.int32),
    )
    compiled = tf.function(input_signature=signature, autograph=False)

    @compiled
    def loss(weights, x, y):
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
        return tf.reduce_mean(cross_entropy(y, logits(weights, x)))

    @compiled
    def accuracy(weights, x, y):
        hits = tf.argmax(logits(weights, x), axis=1, output_type=tf.int32) == y
        return tf.reduce_mean(tf.cast(hits, tf.float32))

    @compiled
    def tensors(weights, x, y):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = loss.python_function(weights, x, y)
        return tape.gradient(value, weights)

    def gradient(weights, x, y):
        return [part.numpy() for part in tensors(weights, x, y)]

    # As an operation: to call the function itself takes longer than a small gradient.
    call = {"Tout": [tf.float32] * len(shapes), "f": tensors.get_concrete_function()}

    def as_tensor(weight):  # to convert what is one would take 20 µs
        known = isinstance(weight, tf.Tensor)
        return weight if known else tf.convert_to_tensor(weight, tf.float32)

    def raw_gradient(weights, x, y):
        args = [*map(as_tensor, weights), x, y]
        return tf.raw_ops.PartitionedCall(args=args, **call)

    # Run once now: the first step would take a hundred times as long.
    zeros = [np.zeros(shape, np.float32) for shape in shapes]
    for run in (gradient, raw_gradient):
        run(zeros, np.zeros((1, pixels), np.float32), np.zeros(1, np.int32))
    raw_gradient.compiled = tensors  # for graphs of TensorFlow's own
    scalars = (lambda *batch, f=f: float(f(*batch)) for f in (loss, accuracy))
    return gradient, *scalars, raw_gradient, borrow
