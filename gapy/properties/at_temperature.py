"""Motion at a temperature: radial distribution and diffusion of a short run of molecular dynamics.

    g(r) = V / N^2 <sum_ij delta(r - r_ij)> / 4 pi r^2,    D = 1/6 d/dt <|r_i(t0 + t) - r_i(t0)|^2>

averaged over the second half of the run, and over time origins t0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import ase.io
import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from gapy.errors import GapyError, PropertyError
from gapy.md.run import run_md
from gapy.properties.result import Result, require_periodic
from gapy.properties.supercells import repeats_of

BINS = 120
FRAMES = 100
"""Of the run, of which the second half counts."""


@dataclass(frozen=True)
class Motion(Result):
    """distances (k,) A with g (k,); times (t,) ps with msd (t,) A^2, from the second half.

    peak: A, where g is largest. neighbours: up to the first minimum behind it. diffusion: A^2/ps.
    temperature: K, mean of that half. last: the last frame.
    """

    units: ClassVar[Mapping[str, str]] = {
        "first peak": "A", "neighbours": "", "diffusion": "A^2/ps", "temperature": "K",
    }  # fmt: skip
    distances: np.ndarray
    g: np.ndarray
    times: np.ndarray
    msd: np.ndarray
    peak: float
    neighbours: float
    diffusion: float
    temperature: float
    last: Atoms

    def frames(self) -> tuple[Atoms, ...]:
        """The last frame."""
        return (self.last,)

    def numbers(self) -> dict[str, float]:
        """First peak (A), neighbours, diffusion (A^2/ps), temperature (K)."""
        return {
            "first peak": self.peak,
            "neighbours": self.neighbours,
            "diffusion": self.diffusion,
            "temperature": self.temperature,
        }


def motion(
    calculator,
    atoms: Atoms,
    *,
    temperature: float = 300.0,
    steps: int = 2000,
    timestep: float = 1.0,
    supercell=None,
    reach: float = 6.0,
    seed: int = 0,
) -> Motion:
    """Radial distribution and diffusion at constant volume.

    Arguments
    ---------
    atoms : crystal or liquid; its volume is kept
    temperature : K, of a thermostat that rescales velocities and so leaves diffusion alone
    steps, timestep (fs) : of the run, of which the second half counts
    supercell : repeats of the cell, by default those of `repeats_of`
    reach : largest distance of the radial distribution, A

    Raises PropertyError where the run ends early, GapyError for a run too short.
    """
    require_periodic(atoms, "motion")
    if steps < 2 * FRAMES or not reach > 0.0:
        raise GapyError(
            f"steps, reach: expected at least {2 * FRAMES} steps and a positive distance, got "
            f"{steps} and {reach}"
        )
    start = atoms.repeat(repeats_of(atoms, supercell))
    every = steps // FRAMES
    with tempfile.TemporaryDirectory() as folder:
        result = run_md(
            start, calculator, Path(folder) / "run", temperature=temperature, steps=steps,
            timestep=timestep, traj_interval=every, seed=seed, max_force_std=np.inf,
            ensemble="nvt-bussi",
        )  # fmt: skip
        if result.status != "finished":
            raise PropertyError(
                f"motion: the run at {temperature:g} K ended after {result.n_steps} steps, "
                f"{result.reason}; choose a lower temperature"
            )
        frames = ase.io.read(result.trajectory_path, ":")
    frames = frames[len(frames) // 2 :]
    distances, g, density = _distribution(frames, reach)
    times = np.arange(len(frames) // 2) * every * timestep / 1000.0
    msd = displacements(np.array([frame.positions for frame in frames]))[: len(times)]
    k = int(np.argmax(g))
    behind = k + int(np.argmin(g[k : np.searchsorted(distances, 1.6 * distances[k])]))
    shell = 4.0 * np.pi * density * np.diff(distances, prepend=0.0) * distances**2 * g
    return Motion(
        distances, g, times, msd, float(distances[k]), float(shell[: behind + 1].sum()),
        diffusion(times, msd), float(np.mean([f.get_temperature() for f in frames])), frames[-1],
    )  # fmt: skip


def diffusion(times: np.ndarray, msd: np.ndarray) -> float:
    """D (A^2/ps): a sixth of the slope of msd (k,) A^2 over the second half of times (k,) ps."""
    half = len(times) // 2
    return float(np.polyfit(times[half:], msd[half:], 1)[0]) / 6.0


def displacements(positions: np.ndarray) -> np.ndarray:
    """Mean square displacement (A^2) after each number of frames, over atoms and time origins.

    positions (t, n, 3) : A, not wrapped; the drift of their mean is taken out
    """
    moved = positions - positions.mean(axis=1, keepdims=True)
    lags = range(len(moved))
    return np.array([((moved[k:] - moved[: len(moved) - k]) ** 2).sum(2).mean() for k in lags])


def _distribution(frames: list[Atoms], reach: float):
    """Middles of the bins (A), g, and the density (1/A^3)."""
    edges = np.linspace(0.0, reach, BINS + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    counts = sum(np.histogram(neighbor_list("d", f, reach), edges)[0] for f in frames)
    density = len(frames[0]) / frames[0].get_volume()
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    return middle, counts / (len(frames) * len(frames[0]) * density * shells), density
