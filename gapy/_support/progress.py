"""Progress bars on standard error."""

from __future__ import annotations


def track(sequence, description: str, enabled: bool, total: int | None = None):
    """Iterate with a progress bar if `enabled`."""
    if not enabled:
        return sequence
    from rich.console import Console
    from rich.progress import track as rich_track

    return rich_track(
        sequence, description=f"{description:<12}", total=total, console=Console(stderr=True)
    )
