"""Random structures, finite differences and a toy labelling potential, shared by the tests."""

from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.geometry import complete_cell
from ase.neighborlist import neighbor_list
from hypothesis import strategies as st

from gapy.error_bars.calibration import ForceCalibration
from gapy.fit.labels import labels_of, rows_of

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
PERIODICITY = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1))

seeds = st.integers(0, 2**31 - 1)
periodicities = st.sampled_from(PERIODICITY)


def labelled_frames(n_frames: int, seed: int) -> list[Atoms]:
    """Strained and rattled Cu, Al and CuAl cells of 4 atoms with EMT labels."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n_frames):
        atoms = bulk("Cu", a=3.8, cubic=True)
        atoms.symbols = (["Cu"] * 4, ["Al"] * 4, ["Cu", "Cu", "Al", "Al"])[k % 3]
        atoms.set_cell(atoms.cell * (1 + 0.03 * rng.normal(size=3)), scale_atoms=True)
        atoms.rattle(0.12, rng=rng)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.info["REF_stress"] = atoms.get_stress()
        atoms.info["config_type"] = ("pure", "pure", "alloy")[k % 3]
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    return frames


def random_rotation(rng):
    """A proper rotation matrix, uniformly distributed."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def random_cell(rng, length=4.0, skew=0.25):
    """A triclinic cell with edges near `length` (A)."""
    return length * (np.eye(3) + rng.uniform(-skew, skew, (3, 3)))


def random_structure(
    rng, symbols=("Si", "C"), n_atoms=5, pbc=(1, 1, 1), length=4.5, min_distance=1.3
):
    """Atoms of random species, images included at least `min_distance` (A) apart.

    Where they do not fit the cell grows. Species come in random order; some atoms lie outside
    the cell.
    """
    pbc = np.asarray(pbc, dtype=bool)
    cell = random_cell(rng, length)
    images = np.array(list(np.ndindex(3, 3, 3))) - 1
    images = images[(images[:, ~pbc] == 0).all(axis=1)]
    positions = []
    tries = 0
    while len(positions) < n_atoms:
        tries += 1
        if tries % 200 == 0:
            cell *= 1.1
            positions = []
        trial = rng.uniform(0, 1, 3) @ cell
        others = np.array([*positions, trial])[:, None] + (images @ cell)[None]
        d = np.linalg.norm(others - trial, axis=2)
        if np.sort(d.ravel())[1:2].min(initial=np.inf) > min_distance:
            positions.append(trial)
    positions = np.array(positions)
    outside = rng.integers(-1, 2, (n_atoms, 3)) * (rng.random((n_atoms, 1)) < 0.3) * pbc
    return Atoms(rng.choice(list(symbols), n_atoms), positions + outside @ cell, cell=cell, pbc=pbc)


def structures(symbols=("Si", "C"), n_atoms=5, **options):
    """Hypothesis strategy of `random_structure` over seeds and periodicities."""
    return st.builds(
        lambda seed, pbc: random_structure(
            np.random.default_rng(seed), symbols, n_atoms, pbc, **options
        ),
        seeds,
        periodicities,
    )


def richardson(f, h):
    """f'(0) from central differences at h and h/2, error O(h^4)."""
    coarse = (f(h) - f(-h)) / (2 * h)
    fine = (f(h / 2) - f(-h / 2)) / h
    return (4.0 * fine - coarse) / 3.0


def along(f, atoms, direction, h=1e-3):
    """sum_jc direction_jc d f(atoms) / d r_jc by finite differences."""

    def moved(step):
        copy = atoms.copy()
        copy.positions += step * direction
        return f(copy)

    return richardson(moved, h)


def along_atom(f, atoms, j, c, h=1e-3):
    """d f(atoms) / d r_jc by finite differences."""
    direction = np.zeros((len(atoms), 3))
    direction[j, c] = 1.0
    return along(f, atoms, direction, h)


def along_strain(f, atoms, v, h=1e-3):
    """d f(atoms) / d strain_v for the symmetric strain of one Voigt component."""
    a, b = VOIGT[v]

    def strained(step):
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5 * step
        strain[b, a] += 0.5 * step
        copy = atoms.copy()
        deformation = np.eye(3) + strain
        copy.positions = atoms.positions @ deformation
        copy.cell = atoms.cell.array @ deformation
        return f(copy)

    return richardson(strained, h)


def images_within(atoms, cutoff):
    """Brute-force pairs (i, j, vector) closer than `cutoff`, images included."""
    box = complete_cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0))
    heights = 1.0 / np.linalg.norm(np.linalg.inv(box), axis=0)
    spread = np.ptp(atoms.positions @ np.linalg.inv(box), axis=0)
    reach = np.where(atoms.pbc, np.ceil(cutoff / heights + spread).astype(int), 0)
    shifts = np.array(list(np.ndindex(*(2 * reach + 1)))) - reach
    out = []
    for i in range(len(atoms)):
        for j in range(len(atoms)):
            r = atoms.positions[j] - atoms.positions[i] + shifts @ box
            d = np.linalg.norm(r, axis=1)
            keep = (d < cutoff) & ((i != j) | shifts.any(axis=1))
            out += [(i, j, v) for v in r[keep]]
    return out


