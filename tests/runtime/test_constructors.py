"""Constructors: the arguments of a class, by the names that they have here, and Keras's own."""

import re

import keras
import pytest

from cellgen.runtime import constructors


class Made:
    scan = None

    def __init__(self, units, use_bias=True, *, kernel_initializer="zeros", **kwargs):
        self.all = constructors.given(locals())


class Heir(Made):
    def __init__(self, more, **kwargs):
        super().__init__(**kwargs)


def test_what_a_constructor_is_given():
    found = Made(3, kernel_initializer="ones", name="a").all
    assert found == {"units": 3, "use_bias": True, "kernel_initializer": "ones", "name": "a"}


def test_what_a_class_declares():
    """Of an heir that changes nothing of it, what it inherits."""
    assert constructors.parameters(Made.__init__) == ("units", "use_bias", "kernel_initializer")
    assert (
        constructors.declared(Heir, "scan")
        == constructors.declared(Made, "scan")
        == constructors.parameters(Made.__init__)
    )


def test_registries():
    assert constructors.registry("kernel_initializer") is keras.initializers
    assert constructors.registry("recurrent_kernel_regularizer") is keras.regularizers
    assert constructors.registry("ln_x_scale_constraint") is keras.constraints
    assert constructors.of_weight("W_initializer") and not constructors.of_weight("initializer")


NAMES = "units", "recurrent_kernel_initializer", "U_initializer"


@pytest.mark.parametrize(
    "argument, ours",
    [
        ("recurrent_initializer", "recurrent_kernel_initializer"),
        ("U_initializer", "U_initializer"),
        ("recurrent_activation", "recurrent_activation"),
        ("recurrent_constraint", "recurrent_constraint"),
    ],
)
def test_names_of_the_recurrent_weights(argument, ours):
    assert constructors.our_name(argument, NAMES) == ours


def test_arguments_of_kerass_own_layers():
    keywords = {"reset_after": ((True,), "True here")}
    given = {"units": 3, "dropout": 0.0, "seed": 7, "recurrent_initializer": "zeros", "reset_after": True, "name": "a"}
    found = constructors.own_arguments(given, NAMES, keywords)
    assert found == {"units": 3, "recurrent_kernel_initializer": "zeros", "name": "a"}
    assert constructors.own_arguments({"seed": 3}, ["seed"], {}) == {"seed": 3}
    sentence = "`reset_after` must be True here. Received: False"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        constructors.own_arguments({"reset_after": False}, NAMES, keywords)
    sentence = "`dropout` must be 0, for it drops nothing. A spec says `dropout(x, rate, per=sequence)`. Received: 0.5"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        constructors.own_arguments({"dropout": 0.5}, NAMES, {})
