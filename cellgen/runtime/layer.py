"""What generated layers have in common: a Keras RNN whose loop is the scan of its cell."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from cellgen.runtime.activations import Activation
from cellgen.runtime.arguments import (
    FLOATING,
    batch_first,
    by_port,
    dense,
    if_fits,
    is_whole,
    of_sizes,
    once_all_fit,
    one_mask,
    require,
    swapped,
    with_lengths,
)
from cellgen.runtime.arrays import where
from cellgen.runtime.cell import Cell, shape_of
from cellgen.runtime.constructors import declared, of_weight, our_name, own_arguments
from cellgen.runtime.custom_gradient import vectorised
from cellgen.runtime.fused import fused_or_scan, may_be_fused
from cellgen.runtime.parallel import Solved, Solver, fits_parts, nothing_solved
from cellgen.runtime.traces import TRACES_OF

keras = tf.keras

serializable = keras.utils.register_keras_serializable  # a class, by the name of its spec

_OWN = "return_all_states", "return_gates", "return_solved", "time_major", "debug"
_HOW = "jit_compile", "memory", "parallel", "newton_steps", "newton_tolerance"


class Layer(keras.layers.RNN):
    """A cell over a sequence: (batch, time, ...) -> the last output, (batch, ...).

    It takes the arguments of its cell and of `keras.layers.RNN`, and more:
    return_all_states adds the states over time, (batch, time, ...), at the end of the result;
    return_gates adds what is told of each step, (batch, time, ...), at the very end;
    time_major: (time, batch, ...) comes and goes, masks too;
    unroll: all steps as one graph (True), or so many at once in the loop; debug runs step by step in Python;
    jit_compile: XLA runs the scan, or not, or where it was measured to be faster ("auto");
    use_cudnn, of a cell that is an LSTM or a GRU of Keras's: on a GPU cuDNN runs it, or not, or where it can ("auto");
    memory="low" keeps about the square root of what the way back reads, and computes the rest again;
    parallel: the states of all steps are found at once, by a "scan" or by "newton", where the cell allows it, or never
    (False), or where it was measured to be faster ("auto"); newton_steps, newton_tolerance: at most so many of Newton's
    steps, and how far a state may be from what its step makes of the one before (by default 64 times the precision of
    its dtype): from the first that is farther, the loop goes on;
    return_solved adds a `Solved` at the very end: Newton's steps, and how many steps of the sequence the loop took.
    Raises ValueError where an argument does not fit.
    """

    cell_class: ClassVar[type[Cell]]
    cell: Cell

    def __init__(
        self,
        *,
        unroll: bool | int = False,
        jit_compile: bool | str = "auto",
        memory: str = "normal",
        parallel: bool | str = "auto",
        newton_steps: int = 32,
        newton_tolerance: float | None = None,
        **arguments: Any,
    ):
        names, of_cell = declared(type(self), "cell_class"), declared(self.cell_class, "scan")
        arguments = own_arguments(arguments, {*names, *of_cell}, self.cell_class.keywords)
        given = {name: arguments.pop(name) for name in of_cell if name in arguments and name != "state_is_tuple"}
        how = {"dtype": arguments.get("dtype"), "trainable": arguments.get("trainable", True)}
        own = {name: arguments.pop(name, False) for name in _OWN}
        use_cudnn = arguments.pop("use_cudnn", "auto")
        super().__init__(self.cell_class(**given, name="cell", **how), unroll=unroll is True, **arguments)
        fits = isinstance(unroll, bool) or is_whole(unroll) and unroll >= 0
        require(fits, "unroll", "True, False or a number of steps", unroll)
        require(jit_compile in ("auto", True, False), "jit_compile", '"auto", True or False', jit_compile)
        require(memory in ("normal", "low"), "memory", '"normal" or "low"', memory)
        require(use_cudnn in ("auto", True, False), "use_cudnn", '"auto", True or False', use_cudnn)
        self.unroll = unroll if isinstance(unroll, bool) else int(unroll)
        self.jit_compile, self.memory, self.use_cudnn = jit_compile, memory, use_cudnn
        self.time_major, self.debug = own["time_major"], own["debug"]
        self.return_all_states, self.return_gates = own["return_all_states"], own["return_gates"]
        self.return_solved = own["return_solved"]
        fits_parts(type(self).__name__, self.scan.parts, parallel, newton_steps, newton_tolerance)
        self.parallel, self.newton_steps, self.newton_tolerance = parallel, newton_steps, newton_tolerance
        if may_be_fused(self):
            self.supports_jit = False  # of a model that Keras compiles
        if not self.scan.many:
            self.input_spec = keras.layers.InputSpec(ndim=2 + self.scan.rank)

    @property
    def scan(self) -> Any:
        """The `Scan` of the cell."""
        return self.cell.scan

    @property
    def _asks_cudnn(self) -> bool:
        """Whether it runs on cuDNN where it can."""
        return self.scan.fused is not None and self.use_cudnn is not False

    def __getattr__(self, name: str):
        """What the cell was given, as Keras's layers have it: units, kernel_initializer and so on."""
        cell: Any = self.__dict__.get("cell")
        names = () if cell is None else declared(type(cell), "scan")
        own = our_name(name, names)
        if cell is None or own not in names:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if of_weight(own):
            return cell.weight_arguments[own]
        value = getattr(cell, own)
        return keras.activations.get(value.name) if isinstance(value, Activation) else value

    # --- shapes

    def build(self, sequences_shape, initial_state_shape=None):
        scan = self.scan
        if scan.many:
            shapes = by_port(sequences_shape, list(scan.ports))
            for name, shape in shapes.items():
                axes = scan.ports[name].rank + (1 if name in scan.constants else 2)
                require(len(shape) == axes, name, f"of {axes} axes", tuple(shape))
            of_steps = {name for name in shapes if name not in scan.constants}
            if self.time_major:
                shapes |= {name: batch_first(shapes[name]) for name in of_steps}
            if not self.cell.built:
                each = {name: (s[0], *s[2:]) if name in of_steps else s for name, s in shapes.items()}
                self.cell.build(each)
            super().build(shapes[scan.input])
        else:
            shape = batch_first(sequences_shape) if self.time_major else sequences_shape
            super().build(shape)
            batch_size = shape[0] if self.stateful else None
            axes = (None, batch_size) if self.time_major else (batch_size, None)
            self.input_spec = keras.layers.InputSpec(shape=(*axes, *shape[2:]))
        if None in tf.nest.flatten(self.state_size):  # it was an input's
            self.state_size = list(self.cell.state_sizes)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        scan, cell = self.scan, self.cell
        shape = by_port(sequences_shape, list(scan.ports))[scan.input] if scan.many else sequences_shape
        front = tuple(shape[:2])
        batch_size = front[1] if self.time_major else front[0]
        size, sizes = shape_of(cell.output_size), [shape_of(each) for each in cell.state_sizes]
        result = [(*front, *size) if self.return_sequences else (batch_size, *size)]
        if self.return_state:
            result += [(batch_size, *size) for size in sizes]
        if self.return_all_states:
            result.append(cell._structured([(*front, *size) for size in sizes]))
        if self.return_gates:
            result.append(cell.gate_shapes(*front))
        if self.return_solved:
            result.append(Solved((), ()))
        return tuple(result) if len(result) > 1 else result[0]

    def compute_mask(self, sequences, mask):
        """What is handed on with the outputs, in their order."""
        mask = one_mask(mask) if self.scan.many else tf.nest.flatten(mask)[0]
        if mask is not None and self.go_backwards:
            mask = keras.ops.flip(mask, 0 if self.time_major else 1)
        return super().compute_mask(sequences, mask)

    # --- a call

    @tf.autograph.experimental.do_not_convert
    def __call__(self, sequences, *args, **kwargs) -> Any:
        """Ragged sequences run as long as each is, where a masked step holds; what is returned of every step is ragged
        then.
        """
        if self.scan.mask is not None:
            kwargs = with_lengths(kwargs)
        given = by_port(sequences, list(self.scan.ports)) if self.scan.many else {self.scan.input: sequences}
        if not any(isinstance(each, tf.RaggedTensor) for each in tf.nest.flatten(given)):
            return super().__call__(sequences, *args, **kwargs)
        if self.scan.mask != "hold":
            why = "a masked step runs" if self.scan.mask == "reset" else "there is no rule for a masked step"
            require(False, "sequences", f"all of one length: {why} in {type(self).__name__}", "ragged ones")
        return self._ragged(given, *args, **kwargs)

    def _ragged(self, given: dict, *args, **kwargs):
        """A call with ragged sequences."""
        scan = self.scan
        ragged = given[scan.input]
        for name, value in given.items():
            wanted = isinstance(ragged, tf.RaggedTensor) and name not in scan.constants
            fits = isinstance(value, tf.RaggedTensor) == wanted
            require(fits, name, f"{scan.input} and all that has steps ragged, or nothing", value.shape)
            if name != scan.input and isinstance(value, tf.RaggedTensor):
                words = f"`{name}` must be as long as `{scan.input}`."
                tf.debugging.assert_equal(value.row_lengths(), ragged.row_lengths(), words)
        filled_up = {name: dense(value) for name, value in given.items()}
        require(not self.time_major, "sequences", "no ragged tensor for time_major=True", ragged.shape)
        words = "None: ragged sequences have their own"
        require(kwargs.get("lengths") is None, "lengths", words, kwargs.get("lengths"))
        lengths = ragged.row_lengths()
        sequences = filled_up if scan.many else filled_up[scan.input]
        result = super().__call__(sequences, *args, **{**kwargs, "lengths": lengths})
        counts = tf.sequence_mask(lengths, tf.shape(filled_up[scan.input])[1])
        if self.go_backwards:  # what a row was filled up with comes first then
            counts = tf.reverse(counts, [1])
        found = list(result) if isinstance(result, tuple) else [result]
        whole = 1 + self.return_state * len(self.cell.state_sizes)
        for index in (*([0] if self.return_sequences else []), *range(whole, len(found) - self.return_solved)):
            found[index] = tf.nest.map_structure(
                lambda values: ragged.with_values(tf.boolean_mask(values, counts)), found[index]
            )
        return tuple(found) if isinstance(result, tuple) else found[0]

    def call(self, sequences, initial_state=None, mask=None, lengths=None, training=False):
        """sequences (batch, time, ...), or ragged -> output; with return_state, then each state; with
        return_all_states, then all of them over time; then what return_gates and return_solved add.

        initial_state: like the cell's state; mask: (batch, time); lengths: (batch,). A step counts if mask and lengths
        both allow it. Raises ValueError where an argument does not fit.
        """
        scan, cell = self.scan, self.cell
        xs = self._sequences(sequences)
        mask = one_mask(mask) if scan.many else mask
        if mask is None:  # Keras itself passes a mask on only if `sequences` is the one tensor given
            first = by_port(sequences, list(scan.ports))[scan.input] if scan.many else sequences
            mask = getattr(first, "_keras_mask", None)
        if self.time_major and mask is not None:
            mask = tf.transpose(mask)
        batch_size, steps = keras.ops.shape(xs[scan.input])[:2]
        if self.unroll is True:
            known = xs[scan.input].shape
            require(known[1] is not None, "sequences", "of known length for unroll=True", known)
        if self.debug and not tf.executing_eagerly():
            raise ValueError("debug=True needs eager mode: compile(..., run_eagerly=True) and no tf.function.")
        mask = self._mask(mask, lengths, batch_size, steps)
        given = initial_state is not None or self.stateful
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(batch_size)
        start = scan.carry(cell.named(initial_state))
        if given:
            words = "of {} samples"
            start = scan.pack([of_sizes("initial_state", value, (batch_size,), words) for value in start])
        xs, start, mask = once_all_fit(xs, start, mask)
        run = functools.partial(fused_or_scan, self) if self._asks_cudnn else self.inner_loop
        last_output, outputs, state, states, told, solved = run(xs, start, mask, training)
        if scan.wide:
            last_output, outputs, state, states, told = tf.nest.map_structure(
                lambda value: None if value is None else tf.cast(value, self.compute_dtype),
                (last_output, outputs, state, states, told),
            )
        if self.stateful:
            for variable, value in zip(self.states, state):
                variable.assign(value)
        if self.time_major:
            outputs, states, told = tf.nest.map_structure(swapped, (outputs, states, told))
        result = [outputs if self.return_sequences else last_output]
        if self.return_state:
            result += state
        if self.return_all_states:
            result.append(states)
        if self.return_gates:
            result.append(told)
        if self.return_solved:
            result.append(solved or nothing_solved())
        return tuple(result) if len(result) > 1 else result[0]

    def _sequences(self, sequences) -> dict[str, tf.Tensor]:
        """The inputs by name, batch in front, in the step's dtype."""
        scan = self.scan
        if not scan.many:
            require(sequences.dtype.is_floating, "sequences", FLOATING, sequences.dtype.name)
            values: Any = swapped(sequences) if self.time_major else sequences
            return {scan.input: tf.cast(values, self.cell.step_dtype)}
        given = by_port(sequences, list(scan.ports))
        if self.time_major:
            given = {name: value if name in scan.constants else swapped(value) for name, value in given.items()}
        return self.cell._inputs(given, lead=2)

    def _mask(self, mask: Any, lengths: Any, batch_size, steps):
        """Which steps count, (batch, time), or None: all. Raises ValueError if it does not fit, or there is no rule."""
        if self.scan.mask is None:
            words = f"None: {type(self).__name__} has no rule for a masked step"
            require(mask is None, "mask", words, mask)
            require(lengths is None, "lengths", words, lengths)
        if mask is not None:
            mask = tf.cast(mask, tf.bool)
            require(len(mask.shape) == 2, "mask", "of shape (batch, time)", tuple(mask.shape))
            mask = of_sizes("mask", mask, (batch_size, steps), "of shape (batch, time), ({}, {}) here")
        if lengths is not None:
            lengths = tf.convert_to_tensor(lengths)
            require(lengths.dtype.is_integer, "lengths", "integers", lengths.dtype.name)
            require(len(lengths.shape) == 1, "lengths", "of shape (batch,)", tuple(lengths.shape))
            words = "of shape (batch,), ({},) here"
            lengths = of_sizes("lengths", tf.cast(lengths, tf.int64), (batch_size,), words)
            least, most = tf.reduce_min(lengths), tf.reduce_max(lengths)
            fits = (least >= 0) & (most <= tf.cast(steps, tf.int64))
            sentence = "`lengths` must be from 0 to {}, the number of steps. Received: {} to {}"
            lengths = if_fits(fits, lengths, sentence, steps, least, most)
            in_length = tf.sequence_mask(lengths, steps)
            mask = in_length if mask is None else mask & in_length
        return mask

    def reset_state(self):
        """The states of a stateful layer become the initial state again (Keras sets them to zero)."""
        if self.states is not None:
            batch_size = self.states[0].shape[0]
            for variable, value in zip(self.states, tf.nest.flatten(self.get_initial_state(batch_size))):
                variable.assign(value)

    # --- the scan

    def inner_loop(self, xs, initial_state, mask, training=False):
        """The scan -> last output, outputs, last state, all states, what is told, how it was solved; None for what is
        not wanted.

        xs: (batch, time, ...) by name; initial_state: as the scan carries it; mask: (batch, time) or None.
        """
        scan, cell = self.scan, self.cell
        batch_size, steps = keras.ops.shape(xs[scan.input])[:2]
        way = self._way(batch_size, steps, training, mask)
        if scan.draws and not scan.asks_training:
            training = bool(training) and cell.noisy
        arguments = cell._scan_arguments() if way != scan.unrolled else cell.step_arguments()
        if scan.asks_for_training:
            arguments["training"] = bool(training)
        fresh = initial_state
        if scan.mask == "reset":
            fresh = scan.carry(cell.named(self.get_initial_state(batch_size)))

        masks = None if mask is None else tf.expand_dims(mask, -1)
        if self.go_backwards:
            xs = {name: tf.reverse(values, [1]) for name, values in xs.items()}
            masks = None if mask is None else tf.reverse(masks, [1])
        steps_of, noise = xs, {}
        if scan.draws and training:
            noise = cell.noise(batch_size, steps)
            noise |= cell._undrawn(noise)
            drawn = [name for name, value in noise.items() if tf.is_tensor(value) and not scan.drops_weight(name)]
            steps_of = {**xs, **{name: noise[name] for name in drawn}}
            arguments |= {name: value for name, value in noise.items() if name not in drawn}  # numbers: nothing drawn
        all_states = range(len(initial_state)) if self.return_all_states or self.return_gates else ()
        outputs_wanted, states_wanted = self._wanted(all_states)
        wanted = {"return_sequences": outputs_wanted, "return_states": tuple(states_wanted)}
        if way != scan.unrolled:
            wanted |= {"low_memory": self.memory == "low", "unroll": max(1, self.unroll)}
        zero_output = bool(self.zero_output_for_mask)
        output, state, found, solved = way(
            steps_of, masks, initial_state, fresh, arguments, zero_output=zero_output, **wanted
        )
        found = [tf.transpose(values, [1, 0, *range(2, len(values.shape))]) for values in found]
        outputs = found.pop(0) if outputs_wanted else None
        states = dict(zip(states_wanted, found))
        output, outputs = self._outputs(output, outputs, state, states, masks, zero_output)
        told, every = None, [states[at] for at in all_states]
        if self.return_gates:
            told = self._told(xs, noise, initial_state, fresh, every, masks, training)
        states = cell._structured(every) if self.return_all_states else None
        return output, outputs, list(state), states, told, solved

    def _wanted(self, all_states: Sequence[int]) -> tuple[bool, Sequence[int]]:
        """Whether outputs are, and the places of the states that are."""
        return self.return_sequences, all_states

    def _outputs(self, output, outputs, state, states, masks, zero_output):
        """The last output, and all of them; of a stack they may be read from the states of all layers."""
        return output, outputs

    def _told(self, xs, noise, initial_state, fresh, states, masks, training):
        """What is told of all steps, from the state before each; zeros of a masked one that holds."""
        scan = self.scan
        before = [tf.concat([first[:, None], values], 1)[:, :-1] for first, values in zip(initial_state, states)]
        if masks is not None:
            for at in range(len(before)):
                if scan.resets(at):
                    before[at] = where(masks, before[at], fresh[at][:, None])
        told = self.cell.gates({**scan.counting(xs, masks), **noise}, before, training)
        if masks is None or scan.mask != "hold":
            return told
        return tf.nest.map_structure(lambda values: where(masks, values, tf.zeros_like(values)), told)

    def _way(self, batch_size, steps, training, mask):
        """Which scan runs, for sizes that are known (integers) or not (tensors)."""
        scan, eager, traces = self.scan, tf.executing_eagerly(), TRACES_OF.setdefault(self, {})
        solver = self._solver(batch_size, steps)
        few = eager and steps <= 4 and self.jit_compile is not True  # loops would cost more than they save
        few = few and (mask is None or scan.mask != "reset") and solver is None
        whole = self.unroll is True or self.debug or few or vectorised() and not tf.is_tensor(steps)
        if whole and steps:
            return scan.unrolled
        long = tf.is_tensor(steps) or steps >= scan.steps
        if tf.is_tensor(batch_size):  # XLA compiles for each: in training they are few, and it pays most
            pays = long and training is True and not tf.is_tensor(steps) and scan.batch > 0
        else:
            pays = long and batch_size <= scan.batch
        if pays if self.jit_compile == "auto" else self.jit_compile:
            run = scan.in_bucket if eager or tf.is_tensor(steps) else scan.run
            solver = None if solver is None else solver._replace(pairs=True)
            return functools.partial(run, traces=traces, way=scan.by_xla, keep=bool(training), solver=solver)
        if eager and (long or solver):
            return functools.partial(scan.run, traces=traces, way=scan.in_graph, keep=bool(training), solver=solver)
        return functools.partial(scan.run, traces=traces, way=scan.inline, keep=True, solver=solver)

    def _solver(self, batch_size, steps) -> Solver | None:
        """How the steps are solved for at once, if they are."""
        if self.parallel not in ("scan", "newton"):
            return None
        return Solver(self.newton_steps, self.newton_tolerance)

    # --- what a file keeps

    def get_config(self) -> dict[str, Any]:
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        config.pop("state_is_tuple", None)
        cudnn = () if self.scan.fused is None else ("use_cudnn",)
        config |= {name: getattr(self, name) for name in (*_OWN, *_HOW, *cudnn)}
        names = {*declared(type(self), "cell_class")}
        return {name: value for name, value in config.items() if name in names or name not in _OWN}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
