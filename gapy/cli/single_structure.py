"""The one structure that a command begins from."""

from __future__ import annotations

from gapy.errors import GapyError


def start_structure(start: str, potential):
    """The frame that `start` names, known to the model and plausible.

    Raises GapyError for more than one frame, SpeciesError and StructureError for what the model or
    nobody can compute.
    """
    from gapy.structures import LabelledStructure, check_structures, read_atoms

    frames = read_atoms(start, index=-1)
    if len(frames) > 1:
        raise GapyError(f"start: expected one frame, {start} selects {len(frames)}; name one, @0")
    potential.check_species(frames[0].numbers)
    check_structures(
        [
            LabelledStructure(
                atoms=frames[0],
                energy=None,
                forces=None,
                stress=None,
                config_type="start",
                energy_sigma=None,
                forces_sigma=None,
                stress_sigma=None,
                source=start,
                index=0,
            )
        ]
    )
    return frames[0]
