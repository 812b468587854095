"""What generated layers of stacks have in common: the output may be read from the states of all layers."""

from collections.abc import Sequence

import tensorflow as tf

from cellgen.runtime.layer import Layer


class StackLayer(Layer):
    """`Layer` for a stack: its output may be read from the states of all layers."""

    def _wanted(self, all_states: Sequence[int]) -> tuple[bool, Sequence[int]]:
        if self.scan.readout is None:
            return self.return_sequences, all_states
        if self.return_sequences and not all_states:
            return False, [at for places in self._places_read_out() for at in places]
        return False, all_states

    def _places_read_out(self) -> list[range]:
        """Of each state that the output is read from, its places in the flat state."""
        scan, count = self.scan, len(self.cell.state_sizes)
        return [range(scan.state._fields.index(name), count, scan.states) for name in self.cell.states_read_out]

    def _outputs(self, output, outputs, state, states, masks, zero_output):
        if self.scan.readout is None:
            return output, outputs
        places = self._places_read_out()
        output = self.cell.read_out(*([state[at] for at in each] for each in places))
        if self.return_sequences:
            outputs = self.cell.read_out(*([states[at] for at in each] for each in places))
        if self.scan.mask == "hold" and masks is not None:  # the output is zero before the first step that counts
            ons = masks[..., 0]
            if zero_output:
                begun, ever = ons, ons[:, -1]
            else:
                begun, ever = tf.cumsum(tf.cast(ons, tf.int32), 1) > 0, tf.reduce_any(ons, 1)
            output = tf.where(ever[:, None], output, tf.zeros_like(output))
            outputs = outputs if outputs is None else tf.where(begun[..., None], outputs, tf.zeros_like(outputs))
        return output, outputs
