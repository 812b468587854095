"""The families of cells: what `family:` may say, and what each word stands for."""

FAMILIES = {
    "simple": "one activation of a sum, without gates: Elman's network and what became of it",
    "lstm": "a memory beside the output, and gates that write, keep and read it",
    "gru": "gates that mix the old state with a new one, which is the output too",
    "gated": "gates of another form",
    "linear": "a state that is carried linearly, lane by lane or by a fixed matrix",
    "attention": "a matrix or a sum of keys and values as state, written and read by products",
    "continuous": "a step of a differential equation in time",
    "spiking": "neurons with a threshold that they fire at",
    "memory": "a memory read and written by address, or a fixed one of what came in",
    "convolutional": "states with axes in space",
    "hierarchical": "parts that run at different scales of time",
}
