"""dscribe's SOAP evaluated by compiled kernels, with analytical derivatives in every case.

x_d(i) = sum_m c_ku c_kv, with c the density coefficients of the neighbourhood of atom i; see
`gapy._jit.soap` for the layout and `radial_basis` for the radial part.
"""

from __future__ import annotations

import warnings
from copy import copy

import numpy as np

from gapy._jit import density as _density
from gapy._jit import harmonics as _harmonics
from gapy._jit import soap as _soap
from gapy._jit import soap_derivatives as _derivatives
from gapy._jit import soap_members as _members
from gapy._jit.aligned import aligned_empty
from gapy._jit.pairs import ONE_STRUCTURE, forces_from_pairs
from gapy._jit.vector import LANES
from gapy._support.ranges import require_range
from gapy.descriptors.base import AT_ONCE, DerivativeBlock, Environments, Passes, species_slots
from gapy.descriptors.channels import Channels, channels_of
from gapy.descriptors.radial_basis import central_weight, density_cutoff
from gapy.descriptors.radial_tables import RadialTables
from gapy.descriptors.selection import Selection
from gapy.errors import GapyError
from gapy.geometry.pairs import Pairs, pairs_within


def soap_settings(soap) -> dict:
    """Keyword arguments that rebuild a dscribe SOAP; plain JSON types."""
    compression = dict(soap.compression)
    weights = compression.get("species_weighting")
    if weights is not None:
        compression["species_weighting"] = {str(k): float(v) for k, v in weights.items()}
    return {
        "r_cut": float(soap._r_cut),
        "n_max": int(soap._n_max),
        "l_max": int(soap._l_max),
        "sigma": float(soap._sigma),
        "rbf": soap._rbf,
        "weighting": dict(soap._weighting) or None,
        "average": soap.average,
        "compression": compression,
        "species": [s if isinstance(s, str) else int(s) for s in soap.species],
        "periodic": bool(soap.periodic),
    }


def smooth_soap(species, r_cut=5.0, n_max=8, l_max=8, sigma=0.5, **options):
    """A dscribe SOAP made for MD: `poly` weighting with r0 = r_cut, periodic.

    The density goes to zero smoothly at r_cut, so the energy is continuous when an atom crosses
    it. `species`: symbols or atomic numbers; r_cut and sigma in A; `options` go to dscribe.

    Raises GapyError for a sigma outside 0.01 to 10 A.
    """
    from dscribe.descriptors import SOAP

    require_range("sigma", sigma)
    weighting = {"function": "poly", "r0": float(r_cut), "c": 1.0, "m": 1.0}
    settings = {"weighting": weighting, "periodic": True} | options
    return SOAP(
        species=species, r_cut=r_cut, n_max=n_max, l_max=l_max, sigma=sigma, **settings
    )  # fmt: skip


def require_soap(soap) -> None:
    """Raise GapyError for what is no dscribe SOAP."""
    if not hasattr(soap, "_alphas") and getattr(soap, "_rbf", None) != "polynomial":
        raise GapyError(
            f"soap: expected a dscribe SOAP object, got {type(soap).__name__}; take "
            "gapy.descriptors.smooth_soap"
        )


