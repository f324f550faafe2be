"""A structure with its labels, and the keys under which a file stores them."""

import hashlib
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from gapy.structures.charge import charge_of
from gapy.structures.spins import signs_of


class StructureWarning(UserWarning):
    """A structure is suspicious but usable; the message names the file and the frame index."""


@dataclass(frozen=True)
class LabelKeys:
    """Keys of ``atoms.info`` and ``atoms.arrays`` that hold the labels.

    ``forces`` is looked for in ``atoms.arrays``, all others in ``atoms.info``; a key that is not
    there is looked for in the calculator results (ASE moves ``energy``, ``forces`` and ``stress``
    of an extended XYZ file there). A key that was given must occur in some frame: one that differs
    from its default, or whose field is named in ``given``.

    Units: energy eV, forces eV/A, stress eV/A^3 in ASE's sign, virial eV with virial = -volume
    * stress. Stress and virial hold 6 numbers (xx yy zz yz xz xy) or 9; a frame that has both
    gives its stress, and a virial key that was given must be of use somewhere. The sigmas are a
    structure's own noise in eV/atom, eV/A, eV/A^3.
    """

    energy: str = "REF_energy"
    forces: str = "REF_forces"
    stress: str = "REF_stress"
    virial: str = "REF_virial"
    energy_sigma: str = "energy_sigma"
    forces_sigma: str = "forces_sigma"
    stress_sigma: str = "stress_sigma"
    config_type: str = "config_type"
    given: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class LabelledStructure:
    """One structure, its labels and where it came from.

    Attributes
    ----------
    atoms : species, positions, cell and pbc; no calculator; in info ``config_type`` and the
        ``charge`` (e) of one that is charged; in arrays the ``magmom_sign`` of its atoms, if known
    energy : total energy, eV, or None
    forces : (n, 3), eV/A, or None
    stress : (6,), eV/A^3, ASE sign, xx yy zz yz xz xy, or None
    config_type : noise group, "default" when the frame names none
    energy_sigma, forces_sigma, stress_sigma : own noise in eV/atom, eV/A, eV/A^3, or None
    source, index : file name (or "frames") and 0-based frame index in it
    """

    atoms: Atoms
    energy: float | None
    forces: np.ndarray | None
    stress: np.ndarray | None
    config_type: str
    energy_sigma: float | None
    forces_sigma: float | None
    stress_sigma: float | None
    source: str
    index: int

    def __repr__(self) -> str:
        kinds = ("energy", "forces", "stress")
        labels = ", ".join(kind for kind in kinds if getattr(self, kind) is not None)
        return (
            f"LabelledStructure({self.atoms.get_chemical_formula()}; {labels or 'no labels'}; "
            f"config_type {self.config_type!r}; {self.where})"
        )

    @property
    def where(self) -> str:
        """File name and frame index, as messages name them."""
        return f"{self.source} frame {self.index}"

    @property
    def n_labels(self) -> int:
        """Numbers among the labels: one energy, 3n force components, six stress components."""
        return sum(np.size(v) for v in (self.energy, self.forces, self.stress) if v is not None)

    def fingerprint(self) -> bytes:
        """Geometry, charge, signs and labels as bytes: equal for equal data, whatever the file."""
        parts = [self.atoms.numbers, self.atoms.positions, self.atoms.cell.array, self.atoms.pbc]
        labels = [self.energy, self.forces, self.stress]
        parts += [np.asarray(v, dtype=float) for v in labels if v is not None]
        if charge := charge_of(self.atoms):
            parts.append(np.array(charge))
        if (signs := signs_of(self.atoms)) is not None and signs.any():
            parts.append(signs)
        return b"".join(np.ascontiguousarray(p).tobytes() for p in parts)

    def digest(self, salt: bytes = b"") -> bytes:
        """SHA-256 of all that a fit sees: geometry, charge, signs, labels, group, own noise."""
        given = [self.energy, self.forces, self.stress]
        own = [self.energy_sigma, self.forces_sigma, self.stress_sigma]
        parts = [
            salt,
            bytes(value is not None for value in (*given, *own)),
            np.array([value for value in own if value is not None], dtype=float).tobytes(),
            self.config_type.encode(),
            b"\0",
            self.fingerprint(),
        ]
        return hashlib.sha256(b"".join(parts)).digest()


def multiset_digest(structures, begin: bytes = bytes(32)) -> bytes:
    """One digest of structures in any order, each as often as it occurs.

    The sum of their digests modulo 2^256, so that digests of parts add up: `begin` is that of
    those counted already.
    """
    total = sum((int.from_bytes(s.digest()) for s in structures), int.from_bytes(begin))
    return (total % 2**256).to_bytes(32)


def chained_digest(structures, begin: bytes = b"") -> bytes:
    """SHA-256 of structures in their order, which model files of version 2 hold."""
    for s in structures:
        begin = hashlib.sha256(begin + s.fingerprint()).digest()
    return begin


def is_isolated_type(config_type: str) -> bool:
    """Whether a config_type says IsolatedAtom or isolated_atom, in any case."""
    return config_type.replace("_", "").lower() == "isolatedatom"


def is_isolated_atom(structure: LabelledStructure) -> bool:
    """Whether this is a single atom whose config_type says IsolatedAtom or isolated_atom."""
    return len(structure.atoms) == 1 and is_isolated_type(structure.config_type)
