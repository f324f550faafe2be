"""Errors that carry a remedy; the command line turns each into one line and exit code 2."""


class GapyError(ValueError):
    """Base of all errors on bad input; names the argument, expectation, value and remedy."""


class StructureError(GapyError):
    """A structure or its labels cannot be used; the message names the file and the frame index."""


class ModelFileError(GapyError):
    """A model file is missing, truncated, altered, of another version or not a gapy file."""


class SpeciesError(GapyError):
    """A structure holds a chemical species that the descriptor or the potential does not know."""


class PackageError(GapyError):
    """An optional package that a setting needs is not installed."""


class PropertyError(GapyError):
    """A property has no value: a relaxation failed or left its phase, a fit has no minimum."""
