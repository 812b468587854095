"""A few steps of training on more than one device, or on one, for processes that do not have cellgen."""

import importlib

import keras
import numpy as np
import tensorflow as tf

SAMPLES, BATCH, WIDTH = 16, 8, 3
SIZES = {"lstmp": {"units": 6, "proj": 4}, "hm_lstm_stack": {"units": [3, 4], "embedding": 5}}
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.01),
}


def data(steps: int, dtype: str) -> tf.data.Dataset:
    """Batches for all devices together. A step of zeros is masked: holes, and a sample that never counts."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(SAMPLES, steps, WIDTH)), rng.normal(size=(SAMPLES, 1))
    x[rng.random(x.shape[:2]) < 0.3] = 0
    x[5] = 0
    batches = tf.data.Dataset.from_tensor_slices((x.astype(dtype), y.astype(dtype))).batch(BATCH, drop_remainder=True)
    options = tf.data.Options()  # each worker reads all, and keeps its part of each batch
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)


def train(strategy, stem, optimizer, how, steps=70, dtype="float64", jit_compile="auto", epochs=2):
    """Some epochs, by `model.fit` ("fit") or a loop ("loop") -> the weights, and how often XLA was asked."""
    module, ran = importlib.import_module(stem), []
    Scan = module.recurrent.Scan
    by_xla = Scan.by_xla
    Scan.by_xla = lambda *args, **kwargs: ran.append(1) or by_xla(*args, **kwargs)
    classes = [each for each in vars(module).values() if isinstance(each, type)]
    Layer = next(each for each in classes if issubclass(each, keras.layers.RNN))
    keras.utils.set_random_seed(3)
    with strategy.scope():
        layer = Layer(**SIZES.get(stem, {"units": 6}), jit_compile=jit_compile, dtype=dtype)
        model = keras.Sequential(
            [
                keras.Input((steps, WIDTH), dtype=dtype),
                keras.layers.Masking(dtype=dtype),
                layer,
                keras.layers.Dense(1, dtype=dtype),
            ]
        )
        rule = OPTIMIZERS[optimizer]()
        rule.build(model.trainable_variables)
        model.compile(rule, "mse", jit_compile=False)  # the layer asks XLA, not Keras for the whole step
    try:
        if how == "fit":
            model.fit(data(steps, dtype), epochs=epochs, verbose=0)
        else:
            loop(strategy, model, rule, data(steps, dtype), epochs)
    finally:
        Scan.by_xla = by_xla
    return model.get_weights(), len(ran)


def loop(strategy, model, optimizer, batches, epochs) -> None:
    """Each replica takes its part of a batch; the optimizer adds their gradients up."""

    def replica(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(x, training=True) - y)) / BATCH  # of the joined batch
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))

    @tf.function
    def step(x, y):
        strategy.run(replica, (x, y))

    for _ in range(epochs):
        for x, y in strategy.experimental_distribute_dataset(batches):
            step(x, y)
