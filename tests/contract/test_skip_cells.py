"""Skip RNNs where more than 1 gathers in a step that is skipped, or less in one that is not: few numbers come there."""

import numpy as np
import pytest
import tensorflow as tf

from tests.generated import committed, layer_class

UNITS, WIDTH, BATCH, STEPS = 4, 3, 60, 3


@pytest.mark.parametrize("stem", ["skip_lstm", "skip_gru"])
def test_gradients_on_both_sides_of_one(stem):
    """The derived way back, against the steps on a tape."""
    rng = np.random.default_rng(3)
    layer = layer_class(committed(stem))(UNITS, return_sequences=True, return_state=True, dtype="float64")
    x = tf.Variable(rng.normal(size=[BATCH, STEPS, WIDTH]))
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=each.shape) for each in layer.get_weights()])
    *before, _ = (rng.normal(scale=0.5, size=each.shape) for each in layer.get_initial_state(BATCH))
    start = [tf.Variable(each) for each in (*before, rng.uniform(0.4, 0.6, size=[BATCH, 1]))]
    weighs = [rng.normal(size=[BATCH, STEPS, UNITS]), *(rng.normal(size=each.shape) for each in start)]

    def by_steps():
        state, outputs = start, []
        for t in range(STEPS):
            output, state = layer.cell(x[:, t], state)
            outputs.append(output)
        return [tf.stack(outputs, axis=1), *state]

    sources, found = [x, *start, *layer.trainable_variables], []
    for run in (lambda: layer(x, initial_state=start), by_steps):
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(value * weigh) for value, weigh in zip(run(), weighs, strict=True))
        found.append(tape.gradient(loss, sources))
    w, new = start[-1].numpy(), layer.cell(x[:, 0], start)[1][-1].numpy()
    assert any((w < 0.5) & (new == 1)) and any((w < 0.5) & (new < 1))
    assert any((w > 0.5) & (w + new < 1)) and any((w > 0.5) & (w + new > 1))
    for ours, tapes in zip(*found, strict=True):
        np.testing.assert_allclose(ours, tapes, rtol=1e-10, atol=1e-12)
