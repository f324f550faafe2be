"""What the scale of charges is found from, of parts of the data and of all of them."""

from __future__ import annotations

from typing import NamedTuple

from gapy.distributed.parts import Part
from gapy.fit.charge_scale import scale_sample
from gapy.structures import LabelKeys, LabelledStructure, is_isolated_atom, read_part


class Few(NamedTuple):
    """The structures of `gapy.fit.charge_scale`, and the isolated atoms beside them."""

    sample: list[LabelledStructure]
    alone: list[LabelledStructure]


def few_of(part: Part, keys: LabelKeys, seed: int) -> Few:
    """Those of a part."""
    structures, _ = read_part(*part, keys)
    return Few(scale_sample(structures, seed), [s for s in structures if is_isolated_atom(s)])


def few_among(a: Few, b: Few, seed: int) -> Few:
    """Those of two parts together."""
    return Few(scale_sample([*a.sample, *b.sample], seed), [*a.alone, *b.alone])
