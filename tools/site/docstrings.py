"""Docstrings for the API reference: `Arguments` become parameters, and text after them comes first.

A section of numpydoc goes on until the next one begins, so that a paragraph below the arguments
("Raises GapyError where ...") would be taken for more of them.
"""

import re

import griffe

HEADING = re.compile(r"^\w[\w ]*\n-{3,}$", re.MULTILINE)
ITEM = re.compile(r"^[\w*][\w*, .]* : ")


class Arguments(griffe.Extension):
    """Rewrite every docstring that is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(docstring: str) -> str:
    """Text first, then the sections, each with its items alone."""
    starts = [found.start() for found in HEADING.finditer(docstring)]
    text = [docstring[: starts[0]].rstrip() if starts else docstring]
    sections = []
    for begin, end in zip(starts, [*starts[1:], len(docstring)]):
        name, line, *paragraphs = docstring[begin:end].split("\n", 2)
        paragraphs = paragraphs[0].rstrip().split("\n\n") if paragraphs else [""]
        # What follows the items: everything from the first paragraph that begins with none.
        count = next(
            (k for k, p in enumerate(paragraphs) if k and not ITEM.match(p) and p[:1] != " "),
            len(paragraphs),
        )
        text += paragraphs[count:]
        name = "Parameters" if name == "Arguments" else name
        sections.append("\n".join([name, "-" * len(name), "\n\n".join(paragraphs[:count])]))
    return "\n\n".join([*text, *sections])
