"""Arguments of cells and layers: what each must be, and the words that refuse it."""

import numbers

import tensorflow as tf

keras = tf.keras

FLOATING = "of a floating dtype, as `tf.cast(x, 'float32')` gives (an Embedding takes integers)"


def require(fits, name, wanted, value):
    """Refuses an argument in words that say what is wanted and what came."""
    if not fits:
        raise ValueError(f"`{name}` must be {wanted}. Received: {value!r}")


def of_sizes(name, value, sizes, wanted):
    """A tensor, refused if its first axes have other sizes than these, None for any; `{}` in `wanted` are these."""
    came = keras.ops.shape(value)
    pairs = [(a, b) for a, b in zip(came, sizes) if b is not None]
    later = [tf.equal(a, b) for a, b in pairs if tf.is_tensor(a) or tf.is_tensor(b)]
    fits = len(came) >= len(sizes) and all(a == b for a, b in pairs if not (tf.is_tensor(a) or tf.is_tensor(b)))
    shape = f"({', '.join('{}' for _ in came)}{',' * (len(came) == 1)})"
    fits = tf.reduce_all(tf.stack(later)) if fits and later else fits
    return if_fits(fits, value, f"`{name}` must be {wanted}. Received: {shape}", *sizes, *came)


def if_fits(fits, value, sentence, *numbers):
    """A tensor, if it fits; else the sentence with the numbers for `{}`, as an exception, or where a graph knows them
    only when it runs, as an assertion.
    """
    eager = tf.executing_eagerly()
    if tf.is_tensor(fits) and not eager:
        with tf.control_dependencies([tf.debugging.Assert(fits, [tf.strings.format(sentence, list(numbers))])]):
            return tf.identity(value)
    if not fits:
        raise ValueError(sentence.format(*(each if eager or not tf.is_tensor(each) else None for each in numbers)))
    return value


def once_all_fit(*values):
    """The same, each after all of them: what is asserted of one in a graph, its optimiser takes for true of others."""
    if tf.executing_eagerly():
        return values
    with tf.control_dependencies([value for value in tf.nest.flatten(values) if value is not None]):
        return tf.nest.map_structure(lambda value: None if value is None else tf.identity(value), values)


def is_whole(value):
    """Whether it is an integer, NumPy's too."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_size(value):
    return is_whole(value) and value > 0


def is_number(value):
    """Whether it is a real number, NumPy's too."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value


# --- what an argument of a constructor must be: each gives the value that is kept, and raises ValueError if it is not


def size(name: str, value: int) -> int:
    require(is_size(value), name, "a positive integer", value)
    return int(value)


def size_or(other: str, name: str, value: int | None) -> int | None:
    """A size, or None for that of another."""
    require(value is None or is_size(value), name, f"a positive integer, or None for {other}", value)
    return None if value is None else int(value)


def sizes(name: str, value: list[int] | tuple[int, ...]) -> tuple[int, ...]:
    fits = isinstance(value, (list, tuple)) and value and all(is_size(each) for each in value)
    require(fits, name, "a list of positive integers, one a layer", value)
    return tuple(int(each) for each in value)


def flag(name: str, value: bool) -> bool:
    require(isinstance(value, bool), name, "True or False", value)
    return value


def word(name: str, value: str, *words: str) -> str:
    require(isinstance(value, str) and value in words, name, f"one of {', '.join(words)}", value)
    return value


def number(name: str, value: float, **bounds) -> float:
    """A number within bounds: `low`, `high`, or `positive`, above 0."""
    fits, wanted = _within(value, **bounds)
    require(fits, name, wanted, value)
    return float(value)


def number_or_none(name: str, value: float | None, **bounds) -> float | None:
    fits, wanted = _within(value, **bounds)
    require(value is None or fits, name, f"{wanted}, or None", value)
    return None if value is None else float(value)


def _within(value, low: float | None = None, high: float | None = None, positive: bool = False) -> tuple[bool, str]:
    """Whether it is a number within these bounds, and what it must be, in words."""
    fits = is_number(value) and (value > 0 or not positive)
    fits = fits and (low is None or low <= value) and (high is None or value <= high)
    span = f" from {low} to {high}" if low is not None and high is not None else ""
    if not span and (low, high) != (None, None):
        span = f" up to {high}" if low is None else f" from {low} on"
    return fits, f"a number{' above 0' if positive else ''}{span}"


def whole_or_none(name: str, value: int | None) -> int | None:
    require(value is None or is_whole(value), name, "an integer, or None", value)
    return None if value is None else int(value)


def with_lengths(arguments):
    """Keyword arguments with `lengths` as a tensor: an array of integers is one of floats to some versions of Keras."""
    lengths = arguments.get("lengths")
    if lengths is None or keras.backend.is_keras_tensor(lengths):
        return arguments
    return {**arguments, "lengths": tf.convert_to_tensor(lengths)}


def swapped(values):
    """(time, batch, ...) -> (batch, time, ...), or back."""
    return None if values is None else tf.transpose(values, [1, 0, *range(2, len(values.shape))])


def batch_first(shape):
    """(time, batch, ...) -> (batch, time, ...)."""
    return (shape[1], shape[0], *shape[2:])


def dense(values):
    """Ragged sequences, filled up with zeros; others as they are."""
    if not isinstance(values, tf.RaggedTensor):
        return values
    require(values.ragged_rank == 1, "sequences", "ragged in time alone", values.shape)
    return values.to_tensor()


def one_mask(mask):
    """The mask; where Keras passes one on for each port, the first there is."""
    if isinstance(mask, (dict, list, tuple)):
        return next((each for each in tf.nest.flatten(mask) if each is not None), None)
    return mask


def given_state(states, state):
    """The state, by Keras's name or by TensorFlow 1's."""
    states = state if states is None else states
    require(states is not None, "states", "given", None)
    return states


def by_port(given, ports):
    """What is given for the ports, by their names in order: for the first alone, for several in order, or by name -> by
    name.
    """
    if isinstance(given, (list, tuple)) and not all(each is None or isinstance(each, int) for each in given):
        require(len(given) <= len(ports), "inputs", f"at most {', '.join(ports)}", len(given))
        given = dict(zip(ports, given))
    elif not isinstance(given, dict):  # or a shape, which is a tuple too
        given = {ports[0]: given}
    fits = given.get(ports[0]) is not None and all(name in ports for name in given)
    require(fits, "inputs", f"among {', '.join(ports)}, and {ports[0]} one of them", list(given))
    return {name: given[name] for name in ports if given.get(name) is not None}
