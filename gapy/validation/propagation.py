"""Error bars of computed properties: a function of a calculator, evaluated with every sample.

    value = f(mean),   std^2 = 1/(n - 1) sum_k (f(member k) - mean over the members)^2

f may be anything: a relaxation, an elastic constant, the end of a phonon calculation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import numpy as np

from gapy.errors import GapyError
from gapy.properties.result import Result


@dataclass(frozen=True)
class WithError:
    """A property with its posterior error bar.

    value: with the posterior mean; std: over the members; samples: first axis the members that
    gave a result, in the order of `used`. Each is a float (samples: (k,)), an array (samples: (k,
    ...)), or a dict of these, as the function returns. failures: member -> what went wrong.
    """

    value: Any
    std: Any
    samples: Any
    used: tuple[int, ...]
    failures: Mapping[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if not isinstance(self.value, Mapping):
            return _text(self.value, self.std)
        return ", ".join(f"{name} {_text(v, self.std[name])}" for name, v in self.value.items())


def with_error(
    function: Callable, committee, *args, max_failures: int | None = None, **kwargs
) -> WithError:
    """value +- error of `function(calculator, *args, **kwargs)`.

    Arguments
    ---------
    function : takes an ASE calculator and returns a number, an array, a dict of these or a result
        of `gapy.properties`, of which the numbers are taken; it must not change what it shares
        with the next call (copy the atoms inside)
    committee : gapy.Committee of at least two members
    max_failures : members that may fail (raise an error, or return what is not finite or of
        another shape); by default a quarter. Failures are warned of and listed in the result.

    Raises
    ------
    GapyError : too few members, too many failures, or a result of another kind; whatever the
        function raises with the posterior mean
    """
    _require_members(committee)
    mean = function(committee.potential.calculator(), *args, **kwargs)
    return about(mean, lambda member: function(member, *args, **kwargs), committee, max_failures)


def about(mean, function: Callable, committee, max_failures: int | None = None) -> WithError:
    """As `with_error`, where the result `mean` of the posterior mean is known already.

    function : of the calculator alone
    """
    _require_members(committee)
    allowed = len(committee) // 4 if max_failures is None else max_failures
    value, kind = _plain(mean)
    if not _finite(value):
        raise GapyError(f"function: expected finite numbers with the posterior mean, got {value}")
    samples, failures = {}, {}
    for k, member in enumerate(committee.members):
        try:
            result, _ = _plain(function(member))
            wrong = _mismatch(result, value)
        except Exception as error:  # whatever a user's function may raise
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            failures[k] = wrong
            if len(failures) > allowed:
                raise GapyError(
                    f"with_error: expected at most {allowed} of {len(committee)} members to fail, "
                    f"got {len(failures)}: {_listed(failures)}; mend the function or raise "
                    "max_failures"
                )
        else:
            samples[k] = result
    if len(samples) < 2:
        raise GapyError(f"with_error: fewer than 2 members gave a result: {_listed(failures)}")
    if failures:
        warnings.warn(f"with_error: left out {_listed(failures)}", stacklevel=3)
    stacked = {name: np.stack([s[name] for s in samples.values()]) for name in value}
    std = {name: x.std(axis=0, ddof=1) for name, x in stacked.items()}
    at, spread, members = (kind(v) for v in (value, std, stacked))
    return WithError(at, spread, members, tuple(samples), failures)


def _require_members(committee) -> None:
    if len(committee) < 2:
        raise GapyError(
            f"committee: expected at least 2 members, got {len(committee)}; sample more"
        )


def _plain(result) -> tuple[dict, Callable]:
    """The result as a dict of arrays, and what turns such a dict back into its kind."""
    if isinstance(result, Result):
        result = result.numbers()
    if isinstance(result, Mapping):
        return {name: _array(v) for name, v in result.items()}, _named
    return {"": _array(result)}, lambda values: _scalar(values[""])


def _named(values: dict) -> dict:
    return {name: _scalar(v) for name, v in values.items()}


def _scalar(value: np.ndarray):
    return float(value) if value.ndim == 0 else value


def _array(value) -> np.ndarray:
    if not isinstance(value, Number | np.ndarray | list | tuple):
        raise GapyError(
            f"function: expected a number, an array or a dict of these, got {type(value).__name__}"
        )
    array = np.array(value)
    if array.dtype.kind not in "iufb":
        raise GapyError(f"function: expected real numbers, got an array of {array.dtype}")
    return array.astype(float)


def _finite(values: dict) -> bool:
    return all(np.isfinite(v).all() for v in values.values())


def _mismatch(result: dict, expected: dict) -> str:
    """What makes a member's result unusable beside that of the mean; "" if nothing."""
    if result.keys() != expected.keys():
        odd = sorted(map(str, result.keys() ^ expected.keys()))
        return f"other numbers than the mean: {', '.join(odd[:4])}{' ...' * (len(odd) > 4)}"
    for name, array in result.items():
        if array.shape != expected[name].shape:
            return f"shape {array.shape} instead of {expected[name].shape}"
    return "" if _finite(result) else "not finite"


def _listed(failures: Mapping[int, str]) -> str:
    return "; ".join(f"member {k} ({why})" for k, why in failures.items())


def _text(value, std) -> str:
    if isinstance(value, float) and std > 0.0:
        digits = int(np.clip(1 - np.floor(np.log10(std)), 0, 12))
        return f"{value:.{digits}f} +- {std:.{digits}f}"
    return f"{value} +- {std}"
