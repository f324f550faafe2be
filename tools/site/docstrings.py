"""Sections of docstrings for the API reference, in which `Arguments` are called parameters."""

import re

import griffe

ARGUMENTS = re.compile(r"^( *)Arguments\n\1-+$", re.MULTILINE)


class Arguments(griffe.Extension):
    """Rename the section in every docstring that is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = ARGUMENTS.sub(r"\1Parameters\n\1----------", obj.docstring.value)
