"""A choice of labels: what each source may be, the tagger's candidates first."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Dropdown, Text, VBox

from spa2v_lib.layout.classes import known_words

if TYPE_CHECKING:
    from spa2v_lib.cues import SpatialCues

__all__ = ["LabelChoice", "candidates"]

_OTHER = "another word …"


def candidates(cues: SpatialCues, source: int) -> list[tuple[str, str]]:
    """Return what a source may be: texts to choose from, with the label of each.

    The cues' own label comes first, then the tagger's other candidates with their probabilities,
    then every object that has a usual size.

    Examples
    --------
    >>> import spa2v_lib as spa2v
    >>> from spa2v_lib.resources import resource
    >>> cues = spa2v.extract_cues(spa2v.read_audio(resource("recordings", "cow_01.flac")))
    >>> candidates(cues, 0)[0][1]
    'cow'
    """
    track = cues.sources[source]
    said = {name: p for name, p in track.label_alternatives if name != "unknown"}
    first = [] if track.label is None else [track.label]
    ranked = [*dict.fromkeys([*first, *said])]
    texts = [
        (f"{_word(name)} ({said[name]:.0%})" if name in said else _word(name), name)
        for name in ranked
    ]
    names = {entry.noun for entry in known_words().values()} - {_word(name) for name in ranked}
    return texts + [(name, name) for name in sorted(names)]


def _word(label: str) -> str:
    return label.replace("_", " ")


class LabelChoice(VBox):
    """One dropdown for each source, and a field for a word that is not in it.

    Without a running notebook the candidates are shown as a list.

    Attributes
    ----------
    label : str or None
        What is chosen, as `spa2v_lib.extract_cues` and `spa2v_lib.runs.generate_run` take it:
        with a place for each source, where there are several.

    Examples
    --------
    >>> import spa2v_lib as spa2v
    >>> from spa2v_lib.resources import resource
    >>> cues = spa2v.extract_cues(spa2v.read_audio(resource("recordings", "cow_01.flac")))
    >>> choice = LabelChoice(cues)
    >>> choice.label
    'cow'
    >>> choice.dropdowns[0].value = "goat"
    >>> choice.label
    'goat'
    """

    def __init__(self, cues: SpatialCues) -> None:
        self._cues = cues
        self.dropdowns = [
            Dropdown(
                options=[*candidates(cues, k), (_OTHER, _OTHER)],
                description=track.id,
            )
            for k, track in enumerate(cues.sources)
        ]
        self.words = [Text(placeholder="any word", description="") for _ in cues.sources]
        for dropdown, word in zip(self.dropdowns, self.words, strict=True):
            word.layout.display = "none"
            dropdown.observe(_shower(word), "value")
        pairs = [widget for pair in zip(self.dropdowns, self.words, strict=True) for widget in pair]
        super().__init__(pairs or [HTML("No source was detected.")])

    @property
    def label(self) -> str | None:
        """What is chosen; None where there is no source."""
        chosen = [
            word.value.strip() or self._cues.sources[k].label or "object"
            if dropdown.value == _OTHER
            else dropdown.value
            for k, (dropdown, word) in enumerate(zip(self.dropdowns, self.words, strict=True))
        ]
        if len(chosen) < 2:
            return chosen[0] if chosen else None
        return ", ".join(
            f"{name}{_place(track.azimuth_start_deg)}"
            for name, track in zip(chosen, self._cues.sources, strict=True)
        )

    @property
    def changed(self) -> bool:
        """Whether anything else than the cues' labels is chosen."""
        chosen = [dropdown.value for dropdown in self.dropdowns]
        return chosen != [track.label for track in self._cues.sources]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget, and a list of the candidates for pages without a kernel."""
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        bundle, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**bundle, "text/html": self._static()}, metadata

    def _static(self) -> str:
        items = []
        for k, track in enumerate(self._cues.sources):
            said = [text for text, _ in candidates(self._cues, k)[:4]]
            items.append(f"<li>{escape(track.id)}: {escape(', '.join(said))}, or any word</li>")
        return f"<ul>{''.join(items)}</ul>"


def _shower(word: Text) -> Any:
    def show(change: dict[str, Any]) -> None:
        word.layout.display = "" if change["new"] == _OTHER else "none"

    return show


def _place(azimuth_deg: float | None) -> str:
    return "" if azimuth_deg is None else f"@{azimuth_deg:.0f}"
