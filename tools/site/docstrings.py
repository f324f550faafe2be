"""The docstrings' sections as the API reference reads them: `Arguments` are what it calls parameters."""

import re

import griffe

ARGUMENTS = re.compile(r"^( *)Arguments\n\1-+$", re.MULTILINE)


class Arguments(griffe.Extension):
    """Rename the section in every docstring that is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = ARGUMENTS.sub(r"\1Parameters\n\1----------", obj.docstring.value)
