"""Decoding under a schema: a language model in this process can write nothing else.

llguidance says at every step which tokens the schema allows. The schema must bound every text,
list and number (`spa2v_lib.planning.schema.narrowed`), so that the longest possible answer is
known before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spa2v_lib.errors import PlanningError
from spa2v_lib.resources import install_command

if TYPE_CHECKING:
    import torch
    from transformers import LogitsProcessor, PreTrainedTokenizerFast

__all__ = ["check_llguidance", "longest_answer", "schema_processor"]

_INSTALL = f"models in this process need llguidance: {install_command('local')}"


def check_llguidance() -> None:
    """Refuse to decode where llguidance is not installed.

    Raises
    ------
    PlanningError

    Examples
    --------
    >>> check_llguidance()  # doctest: +SKIP
    """
    if find_spec("llguidance") is None:
        raise PlanningError(_INSTALL)


def longest_answer(schema: dict[str, Any]) -> int:
    """Return the bytes of the longest answer that a bounded schema allows, without white space.

    No token is shorter than a byte, so that this also bounds the tokens.

    Parameters
    ----------
    schema : dict
        JSON schema, as ``model_json_schema`` of pydantic gives it; it may not refer to itself.

    Returns
    -------
    int

    Raises
    ------
    PlanningError
        If a part of the schema is not bounded.

    Examples
    --------
    >>> longest_answer({"type": "array", "items": {"enum": ["a", "bc"]}, "maxItems": 2})
    12
    """
    return _longest(schema, schema.get("$defs", {}))


def _longest(node: dict[str, Any], defs: dict[str, Any]) -> int:
    if "$ref" in node:
        return _longest(defs[node["$ref"].rsplit("/", 1)[-1]], defs)
    if "anyOf" in node:
        return max(_longest(part, defs) for part in node["anyOf"])
    if "const" in node or "enum" in node:
        return max(len(json.dumps(v)) for v in node.get("enum", [node.get("const")]))
    match node.get("type"):
        case "object" if node.get("additionalProperties") is False:
            named = node["properties"].items()
            return 2 + sum(len(key) + 4 + _longest(part, defs) for key, part in named)
        case "array" if "maxItems" in node:
            entries = node.get("prefixItems") or [node["items"]] * node["maxItems"]
            return 2 + sum(1 + _longest(part, defs) for part in entries[: node["maxItems"]])
        case "string" if "maxLength" in node and "pattern" in node:
            return 3 + node["maxLength"]
        case "boolean" | "null":
            return 5
    raise PlanningError(f"this part of the answer has no bound to decode with: {node}")


def schema_processor(
    tokenizer: PreTrainedTokenizerFast,
    schema: dict[str, Any],
    vocabulary: int,
    ends: Sequence[int],
) -> LogitsProcessor:
    """Return what keeps `generate` of transformers to a schema, for a single prompt.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerFast
        Of the model.
    schema : dict
        JSON schema in which everything is bounded.
    vocabulary : int
        Entries of the model's output, at least the tokenizer's.
    ends : sequence of int
        Tokens that end an answer.

    Returns
    -------
    LogitsProcessor

    Raises
    ------
    PlanningError
        If llguidance is not installed or cannot read the schema.

    Examples
    --------
    >>> keep = schema_processor(tokenizer, schema, 32_000, [2])  # doctest: +SKIP
    >>> model.generate(**inputs, logits_processor=[keep])  # doctest: +SKIP
    """
    check_llguidance()
    from llguidance import LLMatcher
    from llguidance.hf import from_tokenizer

    words = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=list(ends))
    compact = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
    matcher = LLMatcher(words, LLMatcher.grammar_from_json_schema(schema, overrides=compact))
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
                    raise PlanningError(f"decoding left the schema: {matcher.get_error()}")
            self.seen = input_ids.shape[1]
            packed = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
            bits = (packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
            allowed = bits.flatten()[: scores.shape[1]].bool().to(scores.device)
            return scores.masked_fill(~allowed, float("-inf"))

    return KeepToSchema()
