"""Explorers show structures with their sigma, and a stored one goes on bit by bit."""

import json
from typing import ClassVar

import numpy as np
import pytest
from active_calculators import cell
from ase import units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from gapy.active import MD, BasinHopping, RandomStructures, Relaxation, Swaps
from gapy.active.checkpoint import _pack, _unpack
from gapy.active.explorers.base import rng_of
from gapy.errors import GapyError
from gapy.geometry.neighbours import neighbour_list


def alloy():
    return cell().repeat((2, 1, 1))


EXPLORERS = {
    "md-nve": lambda: MD(alloy(), ensemble="nve", temperature=300, ps=0.1, timestep=2.0),
    "md-nvt": lambda: MD(alloy(), temperature=300, temperature_end=900, ps=0.1, timestep=2.0),
    "md-bussi": lambda: MD(alloy(), ensemble="nvt-bussi", temperature=300, ps=0.1, timestep=2.0),
    "md-npt": lambda: MD(
        alloy(), ensemble="npt", temperature=300, pressure=0.0, pressure_end=5.0, ps=0.1
    ),
    "relaxation": lambda: Relaxation(alloy(), n=2, max_steps=30),
    "relaxation-cell": lambda: Relaxation(alloy(), n=2, max_steps=30, cell=True),
    "basin-hopping": lambda: BasinHopping(alloy(), hops=3, max_steps=15),
    "random": lambda: RandomStructures(alloy(), n=12, max_steps=4),
    "random-unrelaxed": lambda: RandomStructures(alloy(), n=20, max_steps=0),
    "swaps": lambda: Swaps(alloy(), steps=100, temperature=500, temperature_end=1000),
}
TOGETHER = 50


