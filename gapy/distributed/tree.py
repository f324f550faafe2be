"""A fixed tree of tasks over the parts: the same sums for any number of workers, in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def reduced(client, leaves: Sequence, join: Callable, *arguments):
    """A future of join(join(a, b), join(c, d), ...) of futures, neighbours two by two.

    Which two are joined depends on their number alone. A leaf is dropped by the cluster once it is
    in a sum.
    """
    level = list(leaves)
    while len(level) > 1:
        joined = [
            client.submit(join, a, b, *arguments, pure=False)
            for a, b in zip(level[::2], level[1::2])
        ]
        level = [*joined, *level[2 * len(joined) :]]
    return level[0]
