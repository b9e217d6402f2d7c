"""A figure, what it shows in words, and the sound it was made from, as one object."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from spa2v_lib.viz.style import figure_html

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from spa2v_lib.viz.player import Player

__all__ = ["Exhibit"]


@dataclass(frozen=True)
class Exhibit:
    """A figure with its caption and players; shows itself in a notebook.

    Attributes
    ----------
    figure : plotly.graph_objects.Figure
    caption : str
        What can be seen, also for those who cannot see it.
    players : tuple of Player
    """

    figure: Figure
    caption: str
    players: tuple[Player, ...] = ()

    def below(self) -> str:
        """Return caption and players as HTML, for under the figure; all text is escaped."""
        players = "".join(player.html() for player in self.players)
        return (
            '<div class="spa2v-below" style="max-width:60em">'
            f'<p style="opacity:.8;margin:.2rem 0 .6rem">{escape(self.caption)}</p>{players}</div>'
        )

    def html(self, number: int = 1) -> str:
        """Return the whole as HTML, for a page that has loaded plotly.js; see `figure_html`."""
        return f"<figure>{figure_html(self.figure, number)}{self.below()}</figure>"

    def _ipython_display_(self) -> None:
        # two outputs: JupyterLab draws figures from plotly's JSON and knows players as HTML only
        from IPython.display import HTML, display

        display(self.figure)
        display(HTML(self.below()))