def begun(make, potential, seed=3):
    explorer = make()
    explorer.begin(rng_of(seed, 0))
    explorer.attach(potential.calculator(uncertainty=True))
    return explorer


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_step_has_a_structure_and_its_sigma(name, potential):
    explorer = begun(EXPLORERS[name], potential)
    for k in range(12):
        frame = explorer.advance()
        assert frame.step == k + 1 and frame.broken is None
        out = potential.evaluate(frame.atoms, force_std=True)
        np.testing.assert_allclose(frame.forces_std, out.forces_std, rtol=1e-6)
        np.testing.assert_allclose(frame.forces, out.forces, atol=1e-8)
        assert frame.energy == pytest.approx(out.energy, abs=1e-9)
        assert frame.max_force_std == frame.forces_std.max()
        assert 0 <= frame.stage < explorer.stages


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_stored_walker_goes_on_bit_by_bit(name, potential):
    """One is attached anew in the middle, as at a checkpoint; the other comes from a file."""
    one = begun(EXPLORERS[name], potential)
    for _ in range(TOGETHER // 2):
        one.advance()
    stored = json.loads(json.dumps(one.get_state(), default=_pack), object_hook=_unpack)
    one.attach(potential.calculator(uncertainty=True))
    two = EXPLORERS[name]()
    two.set_state(stored)
    two.attach(potential.calculator(uncertainty=True))
    for _ in range(TOGETHER // 2):
        a, b = one.advance(), two.advance()
        if a is None:
            assert b is None and one.finished == two.finished
            break
        assert np.array_equal(a.atoms.positions, b.atoms.positions)
        assert np.array_equal(a.atoms.cell.array, b.atoms.cell.array)
        assert a.energy == b.energy and np.array_equal(a.forces_std, b.forces_std)


@pytest.mark.parametrize("name", EXPLORERS)
def test_they_end_and_say_why(name, potential):
    explorer = begun(EXPLORERS[name], potential)
    frames = 0
    while explorer.advance() is not None:
        frames += 1
        assert frames <= explorer.total_steps()
    assert "done" in explorer.finished
    assert explorer.plan().split(",")[0]


def test_seeds_make_walkers_different(potential):
    one, two = begun(EXPLORERS["md-nvt"], potential, 1), begun(EXPLORERS["md-nvt"], potential, 2)
    assert not np.array_equal(one.advance().atoms.positions, two.advance().atoms.positions)


def test_ramps_go_where_they_should():
    md = MD(
        alloy(), ensemble="npt", temperature=300, temperature_end=900, pressure=1.0,
        pressure_end=3.0, ps=1.0, cycles=2,
    )  # fmt: skip
    assert md.steps == 1000
    assert [md.temperature_at(s) for s in (0, 250, 500, 750, 1000)] == [300, 600, 900, 600, 300]
    assert [md.pressure_at(s) for s in (0, 500, 1000)] == [1.0, 3.0, 1.0]
    assert [md.stage_at(s) for s in (0, 250, 500)] == [0, 2, 4]


def test_nve_conserves_the_energy_and_nvt_heats(potential):
    md = begun(lambda: MD(alloy(), ensemble="nve", temperature=300, ps=0.2), potential)
    total = []
    for _ in range(200):
        frame = md.advance()
        total.append(frame.energy + frame.atoms.get_kinetic_energy())
    assert np.ptp(total) < 5e-3 * len(alloy())
    hot = begun(
        lambda: MD(alloy(), temperature=50, temperature_end=600, ps=0.5, thermostat_time=20),
        potential,
    )
    temperatures = [hot.advance().atoms.get_temperature() for _ in range(500)]
    assert np.mean(temperatures[-100:]) > 3 * np.mean(temperatures[:100])


def test_relaxation_reaches_its_threshold(potential):
    explorer = begun(lambda: Relaxation(alloy(), n=1, fmax=0.05, max_steps=500), potential)
    frames = []
    while (frame := explorer.advance()) is not None:
        frames.append(np.linalg.norm(frame.forces, axis=1).max())
    assert frames[-1] <= 0.05 < frames[0]


class Impurities(Calculator):
    """Two impurities whose energy depends on their distance; every force is known."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def check_state(self, atoms, tol=0.0):
        """ASE's own comparison takes longer than the energy."""
        same = self.atoms is not None and np.array_equal(self.atoms.positions, atoms.positions)
        return [] if same else ["positions"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, j = np.flatnonzero(atoms.numbers == 79)
        between = atoms.positions[i] - atoms.positions[j]
        lengths = atoms.cell.lengths()  # of an orthorhombic cell
        between -= lengths * np.round(between / lengths)
        energy = 0.3 * np.cos(np.linalg.norm(between))
        zero = np.zeros((len(atoms), 3))
        self.results = {"energy": energy, "forces": zero, "forces_std": zero}


def test_swaps_sample_the_boltzmann_distribution():
    """Populations of all placements of two impurities, enumerated, against Monte Carlo."""
    atoms = bulk("Cu", a=3.7, cubic=True).repeat((2, 1, 1))
    atoms.symbols[:2] = "Au"
    swaps = Swaps(atoms, steps=4000, temperature=900, displacement=0.0)
    swaps.begin(rng_of(0, 0))
    swaps.attach(Impurities())
    counts = {}
    while swaps.advance() is not None:
        energy = round(swaps.atoms.get_potential_energy(), 6)
        counts[energy] = counts.get(energy, 0) + 1
    weights = {}
    for i in range(8):
        for j in range(i):
            trial = bulk("Cu", a=3.7, cubic=True).repeat((2, 1, 1))
            trial.symbols[[i, j]] = "Au"
            trial.calc = Impurities()
            energy = trial.get_potential_energy()
            key = round(energy, 6)
            weights[key] = weights.get(key, 0.0) + np.exp(-energy / (units.kB * 900))
    total = sum(weights.values())
    assert len(weights) > 1
    for energy, weight in weights.items():
        assert counts.get(energy, 0) / 4000 == pytest.approx(weight / total, abs=0.04)


def test_random_structures_keep_their_distances_and_composition(potential):
    explorer = begun(lambda: RandomStructures(alloy(), n=20, max_steps=0), potential)
    volumes = []
    while (frame := explorer.advance()) is not None:
        atoms = frame.atoms
        assert atoms.get_chemical_formula() == alloy().get_chemical_formula()
        found = neighbour_list(atoms.positions, atoms.cell.array, atoms.pbc, 4.0)
        assert np.sqrt(found.shortest_squared) > 0.8 * 2 * 1.21 - 1e-9
        volumes.append(atoms.get_volume() / alloy().get_volume())
    assert len(volumes) == 20 and min(volumes) > 0.7 and max(volumes) < 2.0


def test_broken_structures_are_shown_as_broken(potential):
    md = begun(lambda: MD(alloy(), temperature=300, timestep=2.0), potential)
    momenta = md.atoms.get_momenta()
    momenta[0] = 1e9
    md.atoms.set_momenta(momenta)
    frame = md.advance()
    assert frame.broken is not None and frame.max_force_std == np.inf


def test_a_calculator_without_sigma_is_refused():
    md = MD(cell())
    md.begin(rng_of(0, 0))
    md.attach(EMT())
    with pytest.raises(GapyError, match="forces_std"):
        md.advance()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MD(None), "start"),
        (lambda: MD(cell(), temperature=-1), "temperature"),
        (lambda: MD(cell(), ensemble="npt2"), "ensemble"),
        (lambda: MD(cell(), ps=0), "ps must be"),
        (lambda: MD(cell(), pressure=1.0), "pressure"),
        (lambda: MD(cell(), pressure_end=1.0), "pressure"),
        (lambda: MD(cell(), cycles=0), "cycles"),
        (lambda: Relaxation(cell(), n=0), "n must be"),
        (lambda: Relaxation(cell(), cell="yes"), "true or false"),
        (lambda: BasinHopping(cell(), hops=0), "hops"),
        (lambda: RandomStructures(cell(), volumes=(2.0, 1.0)), "smaller one first"),
        (lambda: RandomStructures(cell(), closeness=0), "closeness"),
        (lambda: Swaps(cell(), swap_share=1.5), "swap_share"),
        (lambda: Swaps(bulk("Cu")), "two species"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(GapyError, match=words):
        make()
