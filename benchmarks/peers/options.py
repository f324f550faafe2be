"""What a run was asked to do, and the sizes that follow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

R_CUT = 5.4
SIGMA_ENERGY, SIGMA_FORCES = 0.001, 0.05
"""eV/atom and eV/A, the same for gapy and gap_fit."""


@dataclass(frozen=True)
class Options:
    """Options of the command line as plain JSON types; paths are absolute."""

    data: str | None
    work: str
    rows: str
    repeat: int
    quick: bool
    full_fit: bool

    @property
    def size(self) -> int:
        """n_max and l_max."""
        return 3 if self.quick else 8

    @property
    def n_inducing(self) -> int:
        """Inducing points per species."""
        return 50 if self.quick else 1000

    @property
    def repeats_of_atoms(self) -> int:
        """Repeats of the cubic cell in the 512-atom structure."""
        return 2 if self.quick else 4

    def file(self, name: str) -> Path | None:
        """A file below the data directory, None if it is not there."""
        path = Path(self.data, name) if self.data else None
        return path if path is not None and path.exists() else None

    def cached(self, name: str) -> Path:
        """A file in the work directory; runs on other data or of other size have others."""
        source = "mlearn" if self.file("mlearn/Si_train.xyz") else "shipped"
        return Path(self.work, f"{'quick-' if self.quick else ''}{source}-{name}")
