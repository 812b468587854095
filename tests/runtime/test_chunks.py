"""A sequence in chunks of steps: how many steps, which of them run, and what each is given."""

import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime.chunks import Chunks, size_of_chunk
from cellgen.runtime.declarations import own_name
from tests.runtime import leaky
from tests.runtime.leaky import BATCH


def test_own_name():
    assert own_name("W") == "W" and own_name("layer2/W") == "W" and own_name("a/layer2/W") == "W"


@pytest.mark.parametrize(
    "rows, batch, time, low_memory, wanted",
    [
        (512, 32, 100, False, 20),  # 16 steps, and of what divides 100 the nearest
        (512, 32, 96, False, 16),
        (512, 32, 97, False, 16),  # nothing divides it
        (512, 32, 16, False, 16),
        (512, 32, 10, False, 10),
        (512, 1024, 10, False, 1),
        (512, 0, 10, False, 10),
        (512, 32, 0, False, 1),
        (8, 4, 100, True, 10),  # the root
        (512, 4, 100, True, 100),
        (80, 4, 100, True, 20),  # no less than without
        (8, 4, 0, True, 1),
    ],
)
def test_how_many_steps_a_chunk_has(rows, batch, time, low_memory, wanted):
    assert size_of_chunk(rows, batch, time, low_memory) == wanted


@pytest.mark.parametrize("batch", [4, 0, 600])
@pytest.mark.parametrize("time", [0, 7, 100])
def test_how_many_steps_where_sizes_are_not_known(batch, time):
    plain = max(1, 80 // max(1, batch))
    assert size_of_chunk(80, batch, tf.constant(time), False) == plain  # a number
    assert int(size_of_chunk(80, tf.constant(batch), time, False)) == plain
    for sizes in ((tf.constant(batch), tf.constant(time)), (batch, tf.constant(time))):
        assert int(size_of_chunk(80, *sizes, True)) == max(plain, int(time**0.5))


def padded(values, time):
    return np.concatenate([values, *[values[:, -1:]] * (time - values.shape[1])], 1)


@pytest.mark.parametrize("time, whole, alone", [(3, True, True), (6, True, False), (7, False, False), (2, True, True)])
def test_chunks(time, whole, alone):
    xs, _, _ = leaky.given(time, noise=True)
    chunks = Chunks(leaky.scan(), xs, None, None, False)
    size, count = min(3, time), -(-time // 3)
    assert (chunks.size, chunks.count, int(chunks.running)) == (size, count, count)
    assert (chunks.whole, chunks.alone) == (whole, alone)
    assert {name: value.shape[:1] for name, value in chunks.first().items()} == dict.fromkeys(xs, (BATCH,))
    x = padded(xs["x"].numpy(), count * size)
    for index in range(count):
        part, length, on = chunks[index]
        assert int(length) == min(size, time - index * size) and on is None
        np.testing.assert_array_equal(part["x"], np.swapaxes(x[:, index * size : (index + 1) * size], 0, 1))
        for name in ("p", "_keep"):
            np.testing.assert_array_equal(part[name], np.repeat(np.swapaxes(xs[name], 0, 1), size, 0))


def test_a_batch_or_time_of_nothing():
    for batch, time in ((0, 5), (4, 0)):
        xs = {"x": tf.zeros([batch, time, 2]), "p": tf.zeros([batch, 1, 3])}
        chunks = Chunks(leaky.scan(), xs, None, None, False)
        assert chunks.count == 1 and int(chunks.running) == 1 and not (time == 0 and chunks.whole)
        part, length, _ = chunks[0]
        assert int(length) == time and part["x"].shape == (max(1, time), batch, 2)


def test_only_some_steps_run():
    xs, _, _ = leaky.given(7)
    chunks = Chunks(leaky.scan(), xs, None, tf.constant(4), False)
    assert (chunks.count, int(chunks.running), chunks.whole) == (3, 2, False)
    assert [int(chunks[index][1]) for index in range(2)] == [3, 1]
    assert int(Chunks(leaky.scan(), xs, None, tf.constant(0), False).running) == 1


def test_chunks_are_as_large_as_what_is_kept():
    """Another trace may have known less of the sizes; for low memory no chunk's steps are kept."""
    xs, _, _ = leaky.given(7)
    kept = {"t": tf.zeros([4, 2, BATCH, 3])}
    assert Chunks(leaky.scan(), xs, None, None, False, kept).size == 2
    assert Chunks(leaky.scan(), xs, None, None, True, kept).size == 3


@pytest.mark.parametrize("rule", ["hold", "reset"])
def test_a_masked_step_that_holds_is_given_one_that_counts(rule):
    time = 7
    xs, _, _ = leaky.given(time)
    mask = leaky.masks(time).numpy()
    x = np.where(mask, xs["x"], np.nan)
    chunks = Chunks(leaky.scan(rule), xs | {"x": tf.constant(x)}, tf.constant(mask), None, False)
    stand_in = [row[on[:, 0]][0] if on.any() else np.ones(2) for row, on in zip(x, mask)]
    instead = np.where(mask, x, np.array(stand_in)[:, None]) if rule == "hold" else x
    on = padded(mask, 9)
    for index in range(3):
        steps = slice(3 * index, 3 * index + 3)
        part, _, here = chunks[index]
        np.testing.assert_array_equal(here, np.swapaxes(on[:, steps], 0, 1))
        wanted = np.where(on, padded(instead, 9), np.array(stand_in)[:, None]) if rule == "hold" else padded(x, 9)
        np.testing.assert_array_equal(part["x"], np.swapaxes(wanted[:, steps], 0, 1))
        np.testing.assert_array_equal(part["p"][0], xs["p"][:, 0])


def test_chunks_of_unknown_sizes():
    time = 7
    xs, _, _ = leaky.given(time)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float64)], autograph=False)
    def run(x):
        chunks = Chunks(leaky.scan(), {"x": x, "p": xs["p"]}, None, None, False)
        assert not chunks.whole and not chunks.alone
        part, length, _ = chunks[2]
        return chunks.size, chunks.count, chunks.running, length, part["x"]

    *sizes, x = run(xs["x"])
    assert list(map(int, sizes)) == [3, 3, 3, 1]
    np.testing.assert_array_equal(x, np.repeat(np.swapaxes(xs["x"][:, -1:], 0, 1), 3, 0))
