"""The Hierarchical Multiscale LSTM reads a text beside two plain stacks."""

from cellgen.demo.command import demo

__all__ = ["demo"]
