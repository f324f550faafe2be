"""Docstrings for the API reference, from how this package writes them to what numpydoc says.

`Arguments` are parameters. A section of numpydoc goes on until the next one begins, so that a
paragraph below the arguments ("Raises GapyError where ...") would be taken for more of them: text
comes first, then the sections. And `name : what it is` has a description where numpydoc has a type.
"""

import re

import griffe

HEADING = re.compile(r"^\w[\w ]*\n-{3,}$", re.MULTILINE)
ITEM = re.compile(r"^([\w*][\w*, .]*?) ?(\([^)]*\))? : (.*)$")
TYPE = re.compile(r"^(int|float|str|bool|dict|list|tuple|ndarray|callable)\b[\w, .()]*$")
LISTS = ("Parameters", "Attributes", "Raises", "Returns")


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
        name, _, *rest = docstring[begin:end].split("\n", 2)
        name = "Parameters" if name == "Arguments" else name
        paragraphs = rest[0].rstrip().split("\n\n") if rest else [""]
        # What follows the items: everything from the first paragraph that begins with none.
        count = next(
            (k for k, p in enumerate(paragraphs) if k and not ITEM.match(p) and p[:1] != " "),
            len(paragraphs),
        )
        text += paragraphs[count:]
        items = "\n\n".join(paragraphs[:count])
        sections.append("\n".join([name, "-" * len(name), _described(name, items)]))
    return "\n\n".join([*text, *sections])


def _described(name: str, items: str) -> str:
    """Items whose text after the colon stands below their name, unless it is a type."""
    lines = []
    for line in items.split("\n"):
        found = ITEM.match(line) if name in LISTS else None
        if found and (found[2] or not TYPE.match(found[3])):
            # A shape or unit beside the name belongs to the description.
            lines += [found[1], "    " + " ".join(filter(None, found.groups()[1:]))]
        else:
            lines.append(line)
    return "\n".join(lines)
