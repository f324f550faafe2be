"""Row d: descriptor values and derivatives against dscribe."""

from __future__ import annotations

import numpy as np
from dscribe.descriptors import SOAP

from gapy.descriptors import CompiledSOAP
from peers.options import R_CUT
from peers.systems import silicon, soap_of
from peers.timing import interleaved


def measure(options) -> dict:
    """us/atom of values in the crystal, and of derivatives in a 64-atom cluster.

    dscribe has analytical derivatives only without periodicity and weighting.
    """
    atoms = silicon(options.repeats_of_atoms)
    soap = soap_of(options)
    compiled = CompiledSOAP(soap)
    cluster = silicon(2)
    cluster.pbc = False
    plain = SOAP(
        species=["Si"], r_cut=R_CUT, n_max=options.size, l_max=options.size, sigma=0.5,
        periodic=False,
    )  # fmt: skip
    compiled_plain = CompiledSOAP(plain)
    seconds = interleaved(
        {
            "values": lambda: _ignore(compiled.create(atoms)),
            "values_dscribe": lambda: _ignore(soap.create(atoms)),
            "derivatives": lambda: _ignore(compiled_plain.derivatives(cluster)),
            "derivatives_dscribe": lambda: _ignore(_of_dscribe(plain, cluster)),
        },
        options.repeat,
    )
    row = {
        name: 1e6 * t / len(atoms if name.startswith("values") else cluster)
        for name, t in seconds.items()
    }
    row["values_difference"] = _difference(compiled.create(atoms), soap.create(atoms))
    row["derivatives_difference"] = _difference(
        compiled_plain.derivatives(cluster), _of_dscribe(plain, cluster)
    )
    return {"d": row | {"notes": []}}


def _of_dscribe(soap, atoms):
    return soap.derivatives(atoms, method="analytical", attach=True, return_descriptor=False)


def _ignore(_) -> None:
    """Results are not times."""


def _difference(a, b) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())
