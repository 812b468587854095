"""The text that `cellgen demo` reads: Python's own manual, which comes with Python, in the alphabet of text8."""

import re
from dataclasses import dataclass
from hashlib import sha256

ALPHABET = " abcdefghijklmnopqrstuvwxyz"


class NoManual(Exception):
    """This Python was installed without its manual."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The first 90 % to train on, 5 % to validate on, the last 5 % for the test."""

    train: str
    valid: str
    test: str

    @property
    def characters(self) -> int:
        return len(self.train) + len(self.valid) + len(self.test)

    @property
    def sha256(self) -> str:
        return sha256((self.train + self.valid + self.test).encode()).hexdigest()


def corpus(characters: int | None = None) -> Corpus:
    """The manual behind `help()`, or its first characters. It differs with the version of Python.

    Raises `NoManual`.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise NoManual("this Python was installed without its manual, the module pydoc_data") from None
    paragraphs = [paragraph for name in sorted(topics) for paragraph in topics[name].split("\n\n")]
    plain = [re.sub("[^a-z]+", " ", paragraph.lower()).strip() for paragraph in paragraphs]
    text = " ".join(dict.fromkeys(filter(None, plain)))  # topics overlap: a repeat would leak from train into test
    text = text[:characters]
    train, valid = len(text) * 90 // 100, len(text) * 95 // 100
    return Corpus(text[:train], text[train:valid], text[valid:])


def symbols(text: str) -> list[int]:
    """Each character's place in the alphabet."""
    return [ALPHABET.index(character) for character in text]
