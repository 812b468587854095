"""Each cell of the catalogue beside the packages that have it too, with `--full`, where they are installed.

A module a package. Theirs has random weights, which a small table moves to ours; ours is what `cellgen.interpret` makes
of the spec, in float64. Where a package computes something else than the paper, a test says what: the package's own
equation, in numpy, agrees with it and ours does not, and the spec's `about` names it with the package's version.
"""
