"""Formulas of the site as MathML, made when it is built: no script, no network.

`pymdownx.arithmatex` leaves TeX between `\\( \\)` and `\\[ \\]`; every such piece of a page is
translated.
"""

import html
import re

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

TEX = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def mathml(piece: re.Match) -> str:
    """One formula; PluginError, which ends the build, where TeX cannot be read."""
    tag, bracket, tex = piece.groups()
    display = "block" if bracket == "[" else "inline"
    try:
        formula = convert(html.unescape(tex.strip()), display=display)
    except Exception as error:
        raise PluginError(f"formula {tex.strip()!r}: {error!r}") from error
    return f'<{tag} class="formula">{formula}</{tag}>'


def on_page_content(content: str, **_) -> str:
    """A page with its formulas translated; called by mkdocs."""
    return TEX.sub(mathml, content)
