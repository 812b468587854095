"""Each cell of the catalogue beside the packages that have it too, with `--full`, where they are installed.

A module a package. Theirs has random weights, which a small table moves to ours; ours is what `cellgen.interpret` makes
of the spec, in float64. Where a package computes something else than the paper, a test says what: the package's own
equation, in numpy, agrees with it and ours does not, and the spec's `about` names it with the package's version.

They do not all agree on what else they need, and use little of it: into an environment with cellgen and `[test]`,
`pip install torch==2.13.0`, then `pip install --no-deps torchrecurrent==0.2.5 snntorch==1.0.0 ncps==1.0.1 einops
fla-core==0.6.0 xlstm==2.0.6 sru==2.6.0 minGRU-pytorch==0.2.1 mambapy==1.2.0 lru-pytorch==0.1.3 keras-lmu==0.9.0
pypots==1.5 tensorflow-addons==0.23.0 typeguard==2.13.3 flax==0.12.8` with JAX, `reservoirpy==0.4.2` with scipy, and
`recurrentgemma==1.0.1` with all it names. One that is missing, or does not import, is skipped.
"""
