"""Raw label values to floats and arrays of the right shape and unit."""

import numpy as np

from gapy._support.ranges import require_range
from gapy._support.voigt import voigt as in_voigt_order
from gapy.errors import GapyError, StructureError

# Written tensors are rounded; anything less symmetric than this is not a stress.
ASYMMETRY = 1e-3


def scalar(value: object, key: str, where: str) -> float:
    """One number."""
    array = _numbers(value, key, where)
    if array.size != 1:
        raise StructureError(
            f"{where}: {key!r} expected one number, got shape {array.shape}; name another key or "
            "correct the file"
        )
    return float(array.reshape(()))


def positive(value: object, key: str, where: str, kind: str) -> float:
    """One finite number above zero and of usable size, as a noise sigma must be."""
    sigma = scalar(value, key, where)
    if not (np.isfinite(sigma) and sigma > 0):
        raise StructureError(
            f"{where}: {key!r} expected a positive finite noise, got {sigma:g}; remove the key to "
            "use the noise of the config_type"
        )
    try:
        require_range(f"sigma_{kind}", sigma, f"{where}: {key!r}")
    except GapyError as error:
        raise StructureError(str(error)) from None
    return sigma


def vectors(value: object, n_atoms: int, key: str, where: str) -> np.ndarray:
    """(n, 3) array, one row per atom."""
    array = _numbers(value, key, where)
    if array.shape != (n_atoms, 3):
        raise StructureError(
            f"{where}: {key!r} expected shape ({n_atoms}, 3), got {array.shape}; name another key "
            "or correct the file"
        )
    return array


def voigt(value: object, key: str, where: str) -> np.ndarray:
    """(6,) array xx yy zz yz xz xy from 6 numbers, 9 numbers or a symmetric 3 x 3 tensor."""
    array = _numbers(value, key, where)
    if array.shape == (6,):
        return array
    if array.shape not in ((9,), (3, 3)):
        raise StructureError(
            f"{where}: {key!r} expected 6 numbers (xx yy zz yz xz xy), 9 numbers or a 3 x 3 "
            f"tensor, got shape {array.shape}; name another key or correct the file"
        )
    tensor = array.reshape(3, 3)
    if np.abs(tensor - tensor.T).max() > ASYMMETRY * np.abs(tensor).max():
        raise StructureError(
            f"{where}: {key!r} expected a symmetric tensor, got {tensor.tolist()}; correct the "
            "file or give 6 numbers (xx yy zz yz xz xy)"
        )
    return in_voigt_order(tensor)


def stress_from_virial(virial: np.ndarray, volume: float, key: str, where: str) -> np.ndarray:
    """stress = -virial / volume; (6,) eV/A^3 from (6,) eV and A^3."""
    if volume <= 0:
        raise StructureError(
            f"{where}: {key!r} needs a cell with a volume to become a stress, got volume "
            f"{volume:g} A^3; add the cell or remove the virial"
        )
    return -virial / volume


def _numbers(value: object, key: str, where: str) -> np.ndarray:
    try:
        return np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise StructureError(
            f"{where}: {key!r} expected numbers, got {value!r:.60}; name another key or correct "
            "the file"
        ) from None