def morse_labels(atoms, cutoff=4.0, noise=0.0, rng=None):
    """Label a structure in place with a smooth pair potential that depends on the species.

    E = sum_pairs A_ij (e^(-2 a (r - r0)) - 2 e^(-a (r - r0))) f(r), f = (1 - (r / cutoff)^2)^3.
    """
    n = len(atoms)
    energy, forces, virial = 0.0, np.zeros((n, 3)), np.zeros((3, 3))
    a, r0 = 1.2, 2.3
    for i, j, v in images_within(atoms, cutoff):
        depth = 0.1 + 0.02 * np.sqrt(atoms.numbers[i] * atoms.numbers[j])
        r = np.linalg.norm(v)
        f, df = (1 - (r / cutoff) ** 2) ** 3, -6 * r / cutoff**2 * (1 - (r / cutoff) ** 2) ** 2
        e = np.exp(-a * (r - r0))
        pair, dpair = depth * (e * e - 2 * e), depth * 2 * a * (e - e * e)
        energy += 0.5 * pair * f
        g = 0.5 * (dpair * f + pair * df) * v / r
        forces[j] -= g
        forces[i] += g
        virial += np.outer(g, v)
    if noise:
        energy += noise * rng.normal()
        forces = forces + noise * rng.normal(size=forces.shape)
    atoms.info["REF_energy"] = float(energy)
    atoms.arrays["REF_forces"] = forces
    if atoms.pbc.any():
        stress = 0.5 * (virial + virial.T) / atoms.get_volume()
        atoms.info["REF_stress"] = np.array([stress[k] for k in VOIGT])
    return atoms


def stillinger_weber(atoms):
    """Label periodic silicon in place with the Stillinger-Weber potential.

    Source: Stillinger and Weber, Phys. Rev. B 31, 5262 (1985).
    """
    sigma, epsilon, a, lam, gam = 2.0951, 2.1683, 1.8, 21.0, 1.2
    big_a, big_b = 7.049556277, 0.6022245584
    i, j, d, vec = neighbor_list("ijdD", atoms, a * sigma * (1 - 1e-9))
    x = d / sigma
    tail = np.exp(1 / (x - a))
    v2 = big_a * epsilon * (big_b * x**-4 - 1) * tail
    dv2 = big_a * epsilon * tail * (-4 * big_b * x**-5 - (big_b * x**-4 - 1) / (x - a) ** 2)
    g = 0.5 * (dv2 / (sigma * d))[:, None] * vec  # gradient with respect to each pair vector
    energy = 0.5 * v2.sum()
    h = np.exp(gam / (x - a))
    dh = -h * gam / (x - a) ** 2 / (sigma * d)
    for centre in range(len(atoms)):
        p = np.flatnonzero(i == centre)
        s, t = np.triu_indices(len(p), 1)
        p, q = p[s], p[t]
        cos = np.einsum("pc,pc->p", vec[p], vec[q]) / (d[p] * d[q])
        angular = lam * epsilon * (cos + 1 / 3)
        energy += (angular * (cos + 1 / 3) * h[p] * h[q]).sum()
        slope = 2 * angular * h[p] * h[q]
        for one, two in ((p, q), (q, p)):
            dcos = vec[two] / (d[one] * d[two])[:, None] - (cos / d[one] ** 2)[:, None] * vec[one]
            radial = (angular * (cos + 1 / 3) * dh[one] * h[two])[:, None] * vec[one]
            np.add.at(g, one, slope[:, None] * dcos + radial)
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, j, -g)
    np.add.at(forces, i, g)
    virial = np.einsum("pa,pb->ab", g, vec)
    stress = 0.5 * (virial + virial.T) / atoms.get_volume()
    atoms.info["REF_energy"], atoms.arrays["REF_forces"] = float(energy), forces
    atoms.info["REF_stress"] = np.array([stress[k] for k in VOIGT])
    return atoms


def labels_in(gp, s, terms=None):
    """(Rows, labels) of a structure as a fitted regressor sees them, local rows among them."""
    state = gp.training_
    rows = rows_of(state.terms if terms is None else terms, s, state.kinds, local=True)
    return rows, labels_of(s, rows, state.e0, state.baselines)


class BareDescriptor:
    """Of a term of which only the inducing points and their kernel matter."""

    of_pairs = False


BARE = BareDescriptor()


def with_posterior(potential, gain=0.4):
    """A potential whose force sigma follows posterior samples, whatever its errors prefer."""
    known = ForceCalibration(((1e-8, 0.01), (1e-2, 1.0)), 0.5, ("spread",), 1.0)
    calibration = replace(potential.calibration, posterior=known, gain=gain)
    return replace(potential, calibration=calibration)
