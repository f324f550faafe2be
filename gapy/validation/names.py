"""Names that a user chose among those that there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gapy.errors import GapyError


def names_among(given: Iterable[str], known: Sequence[str], argument: str) -> tuple[str, ...]:
    """The names given; GapyError for one text instead of several, and for names not known."""
    wanted = (given,) if isinstance(given, str) else tuple(given)
    unknown = sorted({name for name in wanted if name not in known})
    if unknown:
        raise GapyError(
            f"{argument}: expected some of {', '.join(known)}, got "
            f"{', '.join(map(repr, unknown))}; correct it"
        )
    return wanted
