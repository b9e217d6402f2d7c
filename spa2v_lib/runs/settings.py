"""The parameters of a run, each stated once.

A field of `Settings` is everything that there is to say about a parameter. The options of the
command line, the columns of a manifest, the end-to-end notebook's table, `verify` and `rerun` are
made from the fields: whoever adds one adds it here, and uses it in `spa2v_lib.runs.make`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from spa2v_lib.errors import SettingsError

if TYPE_CHECKING:
    from spa2v_lib.layout.scene_layout import VideoSceneLayout
    from spa2v_lib.sampling import Preset

__all__ = [
    "MAX_SECONDS",
    "VARIANT",
    "Settings",
    "Stage",
    "check_sampling",
    "check_settings",
    "settings_table",
]

MAX_SECONDS = 30.0
"""Default length limit in seconds – sampling takes far longer than analysis."""

VARIANT = ("base", "motion", "lora", "speed", "size", "image")
"""What makes a variant of a preset, see `spa2v_lib.sampling.variants`."""

Stage = Literal["read", "cut", "analyze", "plan", "sample"]
"""The first stage of a run whose result a parameter changes."""


class Settings(BaseModel):
    """The parameters of a run; together with the recording they determine every frame.

    Numbers out of their range are refused here. Names (of presets, planners, capture formats) are
    known to the stages that use them: `check_settings` asks those.

    See Also
    --------
    check_settings : Refuse what cannot work on this machine.
    settings_table : All parameters with their defaults and meanings.

    Examples
    --------
    >>> settings = Settings.of({"label": "car", "seed": "7"})
    >>> settings.seed, settings.preset
    (7, 'tiny')
    >>> Settings.of({"seed": -1})
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.SettingsError: seed is -1; it should be greater than or equal to 0
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    track: Annotated[int | None, "read"] = Field(
        None,
        ge=1,
        description="Which sound track, counted from 1, of a file that has several; the first if "
        "not given.",
    )
    label: Annotated[str | None, "analyze"] = Field(
        None,
        description="Class of the source; of several the loudest first, separated by commas, each "
        "optionally with its direction: 'guitar@left, violin@20'. The tagger decides if not given.",
    )
    num_sources: Annotated[int | None, "analyze"] = Field(
        None, ge=1, le=3, description="Number of sources, if known."
    )
    capture: Annotated[str, "analyze"] = Field(
        "auto",
        description="Capture format: auto, panned, xy, ms, ortf, ab, binaural, foa or mono.",
    )
    spacing: Annotated[float | None, "analyze"] = Field(
        None,
        gt=0.0,
        description="Spacing of a pair of omnidirectional microphones in metres, if known.",
    )
    tagger: Annotated[str, "analyze"] = Field(
        "auto",
        description="Tagger of the sources: embedded, ast, clap, ast:FOLDER or clap:FOLDER; auto "
        "takes the best whose weights are on this machine.",
    )
    clip: Annotated[int | None, "cut"] = Field(
        None,
        ge=1,
        description="Which scene of a long recording to take, counted from 1 as by "
        "`spa2v cues --clips`; the whole recording if not given.",
    )
    max_seconds: Annotated[float, "cut"] = Field(
        MAX_SECONDS, description="A longer recording or scene is cut to this length."
    )
    planner: Annotated[str, "plan"] = Field(
        "acoustic",
        description="Who plans: acoustic, smollm, google:MODEL, openai-chat:MODEL, "
        "openai-chat:MODEL@URL or transformers:REPO_OR_FOLDER.",
    )
    placement: Annotated[str, "plan"] = Field(
        "cues", description="Who places the boxes when a language model plans: cues or model."
    )
    exemplars: Annotated[str, "plan"] = Field(
        "knn",
        description="Exemplars in the prompt: knn (the most similar), fixed, random or none.",
    )
    shots: Annotated[int, "plan"] = Field(3, ge=0, description="Number of exemplars.")
    strict: Annotated[bool, "plan"] = Field(
        False,
        description="Stop with an error if no class is recognized, instead of showing an unknown "
        "object.",
    )
    fps: Annotated[float | None, "plan"] = Field(
        None,
        gt=0,
        le=60,
        description="Frames per second; if not given, a given layout's own, the preset's, or 8.",
    )
    preset: Annotated[str, "sample"] = Field("tiny", description="Weights that generate the video.")
    base: Annotated[str | None, "sample"] = Field(
        None,
        description="Another Stable Diffusion 1.5 base: a repository of the hub "
        "(owner/name, owner/name@REVISION), a folder, or a .safetensors file.",
    )
    motion: Annotated[str | None, "sample"] = Field(
        None, description="Another AnimateDiff motion adapter: a repository or a folder."
    )
    lora: Annotated[tuple[str, ...], "sample"] = Field(
        (),
        description="LoRA to add, motion LoRA too: a repository, owner/name/FILE.safetensors or a "
        "file, each optionally with its weight: FILE:0.8. Several are separated by commas.",
    )
    speed: Annotated[str, "sample"] = Field(
        "full",
        description="full, or fast: few steps with consistency-distilled weights, whose quality "
        "has not been measured yet.",
    )
    size: Annotated[str | None, "sample"] = Field(
        None, description="Width and height of the picture, as 512x320; the preset's if not given."
    )
    image: Annotated[str | None, "sample"] = Field(
        None,
        description="A picture that the video is to resemble, as its first frame does: an image "
        "prompt for IP-Adapter, perhaps with its weight from 0 to 1: FILE:0.6. A note says "
        "whether its objects are where the layout has them at first.",
    )
    grounding: Annotated[str, "sample"] = Field(
        "default",
        description="How boxes guide sampling: default, none, or a method of the preset; its "
        "parameters follow a colon: attention:noise=on,strength=0.5.",
    )
    captions: Annotated[str, "sample"] = Field(
        "mixed",
        description="What each frame is prompted with: the video's caption (global), its own "
        "(frame), or both (mixed).",
    )
    seed: Annotated[int, "sample"] = Field(
        0, ge=0, lt=2**63, description="The only source of randomness."
    )
    steps: Annotated[int | None, "sample"] = Field(
        None, ge=1, le=1000, description="Sampling steps; the preset's own number if not given."
    )
    guidance_scale: Annotated[float | None, "sample"] = Field(
        None,
        ge=0,
        le=100,
        description="Strength of classifier-free guidance, 1 being without; the preset's own if "
        "not given.",
    )
    guidance_start: Annotated[float | None, "sample"] = Field(
        None,
        ge=0,
        le=1,
        description="Share of the steps before guidance begins; the preset's own if not given.",
    )
    guidance_stop: Annotated[float | None, "sample"] = Field(
        None,
        ge=0,
        le=1,
        description="Share of the steps after which guidance ends; the preset's own if not given.",
    )
    negative_prompt: Annotated[str | None, "sample"] = Field(
        None, description="What guidance leads away from; the preset's own if not given."
    )
    device: Annotated[str, "sample"] = Field(
        "auto", description="Where to sample: auto, cuda, mps or cpu."
    )

    @field_validator("lora", mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        """Split a text at its commas."""
        parts = given.split(",") if isinstance(given, str) else given
        return tuple(part.strip() for part in parts if part.strip()) if parts else ()

    def sampled_with(self) -> Preset:
        """Return the preset with the base, LoRA, speed and size that were asked for.

        Raises
        ------
        SamplingError, DataError
            See `spa2v_lib.sampling.variant`.

        Examples
        --------
        >>> Settings(preset="sd15-migc", size="576x320").sampled_with().size
        (576, 320)
        """
        from spa2v_lib.sampling import variant

        return variant(self.preset, **{name: getattr(self, name) for name in VARIANT})

    def planned_with(self) -> dict[str, Any]:
        """Return what any planner is asked; frame rate and shape are the preset's.

        Examples
        --------
        >>> Settings(preset="wan-vace").planned_with()["fps"]
        16.0
        """
        preset = self.sampled_with()
        return {
            "planner": self.planner,
            "fps": self.fps or preset.fps or 8.0,
            "aspect": preset.size[0] / preset.size[1],
            "placement": self.placement,
            "exemplars": self.exemplars,
            "shots": self.shots,
            "seed": self.seed,
        }

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Make settings of parameters that somebody gave, as values or as text.

        Parameters
        ----------
        given : mapping
            Values by field; what is missing keeps its default.

        Raises
        ------
        SettingsError
            If there is no such parameter, or it cannot have this value.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            raise SettingsError("; ".join(map(_explained, error.errors()))) from error

    @classmethod
    def of_stages(cls, *stages: Stage) -> tuple[str, ...]:
        """Return the names of the parameters whose first stage is among `stages`.

        Examples
        --------
        >>> Settings.of_stages("cut")
        ('clip', 'max_seconds')
        """
        return tuple(
            name for name, field in cls.model_fields.items() if set(stages) & set(field.metadata)
        )

    def of_stage(self, stage: Stage) -> dict[str, Any]:
        """Return the values of the parameters whose first stage is `stage`.

        Examples
        --------
        >>> Settings(clip=2).of_stage("cut")
        {'clip': 2, 'max_seconds': 30.0}
        """
        return {name: getattr(self, name) for name in self.of_stages(stage)}


def settings_table() -> str:
    """Return all parameters with defaults and meanings, as a table in Markdown.

    See Also
    --------
    Settings : The parameters themselves.

    Examples
    --------
    >>> print(next(row for row in settings_table().splitlines() if "`seed`" in row))
    | `seed` | `0` | The only source of randomness. |
    """
    rows = ["| parameter | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows)


def _explained(error: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"no parameter {name!r}; there are: {', '.join(Settings.model_fields)}"
    rule = error["msg"].replace("Input should be", "it should be")
    return f"{name} is {error['input']!r}; {rule}"


def check_settings(settings: Settings) -> None:
    """Refuse what can be refused without opening the recording.

    Parameters
    ----------
    settings : Settings
        Of a run.

    Raises
    ------
    Spa2vError
        If there is no such preset, planner, capture format, grounding method or device, a class
        cannot be drawn, or weights, packages or keys are missing on this machine.

    See Also
    --------
    Settings : All parameters of a run.

    Examples
    --------
    >>> check_settings(Settings(capture="wire"))
    Traceback (most recent call last):
        ...
    spa2v_lib.errors.CueError: no capture format 'wire'; one of: auto, ...
    """
    from spa2v_lib.audio import check_max_seconds
    from spa2v_lib.cues import CAPTURES
    from spa2v_lib.cues.extract import check_spacing
    from spa2v_lib.cues.labels import number_of_sources, parse_labels
    from spa2v_lib.cues.tagging import get_tagger
    from spa2v_lib.errors import CueError
    from spa2v_lib.layout.classes import get_class
    from spa2v_lib.planning import check_planner
    from spa2v_lib.sampling import check_labels

    if settings.capture not in ("auto", *CAPTURES):
        known = ", ".join(("auto", *CAPTURES))
        raise CueError(f"no capture format {settings.capture!r}; one of: {known}")
    check_spacing(settings.capture, settings.spacing)
    check_max_seconds(settings.max_seconds)
    check_planner(
        settings.planner,
        placement=settings.placement,
        exemplars=settings.exemplars,
        shots=settings.shots,
    )
    check_sampling(settings)
    get_tagger(settings.tagger)
    labels = parse_labels(settings.label)
    number_of_sources(labels, settings.num_sources)
    if labels:
        names = [get_class(label.name).name for label in labels]
        check_labels(names, settings.sampled_with())


def check_sampling(settings: Settings, layout: VideoSceneLayout | None = None) -> None:
    """Refuse what cannot be sampled, of a layout or of any.

    Parameters
    ----------
    settings : Settings
        Of a run.
    layout : VideoSceneLayout, optional
        That would be sampled.

    Raises
    ------
    SamplingError, DataError
        See `spa2v_lib.sampling.check`.

    See Also
    --------
    check_settings : Refuses the other settings, too.

    Examples
    --------
    >>> check_sampling(Settings(steps=4))
    """
    from spa2v_lib.sampling import check

    check(
        layout,
        settings.sampled_with(),
        steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        grounding=settings.grounding,
        captions=settings.captions,
        device=settings.device,
    )
