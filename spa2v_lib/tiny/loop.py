"""The one training loop of the tiny suite: AdamW, cosine decay, averaged weights, checkpoints.

Batches are drawn from a generator that is seeded by the step, so a training that was interrupted
and resumed sees the same batches as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

__all__ = ["Plan", "fit"]


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
    """

    steps: int
    batch: int
    lr: float
    seed: int = 0
    warmup: int = 100
    decay: float = 0.998

    def rate(self, step: int) -> float:
        """Return the learning rate at `step`."""
        rise = min(1.0, (step + 1) / self.warmup)
        return self.lr * rise * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def fit(
    name: str,
    parameters: Iterable[nn.Parameter],
    loss: Callable[[torch.Generator], Tensor],
    plan: Plan,
    folder: Path,
    every: int = 200,
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
        Steps between checkpoints.

    Returns
    -------
    dict
        The log: plan, losses (mean of each `every` steps) and seconds spent.
    """
    kept = [p for p in parameters if p.requires_grad]
    average = [p.detach().clone() for p in kept]
    optimiser = torch.optim.AdamW(kept, lr=plan.lr, betas=(0.9, 0.99), weight_decay=0.01)
    log = {"plan": asdict(plan), "losses": [], "seconds": 0.0}
    start = _resume(folder / f"{name}.ckpt", kept, average, optimiser, log)
    recent, began = [], time.perf_counter()
    for step in range(start, plan.steps):
        value = loss(torch.Generator().manual_seed(plan.seed * 1_000_003 + step))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(kept, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate(step)
        optimiser.step()
        decay = min(plan.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(average, [p.detach() for p in kept], 1 - decay)
        recent.append(value.item())
        if (step + 1) % every == 0 or step + 1 == plan.steps:
            log["losses"].append(round(sum(recent) / len(recent), 5))
            log["seconds"] = round(log["seconds"] + time.perf_counter() - began, 1)
            print(f"{name} {step + 1}/{plan.steps} loss {log['losses'][-1]} {log['seconds']:.0f} s")
            recent, began = [], time.perf_counter()
            _save(folder / f"{name}.ckpt", step + 1, kept, average, optimiser, log)
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
    state = torch.load(path, weights_only=True)
    with torch.no_grad():
        torch._foreach_copy_(kept, state["kept"])
    torch._foreach_copy_(average, state["average"])
    optimiser.load_state_dict(state["optimiser"])
    log.update({**json.loads(state["log"]), "plan": log["plan"]})
    print(f"resuming {path.stem} at step {state['step']}")
    return state["step"]