class CompiledSOAP:
    """Compiled twin of a dscribe `SOAP` object: the same numbers, with derivatives.

    Arguments
    ---------
    soap : dscribe.descriptors.SOAP
        Any radial basis (gto, polynomial), weighting, compression, species and l_max <= 20.
        `average` must be "off": a potential needs one vector for each atom.

    Raises
    ------
    GapyError
        if `soap` is not a SOAP or averages over atoms.

    Source: Bartok, Kondor, Csanyi, Phys. Rev. B 87, 184115 (2013); compression after Darby,
    Kermode, Csanyi, npj Comput. Mater. 8, 166 (2022).
    """

    kind = "SOAP"
    takes_neighbours = True
    of_pairs = False
    magnetic: tuple[int, ...] = ()

    def __init__(self, soap):
        require_soap(soap)
        if soap.average != "off":
            raise GapyError(
                f"soap: expected average='off', got {soap.average!r}; local energies need one "
                "vector per atom"
            )
        if soap._rbf == "polynomial" and soap._l_max > 9:
            raise GapyError(
                f"soap: expected l_max <= 9 with rbf='polynomial', got {soap._l_max}; "
                "dscribe drops the harmonics |m| >= 10 of that basis, which breaks rotational "
                "invariance; use rbf='gto' or a smaller l_max"
            )
        self.soap = soap
        self.species = tuple(int(z) for z in soap._atomic_numbers)
        self.n_features = int(soap.get_number_of_features())
        self.cutoff = density_cutoff(soap)
        if not np.isfinite(central_weight(soap)):
            raise GapyError(
                f"soap: expected a finite weight of the central atom, got weighting "
                f"{soap._weighting}; give d > 0 or w0"
            )
        self.periodic = bool(soap.periodic)
        self._selection = Selection(self.species, self.cutoff)
        self._factor = _harmonics.prefactors(soap._l_max)
        self.channels, self.tables = self._layout()

    @property
    def n_densities(self) -> int:
        """Neighbour densities that a centre has: one for each species without compression."""
        return int(self.channels.slots.max()) + 1

    @property
    def is_smooth(self) -> bool:
        """Whether contributions vanish where atoms leave the cutoff."""
        weighting = self.soap._weighting
        if weighting.get("function") != "poly" or self.cutoff < weighting["r0"]:
            return False
        # Near r0 the weight goes as (r0 - r)^(2 m): its slope must vanish there.
        return weighting["m"] > 0.5

    def settings(self) -> dict:
        """Keyword arguments of the dscribe SOAP, as plain JSON types."""
        return soap_settings(self.soap)

    def arrays(self) -> dict[str, np.ndarray]:
        """None beside the settings."""
        return {}

    def _layout(self) -> tuple[Channels, RadialTables]:
        """Channels of the density, and its radial functions."""
        on = channels_of(self.soap)
        return on, RadialTables.of_soap(self.soap, self.cutoff, on.n_pad)

    def rounded(self) -> CompiledSOAP:
        """The same with densities and power spectra in single precision, forward and back.

        Only the verbs of `Passes` work of it, and `expand` and `spectrum`.
        """
        twin = copy(self)
        twin.tables = self.tables.in_single()
        twin._factor = self._factor.astype(np.float32)
        return twin

    def in_single(self) -> Passes:
        """A force call's passes in single precision.

        Pair vectors come in, and x, forces and virial go out in double precision.
        """
        return Passes.of(self.rounded())

    # -- environments -----------------------------------------------------------------------

    def select(self, numbers: np.ndarray, pairs: Pairs) -> Environments:
        """What the descriptor sees of `pairs` between atoms of these atomic numbers (n,).

        Its centres by species and their neighbours within its own cutoff; see `selection`. Raises
        StructureError if the list is too short.
        """
        return self._selection(numbers, pairs)

    def environments(self, atoms) -> Environments:
        """Neighbour vectors of every atom of a species that the descriptor knows.

        As in dscribe, a descriptor made with periodic=False sees no images.
        """
        pairs = pairs_within(atoms, self.cutoff, periodic=self.periodic)
        return self.select(atoms.numbers, pairs)

    # -- kernels on blocks of centres ---------------------------------------------------------

    def expand(self, env: Environments, begin: int, end: int) -> np.ndarray:
        """Density coefficients c_iku of centres begin..end-1."""
        on, radial = self.channels, self.tables
        c_iku = aligned_empty((end - begin, *on.shape), radial.weights)
        _density.expand(
            begin, end, env.first_i, env.species_i, env.r_pc, env.species_p, self.cutoff,
            on.layout, on.slots, radial.weights, radial.central_sn, radial.table_ss,
            radial.table, radial.inv_h, self._factor, c_iku,
        )  # fmt: skip
        return c_iku

    def spectrum(self, c_iku: np.ndarray) -> np.ndarray:
        """Power spectrum x_id of expanded centres."""
        on = self.channels
        x_id = np.empty((len(c_iku), self.n_features), c_iku.dtype)
        _soap.power_spectrum(c_iku, on.layout[0], on.blocks, on.index, x_id)
        return x_id

    def values(self, env: Environments, begin: int, end: int) -> np.ndarray:
        """Power spectrum of centres begin..end-1, (b, n_features)."""
        return self.spectrum(self.expand(env, begin, end))

    def forward(self, env: Environments, begin: int, end: int):
        """What `backward` needs, and the power spectrum, of centres begin..end-1."""
        c_iku = self.expand(env, begin, end)
        return c_iku, self.spectrum(c_iku).astype(float, copy=False)

    def unseen(self, env: Environments, begin: int, end: int, state) -> None:
        """Nothing: the kernel works with the whole descriptor."""

    @property
    def metric_d(self) -> np.ndarray:
        """How much the square of each component counts in the squared length: once."""
        return np.ones(self.n_features)

    def squared_length(self, env: Environments, begin: int, end: int, x_id) -> np.ndarray:
        """|x|^2 (b,) of centres begin..end-1."""
        return np.einsum("id,id->i", x_id, x_id, dtype=float)

    def radial(self, r_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """R_ln at distances r_p (A) as the densities have them, and dR/dr; (p, l + 1, n_max)."""
        return self.tables.radial(r_p, self.soap._l_max + 1, self.soap._n_max)

    def gradient_store(self, env: Environments) -> np.ndarray:
        """Room for the gradients that `backward` leaves: dE/dr_p of every pair."""
        return np.empty((len(env.j_p), 3), self.tables.weights.dtype)

    def backward(self, env: Environments, begin, end, c_iku, g_id, g_pc) -> None:
        """dE/dr_p of the pairs of centres begin..end-1 into g_pc, from g_id = dE/dx."""
        on, radial = self.channels, self.tables
        dc_iku = aligned_empty(c_iku.shape, radial.weights)
        g_id = g_id.astype(c_iku.dtype, copy=False)
        _soap.power_spectrum_backward(g_id, c_iku, on.layout, on.blocks, on.index, dc_iku)
        _density.expand_backward(
            begin, end, env.first_i, env.species_i, env.r_pc, env.species_p, self.cutoff,
            on.layout, on.slots, radial.weights, radial.table_ss, radial.table, radial.inv_h,
            self._factor, dc_iku, g_pc,
        )  # fmt: skip

    def collect(self, env: Environments, begin, end, g_pc, forces, virial, first_m=None) -> None:
        """Add -dE/dr (n, 3) and dE/d(strain) from the pairs of centres begin..end-1."""
        if first_m is None:
            first_m, virial = ONE_STRUCTURE, virial[None]
        forces_from_pairs(
            begin, end, env.atom_i, env.first_i, env.j_p, env.r_pc, g_pc, first_m, forces, virial
        )

    def gradient_store_members(self, env: Environments) -> np.ndarray:
        """Room for `backward_members`: dE/dr_p of every pair for eight members."""
        return aligned_empty((len(env.j_p), 3, LANES))

    def backward_members(self, env: Environments, begin, end, c_iku, g_idv, g_pcv) -> None:
        """As `backward` for eight energies at once, members on the last axis."""
        on, radial = self.channels, self.tables
        dc_ikuv = aligned_empty((*c_iku.shape, LANES))
        _members.power_spectrum_backward_members(
            g_idv, c_iku, on.layout, on.blocks, on.index, dc_ikuv
        )
        _members.expand_backward_members(
            begin, end, env.first_i, env.species_i, env.r_pc, env.species_p, self.cutoff,
            on.layout, on.n_radial, on.slots, radial.weights, radial.table_ss, radial.table,
            radial.inv_h, self._factor, dc_ikuv, g_pcv,
        )  # fmt: skip

    def collect_members(self, env: Environments, g_pcv, forces_ncv, virial_ccv) -> None:
        """As `collect` for eight energies at once."""
        _members.forces_from_pairs_members(
            env.atom_i, env.first_i, env.j_p, env.r_pc, g_pcv, forces_ncv, virial_ccv
        )

    def derivative_block(self, env: Environments, begin: int, end: int) -> DerivativeBlock:
        """x and d x / d r_p of centres begin..end-1."""
        on, radial = self.channels, self.tables
        c_iku = self.expand(env, begin, end)
        lo, hi = env.first_i[begin], env.first_i[end]
        dx_pcd = np.empty((hi - lo, 3, self.n_features))
        _derivatives.spectrum_derivatives(
            begin, end, env.first_i, env.species_i, env.r_pc, env.species_p, self.cutoff,
            on.layout, on.slots, radial.weights, *on.derivative_sources, radial.table_ss,
            radial.table, radial.inv_h, self._factor, c_iku, dx_pcd,
        )  # fmt: skip
        return DerivativeBlock(
            atom_i=env.atom_i[begin:end],
            x_id=self.spectrum(c_iku),
            first_i=env.first_i[begin : end + 1] - lo,
            j_p=env.j_p[lo:hi],
            dx_pcd=dx_pcd,
            r_pc=env.r_pc[lo:hi],
        )

    # -- dscribe's verbs ----------------------------------------------------------------------

    def create(self, system, centers=None):
        """Power spectra of all atoms, (n, n_features); for a list of systems, a list of arrays.

        `centers`: indices of atoms to keep, in that order. Equal to `soap.create(system)`.
        """
        if isinstance(system, list | tuple):
            chosen = centers if centers is not None else [None] * len(system)
            if len(chosen) != len(system):
                raise GapyError(
                    f"centers: expected one list for each of the {len(system)} structures, got "
                    f"{len(chosen)}; give None for all atoms of a structure"
                )
            return [self.create(a, c) for a, c in zip(system, chosen)]
        species_slots(self.species, system.numbers)  # one row for each atom, or none at all
        env = self.environments(system)
        x_id = np.empty((len(system), self.n_features))
        for begin in range(0, len(system), AT_ONCE):
            end = min(begin + AT_ONCE, len(system))
            x_id[env.atom_i[begin:end]] = self.spectrum(self.expand(env, begin, end))
        return x_id if centers is None else x_id[_atom_indices(centers, len(system))]

    def derivatives(self, system, return_descriptor=False):
        """d x_i / d r_j with periodic images folded onto their atom j, (n, n, 3, n_features), 1/A.

        The centre moves with its atom (dscribe's attach=True). With `return_descriptor` the
        result is (derivatives, descriptor) as in dscribe.
        """
        species_slots(self.species, system.numbers)
        env = self.environments(system)
        n = len(system)
        out = np.zeros((n, n, 3, self.n_features))
        x_id = np.empty((n, self.n_features))
        for i in range(n):
            block = self.derivative_block(env, i, i + 1)
            a = int(env.atom_i[i])
            x_id[a] = block.x_id[0]
            np.add.at(out[a], block.j_p, block.dx_pcd)
            out[a, a] -= block.dx_pcd.sum(axis=0)
        return (out, x_id) if return_descriptor else out


def _atom_indices(centers, n: int) -> np.ndarray:
    index = np.asarray(centers)
    whole = np.issubdtype(index.dtype, np.integer)
    if index.ndim != 1 or not whole or (index >= n).any() or (index < -n).any():
        raise GapyError(
            f"centers: expected indices of the {n} atoms, got {centers!r}; "
            "free positions are not supported here"
        )
    return index


def warn_if_rough(descriptor) -> None:
    """Warn about a descriptor whose neighbours enter and leave with a jump."""
    if getattr(descriptor, "is_smooth", True):
        return
    warnings.warn(
        f"soap: without a 'poly' weighting that ends at r0 <= r_cut + padding, neighbours are cut "
        f"sharply at {descriptor.cutoff:.2f} A and the energy jumps there; use "
        "gapy.descriptors.smooth_soap or weighting={'function': 'poly', 'r0': r_cut, 'c': 1, "
        "'m': 1} for MD",
        UserWarning,
        stacklevel=3,
    )
