"""A potential from its file, checked against the reference structures that it holds."""

from __future__ import annotations

from gapy.errors import ModelFileError, PackageError
from gapy.model import modelfile, references, serialise
from gapy.model.potential import Potential


def load(path, *, trust: bool = False) -> Potential:
    """Read a potential that `Potential.save` wrote; its predictions are equal to the last bit.

    Energies and sigmas of the reference structures are evaluated again, so a file that this version
    would evaluate differently is refused. trust: whether the calculator that a baseline may name
    (`gapy.baselines.ASECalculator`) is imported, which runs code that the file chooses.

    Raises
    ------
    ModelFileError : missing, not a gapy model, truncated, altered, of a newer version, or with
        other reference energies or sigmas than stored, or, without trust, with a calculator
    PackageError : a baseline needs a package that is not installed
    """
    return from_archive(modelfile.read(path), path, trust=trust)


def from_archive(archive: modelfile.Archive, path, *, trust: bool = False) -> Potential:
    """The potential of an archive read from `path`, its references checked; trust as in `load`."""
    serialise.require_trust(archive.model, trust, path)
    try:
        potential = Potential(**serialise.unpack(archive.model, archive.arrays))
        references.check(potential, archive.arrays, path)
    except (ModelFileError, PackageError):
        raise
    # The schema does not know all that libraries refuse, and they refuse it in many ways.
    except Exception as error:
        raise ModelFileError(
            f"{path}: expected a model that this version can rebuild, got "
            f"{' '.join(repr(error).split())[:300]}; fit it again"
        ) from error
    potential.__dict__["sha256"] = archive.sha256
    return potential
