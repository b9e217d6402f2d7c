"""Decoding under a schema: a language model in this process can write nothing else.

llguidance says at every step which tokens the schema allows. A schema that is good to validate
with is not good to decode with: text and lists without an end let a weak model ramble for ever.
`bounded_schema` bounds every text, list and number, so that the longest possible answer is known
before (`longest_answer`), and fixes what the recording already decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import PlanningError
from spa2v_lib.layout.classes import BACKGROUNDS, CLASSES

if TYPE_CHECKING:
    import torch
    from pydantic import BaseModel
    from transformers import LogitsProcessor, PreTrainedTokenizerFast

    from spa2v_lib.cues.types import SourceTrack, SpatialCues

__all__ = ["Bounds", "bounded_schema", "longest_answer", "schema_processor"]

_PRINTABLE = r"[ !#-\[\]-~]"  # ASCII without the quote and the backslash: one byte, no escape
_FIRST = r"[!#-\[\]-~]"
_STEP = 0.01
_DIGITS = 4  # of a number's whole part, at most
# Even hundredths and odd ones: two corners that cannot be equal make a box that has an extent.
_EVEN = [k / 100 for k in range(0, 100, 2)]
_ODD = [*(k / 100 for k in range(1, 100, 2)), 1.0]
_CORNERS = {"x0": _EVEN, "y0": _EVEN, "x1": _ODD, "y1": _ODD}
_KEPT = ("type", "enum", "const", "minimum", "maximum", "minItems", "maxItems")


@dataclass(frozen=True)
class Bounds:
    """How long an answer may be, and what of it is settled.

    Attributes
    ----------
    text : int
        Characters of a text, at least 1.
    texts : mapping of str to int
        The same for fields of these names.
    items : int
        Entries of a list of which nothing else is known.
    choices : mapping of str to sequence of str
        All that fields of these names may hold.
    rows : mapping of str to sequence of mapping
        For lists of these names what each entry is known to hold, name to value; thereby also how
        many there are.
    """

    text: int = 160
    texts: Mapping[str, int] = field(
        default_factory=lambda: {"reasoning": 600, "caption": 100, "id": 20}
    )
    items: int = 3
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def settled(self, cues: SpatialCues, times_s: Sequence[float]) -> Bounds:
        """Add what the recording and the known classes settle of the answers that are asked for.

        Parameters
        ----------
        cues : SpatialCues
        times_s : sequence of float
            Of the frames that are asked for.
        """
        choices = {"label": tuple(sorted(CLASSES)), "background": tuple(BACKGROUNDS)}
        sources = [{"id": source.id} for source in cues.sources]
        rows = {
            "sources": sources,
            "frame_captions": [{}] * len(times_s),
            "frames": [{"time_s": round(time, 2)} for time in times_s],
            # A thing keeps its class from frame to frame, which no schema can say otherwise.
            "boxes": [_kept(source) for source in cues.sources],
        }
        return replace(self, choices=choices, rows=rows)


def _kept(source: SourceTrack) -> dict[str, str]:
    known = {"label": source.label} if source.label in CLASSES else {}
    return {"id": source.id, **known}


def bounded_schema(schema: type[BaseModel], bounds: Bounds | None = None) -> dict[str, Any]:
    """Return a JSON schema to decode with: every text, list and number in it is bounded.

    Texts are printable ASCII and not empty; numbers are hundredths; the corners of a box lie in
    the picture and differ; every field is written, in the order of the model.

    Parameters
    ----------
    schema : type of BaseModel
        What the answer is validated with; may not refer to itself.
    bounds : Bounds, optional
    """
    whole = schema.model_json_schema()
    return _bounded(whole, "", whole.get("$defs", {}), bounds or Bounds())


def _bounded(node: dict[str, Any], name: str, defs: dict[str, Any], bounds: Bounds) -> Any:
    if "$ref" in node:
        return _bounded(defs[node["$ref"].rsplit("/", 1)[-1]], name, defs, bounds)
    if "anyOf" in node:
        return {"anyOf": [_bounded(part, name, defs, bounds) for part in node["anyOf"]]}
    if name in bounds.choices:
        return {"enum": list(bounds.choices[name])}
    if "enum" in node or "const" in node:
        return {key: node[key] for key in _KEPT if key in node}
    match node.get("type"):
        case "object":
            named = node.get("properties", {}).items()
            properties = {key: _bounded(part, key, defs, bounds) for key, part in named}
            return _object(properties)
        case "array":
            return _array(node, name, defs, bounds)
        case "string":
            longest = min(bounds.texts.get(name, bounds.text), node.get("maxLength", 10**6))
            return {"type": "string", "pattern": f"^{_FIRST}{_PRINTABLE}{{0,{longest - 1}}}$"}
        case "number" | "integer" as kind:
            if name in _CORNERS:
                return {"enum": _CORNERS[name]}
            high = node.get("maximum", 10**_DIGITS - 1)
            limits = {"minimum": node.get("minimum", 0), "maximum": high}
            step = {} if kind == "integer" else {"multipleOf": _STEP}
            return {"type": kind, **limits, **step}
    return {key: node[key] for key in _KEPT if key in node}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(node: dict[str, Any], name: str, defs: dict[str, Any], bounds: Bounds) -> dict[str, Any]:
    entry = _bounded(node["items"], "", defs, bounds)
    if name not in bounds.rows:
        most = min(bounds.items, node.get("maxItems", bounds.items))
        return {"type": "array", "items": entry, "minItems": 0, "maxItems": most}
    entries = [_with(entry, known) for known in bounds.rows[name]]
    size = {"minItems": len(entries), "maxItems": len(entries)}
    return {"type": "array", "prefixItems": entries, "items": False, **size}


def _with(entry: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    if not known:
        return entry
    return _object(entry["properties"] | {key: {"const": value} for key, value in known.items()})


def longest_answer(schema: dict[str, Any]) -> int:
    """Return the bytes of the longest answer that a bounded schema allows, without white space.

    No token is shorter than a byte, so that this also bounds the tokens.

    Raises
    ------
    PlanningError
        If a part of the schema is not bounded.
    """
    if "anyOf" in schema:
        return max(longest_answer(part) for part in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return max(len(json.dumps(v)) for v in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "object":
            named = schema["properties"].items()
            return 2 + sum(len(key) + 4 + longest_answer(part) for key, part in named)
        case "array":
            entries = schema.get("prefixItems") or [schema["items"]] * schema["maxItems"]
            return 2 + sum(1 + longest_answer(part) for part in entries)
        case "string" if "pattern" in schema:
            return 3 + int(schema["pattern"].rsplit(",", 1)[1].removesuffix("}$"))
        case "number" | "integer" if "maximum" in schema:
            return _DIGITS + 4
        case "boolean" | "null":
            return 5
    raise PlanningError(f"this part of the answer has no bound to decode with: {schema}")


def schema_processor(
    tokenizer: PreTrainedTokenizerFast,
    schema: dict[str, Any],
    vocabulary: int,
    ends: Sequence[int],
) -> LogitsProcessor:
    """Return what keeps `generate` to a schema, for a single prompt.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerFast
        Of the model.
    schema : dict
        As `bounded_schema` makes it.
    vocabulary : int
        Entries of the model's output, at least the tokenizer's.
    ends : sequence of int
        Tokens that end an answer.

    Raises
    ------
    PlanningError
        If llguidance is not installed or cannot read the schema.
    """
    try:
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer
    except ImportError:
        raise PlanningError(
            "models in this process need llguidance; install it with: pip install 'spa2v[local]'"
        ) from None
    words = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=list(ends))
    compact = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
    grammar = LLMatcher.grammar_from_json_schema(schema, overrides=compact)
    matcher = LLMatcher(words, grammar)
    if matcher.is_error():
        raise PlanningError(f"the schema cannot be decoded with: {matcher.get_error()}")
    return _processor(matcher)


def _processor(matcher: Any) -> LogitsProcessor:
    import torch
    from transformers import LogitsProcessor

    class KeepToSchema(LogitsProcessor):
        """Masks what the schema does not allow next."""

        def __init__(self) -> None:
            self.seen: int | None = None

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            if self.seen is not None:
                written = input_ids[0, self.seen :].tolist()
                if not matcher.consume_tokens(written):
                    raise PlanningError(f"decoding went astray: {matcher.get_error()}")
            self.seen = input_ids.shape[1]
            packed = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
            bits = (packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
            allowed = bits.flatten()[: scores.shape[1]].bool().to(scores.device)
            return scores.masked_fill(~allowed, float("-inf"))

    return KeepToSchema()
