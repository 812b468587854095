"""Functions that equations name and TensorFlow has not, or has otherwise; with what the way back reads of them."""

import tensorflow as tf


def layer_norm_parts(x, axes, epsilon):
    """Layer normalisation over the last `axes` axes, without scale and shift; and 1 / the standard deviation.

    In float32 where x is narrower; the second stays so.
    """
    wide = tf.cast(x, tf.float32) if x.dtype.size < 4 else x
    over = list(range(-axes, 0))
    centred = wide - tf.reduce_mean(wide, over, keepdims=True)
    rstd = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), over, keepdims=True) + epsilon)
    return tf.cast(centred * rstd, x.dtype), rstd


def layer_norm(x, axes: int, epsilon):
    """The same, alone."""
    return layer_norm_parts(x, axes, epsilon)[0]


def layer_norm_back(d, hat, rstd, axes):
    """Through a layer norm: d without its mean and without what lies along `hat`, by 1 / the standard deviation."""
    over = list(range(-axes, 0))
    wide, along = tf.cast(d, rstd.dtype), tf.cast(hat, rstd.dtype)
    mean = tf.reduce_mean(wide, over, keepdims=True)
    share = tf.reduce_mean(wide * along, over, keepdims=True)
    return tf.cast((wide - mean - along * share) * rstd, d.dtype)


def rms_norm_parts(x, axes, epsilon):
    """RMS normalisation over the last `axes` axes, without scale and shift; and 1 / the root of the mean square.

    In float32 where x is narrower; the second stays so.
    """
    wide = tf.cast(x, tf.float32) if x.dtype.size < 4 else x
    rrms = tf.math.rsqrt(tf.reduce_mean(tf.square(wide), list(range(-axes, 0)), keepdims=True) + epsilon)
    return tf.cast(wide * rrms, x.dtype), rrms


def rms_norm(x, axes: int, epsilon):
    """The same, alone."""
    return rms_norm_parts(x, axes, epsilon)[0]


def rms_norm_back(d, hat, rrms, axes):
    """Through an RMS norm: d without what lies along `hat`, by 1 / the root of the mean square."""
    wide, along = tf.cast(d, rrms.dtype), tf.cast(hat, rrms.dtype)
    share = tf.reduce_mean(wide * along, list(range(-axes, 0)), keepdims=True)
    return tf.cast((wide - along * share) * rrms, d.dtype)


def softmax_back(d, y, axis):
    """Through a softmax: d without its mean as y weighs it, by y."""
    return y * (d - tf.reduce_sum(d * y, axis, keepdims=True))


def dilated(kernel, dilation):
    """A kernel with zeros between its taps: TensorFlow's own dilation has no derivative in every type."""
    for axis in range(len(kernel.shape) - 2):
        apart = tf.stack([kernel, *[tf.zeros_like(kernel)] * (dilation - 1)], axis + 1)
        whole = [*kernel.shape[:axis], -1, *kernel.shape[axis + 1 :]]
        kernel = tf.gather(tf.reshape(apart, whole), range((kernel.shape[axis] - 1) * dilation + 1), axis=axis)
    return kernel


def conv_back(d, kernel, strides=1):
    """Through a convolution with zeros around: what reaches its value, whose sizes are multiples of the stride."""
    shape = [tf.shape(d)[0], *(strides * size for size in d.shape[1:-1]), kernel.shape[-2]]
    layout = ("NWC", "NHWC", "NDHWC")[len(d.shape) - 3]  # or eager TensorFlow has no derivative of it
    return tf.nn.conv_transpose(d, kernel, tf.stack(shape), strides, "SAME", layout)


def conv_kernel_back(d, x, kernel, strides=1):
    """Through a convolution with zeros around: what reaches its kernel, of all samples of x."""
    axes, flat = len(x.shape) - 2, [1] * (len(x.shape) == 3)
    if flat:  # TensorFlow has one for two axes and one for three
        d, x = tf.expand_dims(d, 1), tf.expand_dims(x, 1)
    how = {"strides": [1, *flat, *[strides] * axes, 1], "padding": "SAME"}
    if axes == 3:
        back, layout = tf.raw_ops.Conv3DBackpropFilterV2, "NDHWC"
    else:
        back, layout = tf.raw_ops.Conv2DBackpropFilter, "NHWC"
    found = back(input=x, filter_sizes=[*flat, *kernel.shape], out_backprop=d, data_format=layout, **how)
    return tf.reshape(found, kernel.shape)


def shift(x, by, axis):
    """x moved by so many places along an axis; zeros come in."""
    size = x.shape[axis]
    if by > 0:
        kept, gone = tf.split(x, [max(size - by, 0), min(by, size)], axis)
        return tf.concat([tf.zeros_like(gone), kept], axis)
    gone, kept = tf.split(x, [min(-by, size), max(size + by, 0)], axis)
    return tf.concat([kept, tf.zeros_like(gone)], axis)


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, 0.2 * x)  # tf.nn.leaky_relu keeps its slope in float32


def softsign(x: tf.Tensor) -> tf.Tensor:
    return x / (1 + tf.abs(x))  # tf.nn.softsign has no second derivative


def gelu(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1 + tf.math.erf(x / 2**0.5))  # tf.nn.gelu keeps the root in float32


def mish(x: tf.Tensor) -> tf.Tensor:
    return x * tf.tanh(tf.nn.softplus(x))


def hard_silu(x: tf.Tensor) -> tf.Tensor:
    return x * tf.nn.relu6(x + 3) / 6


def heaviside(x):
    """1 where x > 0, else 0."""
    return tf.cast(x > 0, x.dtype)


def straight_through(f, g):
    """f forward, the gradient of g backward; f itself, however large g is: g less g is 0."""
    return tf.stop_gradient(f) + (g - tf.stop_gradient(g))
