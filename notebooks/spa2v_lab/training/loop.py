"""The one training loop of the tiny suite: AdamW, cosine decay, averaged weights, checkpoints.

Batches are drawn from a generator that is seeded by the step, so a training that was interrupted
and resumed sees the same batches as one that was not. A training on rented time may also be given
seconds; the learning rate then falls so as to arrive at zero with whichever runs out first.

What is written about the shipped suite: its model card and the logs of its trainings.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spa2v_lib.errors import DataError
from spa2v_lib.resources import resource

__all__ = [
    "STAGES",
    "Plan",
    "card_section",
    "fit",
    "training_logs",
]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train.

    Attributes
    ----------
    steps, batch : int
        Optimiser steps and examples a step.
    lr : float
        Peak learning rate; it rises over `warmup` steps and falls to zero as a cosine.
    seed : int
    warmup : int
    decay : float
        Of the exponential average of the weights, which is what is kept.
    seconds : float, optional
        Time after which training ends, be the steps done or not.

    See Also
    --------
    fit : follows it

    Examples
    --------
    >>> plan = Plan(steps=100, batch=8, lr=1e-3, warmup=10)
    >>> plan.rate(0) < plan.rate(10), plan.rate(100)
    (True, 0.0)
    """

    steps: int
    batch: int
    lr: float
    seed: int = 0
    warmup: int = 100
    decay: float = 0.998
    seconds: float | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is over, in [0, 1]."""
        timed = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(step / self.steps, timed))

    def rate(self, step: int, seconds: float = 0.0) -> float:
        """Return the learning rate at `step`, `seconds` after the start."""
        rise = min(1.0, (step + 1) / self.warmup)
        return self.lr * rise * 0.5 * (1 + math.cos(math.pi * self.progress(step, seconds)))


def fit(
    name: str,
    parameters: Iterable[nn.Parameter],
    loss: Callable[[torch.Generator], Tensor],
    plan: Plan,
    folder: Path,
    every: int = 200,
    between_s: float = 60.0,
) -> dict:
    """Minimise `loss` and leave the averaged weights in `parameters`.

    Parameters
    ----------
    name : str
        Names the checkpoint ``folder/name.ckpt``.
    parameters : iterable of nn.Parameter
        What is trained; everything else stays as it is.
    loss : callable
        Draws a batch with the generator it is given and returns a scalar.
    plan : Plan
    folder : Path
        Where checkpoints go; training resumes from the one it finds there.
    every : int
        Steps between the losses that are noted.
    between_s : float
        Least seconds between checkpoints, which are written when losses are noted.

    Returns
    -------
    dict
        The log: plan, steps done, losses (mean of each `every` steps) and seconds spent.

    See Also
    --------
    Plan : how long and how fast

    Examples
    --------
    >>> weight = nn.Parameter(torch.zeros(1))
    >>> plan = Plan(steps=50, batch=1, lr=0.1, warmup=1, decay=0.5)
    >>> log = fit("line", [weight], lambda rng: (weight - 1).square().sum(), plan, Path("."))
    line 50/50 loss ...
    >>> log["steps"], bool(weight > 0.5)
    (50, True)
    """
    kept = [p for p in parameters if p.requires_grad]
    average = [p.detach().clone() for p in kept]
    device = kept[0].device
    optimiser = torch.optim.AdamW(
        kept, lr=plan.lr, betas=(0.9, 0.99), weight_decay=0.01, fused=device.type == "cuda"
    )
    log = {"plan": asdict(plan), "steps": 0, "every": every, "losses": [], "seconds": 0.0}
    step = _resume(folder / f"{name}.ckpt", kept, average, optimiser, log)
    recent, began, saved = [], time.perf_counter() - log["seconds"], time.perf_counter()
    over = plan.progress(step, log["seconds"]) >= 1
    while not over:
        spent = time.perf_counter() - began
        generator = torch.Generator(device).manual_seed(plan.seed * 1_000_003 + step)
        value = loss(generator)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(kept, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate(step, spent)
        optimiser.step()
        decay = min(plan.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(average, [p.detach() for p in kept], 1 - decay)
        recent.append(value.detach())  # a number would have to wait for the device
        step += 1
        over = plan.progress(step, spent) >= 1
        if step % every == 0 or over:
            log["losses"].append(round(torch.stack(recent).mean().item(), 5))
            log["steps"], log["seconds"] = step, round(time.perf_counter() - began, 1)
            print(f"{name} {step}/{plan.steps} loss {log['losses'][-1]} {log['seconds']:.0f} s")
            recent = []
            if over or time.perf_counter() - saved > between_s:
                _save(folder / f"{name}.ckpt", step, kept, average, optimiser, log)
                saved = time.perf_counter()
    with torch.no_grad():
        torch._foreach_copy_(kept, average)
    return log


def _save(path: Path, step: int, kept: list, average: list, optimiser, log: dict) -> None:
    partial = path.with_suffix(".partial")
    state = {
        "step": step,
        "kept": [p.detach() for p in kept],
        "average": average,
        "optimiser": optimiser.state_dict(),
        "log": json.dumps(log),
    }
    torch.save(state, partial)
    partial.replace(path)


def _resume(path: Path, kept: list, average: list, optimiser, log: dict) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, map_location=kept[0].device, weights_only=True)
    with torch.no_grad():
        torch._foreach_copy_(kept, state["kept"])
    torch._foreach_copy_(average, state["average"])
    optimiser.load_state_dict(state["optimiser"])
    log.update({**json.loads(state["log"]), "plan": log["plan"]})
    print(f"resuming {path.stem} at step {state['step']}")
    return state["step"]


STAGES = ("autoencoder", "base", "motion", "gligen", "migc", "detector")
"""Trainings in the order in which they were done."""


def training_logs() -> dict[str, dict[str, Any]]:
    """Read the plan and the losses of every training that has a log, in their order.

    A stage that was trained further has several entries, called "*stage*", "*stage*, part 2" and so
    on, the first training first.

    See Also
    --------
    card_section : what is written about them

    Examples
    --------
    >>> list(training_logs())[0]
    'autoencoder'
    """
    folder = resource("models", "tiny", "training")
    logs: dict[str, dict[str, Any]] = {}
    for name in STAGES:
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        log = json.loads(path.read_text(encoding="utf-8"))
        parts = [log]
        while before := parts[0].pop("before", None):
            parts.insert(0, before)
        logs |= {f"{name}, part {i}" if i > 1 else name: part for i, part in enumerate(parts, 1)}
    return logs


def card_section(heading: str) -> str:
    """Return one section of the suite's model card, as Markdown without its heading.

    Parameters
    ----------
    heading : str
        Of the second level, as the card writes it.

    Raises
    ------
    DataError
        If the card has no such section.

    See Also
    --------
    training_logs : the numbers behind it

    Examples
    --------
    >>> "|---" in card_section("How well it does")
    True
    """
    text = (resource("models", "tiny") / "README.md").read_text(encoding="utf-8")
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    if heading not in sections:
        raise DataError(
            f"the model card has no section {heading!r}; there is: {', '.join(sections)}"
        )
    return sections[heading].strip()
