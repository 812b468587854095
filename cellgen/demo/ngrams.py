"""What counting alone can do: n-grams with Witten and Bell's smoothing, the baselines of a character model."""

from collections import Counter
from math import log2

MOST = 6  # characters of context


def ngrams(train: str, test: str, alphabet: str, most: int = MOST) -> tuple[float, ...]:
    """Bits per character of `test` under the counts in `train`, for 0 to `most` characters of context.

    Each context hands on to the next shorter one in proportion to the kinds of characters seen after it (Witten & Bell
    1991), and the empty one to all of the alphabet alike; a context never seen hands on everything. At the start of the
    text the context is what there is.
    """
    counts, seen, kinds = Counter(), Counter(), Counter()
    for length in range(most + 1):
        found = Counter(train[at : at + length + 1] for at in range(len(train) - length))
        counts |= found
        for gram, count in found.items():
            seen[gram[:-1]] += count
            kinds[gram[:-1]] += 1
    bits = [0.0] * (most + 1)
    for at, character in enumerate(test):
        probability = 1 / len(alphabet)
        for length in range(most + 1):
            context = test[max(0, at - length) : at]
            if len(context) == length and seen[context]:
                total = seen[context] + kinds[context]
                probability = (counts[context + character] + kinds[context] * probability) / total
            bits[length] -= log2(probability)
    return tuple(each / len(test) for each in bits)
