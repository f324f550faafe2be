"""Progress bars on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def track(sequence, description: str, enabled: bool, total: int | None = None):
    """Iterate with a progress bar if `enabled`."""
    if not enabled:
        return sequence
    from rich.console import Console
    from rich.progress import track as rich_track

    return rich_track(
        sequence, description=f"{description:<12}", total=total, console=Console(stderr=True)
    )


class Counter:
    """Counts what is done, wherever it is done; shown or not."""

    def __init__(self, advance=lambda: None):
        self._advance = advance

    def add(self) -> None:
        """One more."""
        self._advance()


@contextmanager
def counted(description: str, total: int, enabled: bool) -> Iterator[Counter]:
    """A progress bar that is moved on by `Counter.add`, from any thread."""
    if not enabled:
        yield Counter()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as shown:
        task = shown.add_task(f"{description:<12}", total=total)
        yield Counter(lambda: shown.advance(task))
