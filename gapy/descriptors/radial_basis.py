"""Radial expansion of a Gaussian neighbour density in dscribe's bases, as functions of distance.

With eta = 1/(2 sigma^2), i_l the modified spherical Bessel function and g_nl the basis,

    R_nl(r) = 4 pi w(r) int_0^inf s^2 g_nl(s) exp(-eta (s^2 + r^2)) i_l(2 eta s r) ds,

so that a neighbour at vector r contributes R_nl(|r|) Y_lm(r/|r|) to c_nlm. For g_nl = sum_k
beta_nk s^l exp(-alpha_k s^2) the integral is closed; the polynomial basis is integrated with
the 100 Gauss-Legendre points that dscribe itself uses.

Source: Himanen et al., Comput. Phys. Commun. 247, 106949 (2020), and the formulas of dscribe's
documentation of SOAP.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ive

from gapy.errors import GapyError


def weighting_function(weighting: dict, r: np.ndarray) -> np.ndarray:
    """dscribe's weighting w(r) without its exception w0 for the central atom."""
    kind = weighting.get("function")
    if kind is None:
        return np.ones_like(r)
    x = r / weighting["r0"]
    c = weighting["c"]
    if kind == "poly":
        inside = np.clip(1.0 + 2.0 * x**3 - 3.0 * x**2, 0.0, None)
        return np.where(x <= 1.0, c * inside ** weighting["m"], 0.0)
    if kind == "pow":
        return c / (weighting["d"] + x ** weighting["m"])
    if kind == "exp":
        return c / (weighting["d"] + np.exp(-x))
    raise GapyError(
        f"weighting function: expected 'poly', 'pow' or 'exp', got {kind!r}; "
        "state the descriptor with one of these"
    )


def _gto(soap, r: np.ndarray) -> np.ndarray:
    """Closed form for Gaussian-type orbitals; [r, l, n]."""
    eta = soap._eta
    alphas, betas = soap._alphas, soap._betas  # [l, k], [l, n, k]
    out = np.empty((len(r), soap._l_max + 1, soap._n_max))
    for l in range(soap._l_max + 1):
        total = alphas[l] + eta
        front = (np.pi / total) ** 1.5 * (eta / total) ** l
        decay = np.exp(-np.outer(r**2, alphas[l] * eta / total))  # [r, k]
        out[:, l, :] = r[:, None] ** l * ((decay * front) @ betas[l].T)
    return out


def _polynomial(soap, r: np.ndarray) -> np.ndarray:
    """Quadrature for the polynomial basis; [r, l, n]."""
    eta = soap._eta
    s, g_ns = soap.get_basis_poly(soap._r_cut, soap._n_max)
    weights = np.polynomial.legendre.leggauss(len(s))[1] * 0.5 * soap._r_cut
    front = 4.0 * np.pi * weights * s**2 * g_ns.reshape(soap._n_max, -1)  # [n, s]
    x = 2.0 * eta * np.outer(r, s)
    gauss = np.exp(-eta * (r[:, None] - s) ** 2)
    safe = np.where(x > 0.0, x, 1.0)
    l_max = soap._l_max
    # Downward recursion is stable: i_(l-1) = i_(l+1) + (2l + 1)/x i_l, all scaled by exp(-x).
    bessel = np.empty((l_max + 2, *x.shape))
    for l in (l_max, l_max + 1):
        bessel[l] = np.sqrt(0.5 * np.pi / safe) * ive(l + 0.5, safe)
    for l in range(l_max, 0, -1):
        bessel[l - 1] = bessel[l + 1] + (2 * l + 1) / safe * bessel[l]
    bessel[:, x == 0.0] = 0.0
    bessel[0, x == 0.0] = 1.0
    return np.einsum("lrs,ns->rln", gauss * bessel[: l_max + 1], front, optimize=True)


def radial_functions(soap, r: np.ndarray, *, weighted: bool = True) -> np.ndarray:
    """R_nl(r) times sqrt(pi sqrt(8 / (2l + 1))), flattened as [r, l * n_max + n].

    The l-dependent factor is the square root of the power spectrum's prefactor, so that the
    kernels need none. `soap` is a dscribe SOAP; r in A.
    """
    r = np.asarray(r, dtype=float)
    values = _gto(soap, r) if soap._rbf == "gto" else _polynomial(soap, r)
    l = np.arange(soap._l_max + 1)
    values = values * np.sqrt(np.pi * np.sqrt(8.0 / (2 * l + 1)))[None, :, None]
    if weighted:
        values = values * weighting_function(soap._weighting, r)[:, None, None]
    return values.reshape(len(r), -1)


def central_weight(soap) -> float:
    """Weight of the central atom in its own density: w0 if given, else w(0)."""
    w0 = soap._weighting.get("w0")
    if w0 is not None:
        return float(w0)
    with np.errstate(divide="ignore"):
        return float(weighting_function(soap._weighting, np.zeros(1))[0])


def density_cutoff(soap) -> float:
    """Distance (A) beyond which a neighbour contributes nothing.

    dscribe keeps atoms up to r_cut + sigma sqrt(-2 ln 0.001) and cuts there; a `poly` weighting
    ends the density at r0 already.
    """
    padded = soap._r_cut + soap.get_cutoff_padding()
    if soap._weighting.get("function") == "poly":
        return float(min(padded, soap._weighting["r0"]))
    return float(padded)
