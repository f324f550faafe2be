"""Structures without labels: the one that a command begins from, or any that it evaluates."""

from __future__ import annotations

from gapy.errors import GapyError


def start_structure(start: str, potential):
    """The frame that `start` names, known to the model and plausible.

    Raises GapyError for more than one frame, SpeciesError and StructureError for what the model or
    nobody can compute.
    """
    from gapy.structures import read_atoms

    frames = read_atoms(start, index=-1)
    if len(frames) > 1:
        raise GapyError(f"start: expected one frame, {start} selects {len(frames)}; name one, @0")
    require_known(frames, start, potential)
    return frames[0]


def require_known(frames, source: str, potential) -> None:
    """Raise SpeciesError or StructureError, with the place, for what cannot be computed."""
    from gapy.errors import SpeciesError
    from gapy.structures import LabelledStructure, check_structures

    for k, atoms in enumerate(frames):
        try:
            potential.check_species(atoms.numbers)
        except SpeciesError as error:
            raise SpeciesError(f"{source} frame {k}: {error}") from error
    check_structures(
        [
            LabelledStructure(
                atoms=atoms,
                energy=None,
                forces=None,
                stress=None,
                config_type="start",
                energy_sigma=None,
                forces_sigma=None,
                stress_sigma=None,
                source=source,
                index=k,
            )
            for k, atoms in enumerate(frames)
        ]
    )
