"""Which candidates go on, and which one is recommended: the front of error and cost."""

from __future__ import annotations

from gapy.descriptors import CompiledSOAP
from gapy.errors import GapyError
from gapy.tuning.candidates import Candidate, work
from gapy.tuning.cost import neighbours_within
from gapy.tuning.results import Row

TOLERANCE = 0.03
"""Without a budget the cheapest candidate this close to the smallest error is recommended."""


def work_of(species, timed, candidate: Candidate) -> float:
    """`work` of a candidate for these species, with the neighbours of the structure `timed`."""
    n_features = CompiledSOAP(candidate.soap(species)).n_features
    return work(candidate, n_features, neighbours_within(timed, candidate.r_cut))


def survivors(of, rows, n: int, *, criterion, budget_us) -> list[Row]:
    """The n rows nearest to the front of error and work, smaller errors first among equals.

    Those over the budget are out. Raises GapyError as `recommended` does.
    """
    rows = _usable(rows, budget_us)
    cost = {row.candidate: of(row.candidate) for row in rows}

    def excess(row: Row) -> tuple[float, float, Candidate]:
        front = min(r.error for r in rows if cost[r.candidate] <= cost[row.candidate])
        return _worse(row.error, front, criterion), row.error, row.candidate

    return sorted(rows, key=excess)[:n]


def _worse(error: float, best: float, criterion: str) -> float:
    """How much worse an error is: relative for an RMSE, absolute for a log likelihood per label."""
    return error - best if criterion == "likelihood" else error / max(best, 1e-300) - 1.0


def recommended(rows, criterion: str, budget_us: float | None) -> Row:
    """The smallest error within the budget; without one the cheapest within 3 % of the smallest.

    Raises
    ------
    GapyError : nothing was fitted, or nothing is within the budget
    """
    rows = _usable(rows, budget_us)
    if budget_us is not None:
        return min(rows, key=lambda row: (row.error, row.us_per_atom))
    best = min(row.error for row in rows)
    near = [row for row in rows if _worse(row.error, best, criterion) <= TOLERANCE]
    return min(near, key=lambda row: (row.us_per_atom, row.error))


def _usable(rows, budget_us: float | None) -> list[Row]:
    """Rows that were fitted and are within the budget; GapyError if there are none."""
    rows = [row for row in rows if row.error is not None]
    if not rows:
        raise GapyError(
            "candidates: none could be fitted; the notes in the table say why, change the lists"
        )
    within = [row for row in rows if budget_us is None or row.us_per_atom <= budget_us]
    if not within:
        cheapest = min(row.us_per_atom for row in rows)
        raise GapyError(
            f"budget_us: no candidate within {budget_us:g} us/atom, the cheapest takes "
            f"{cheapest:.1f}; raise the budget or give smaller n_max, l_max, n_inducing"
        )
    return within
