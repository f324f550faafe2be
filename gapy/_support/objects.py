"""Objects stated in a file: an import path and keyword arguments, nested where needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from gapy.errors import GapyError

CLASS = "class"


def imported(path: str, where: str):
    """What the import path `package.module.Name` stands for.

    Raises
    ------
    GapyError : no such module or name
    """
    module, _, name = str(path).rpartition(".")
    if not module:
        raise GapyError(f"{where}: expected an import path such as package.Name, got {path!r}")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise GapyError(f"{where}: cannot import {path!r}: {error}; install it") from error
    except (ImportError, OSError) as error:
        raise GapyError(
            f"{where}: cannot import {path!r}: {error}; mend its installation"
        ) from error
    except AttributeError:
        raise GapyError(
            f"{where}: module {module} has no {name!r}; correct the import path"
        ) from None


def constructed(path: str, arguments: dict, where: str):
    """The object that `path` makes of the keyword `arguments`.

    An argument that is a table with the key "class" is made first, in the same way.

    Raises
    ------
    GapyError : the path or the arguments are refused
    """
    make = imported(path, where)
    try:
        return make(**{key: _value(value, where) for key, value in arguments.items()})
    except GapyError:
        raise
    except Exception as error:
        raise GapyError(
            f"{where}: {path} refuses its arguments: {type(error).__name__}: {error}; correct them"
        ) from error


def anchored(value, base: Path):
    """`value` with every text that starts with ./ or ../ made a path from `base`."""
    if isinstance(value, dict):
        return {key: anchored(item, base) for key, item in value.items()}
    if isinstance(value, list):
        return [anchored(item, base) for item in value]
    if isinstance(value, str) and value.startswith(("./", "../")):
        return str((base / value).resolve())
    return value


def _value(value, where: str):
    if isinstance(value, dict):
        made = {key: _value(item, where) for key, item in value.items()}
        path = made.pop(CLASS, None)
        return made if path is None else constructed(path, made, where)
    if isinstance(value, list):
        return [_value(item, where) for item in value]
    return value
