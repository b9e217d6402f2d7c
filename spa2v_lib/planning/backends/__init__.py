"""From a planner's name to the model that answers for it."""

from __future__ import annotations

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.base import Backend
from spa2v_lib.planning.backends.hosted import HostedModel
from spa2v_lib.planning.backends.spec import PlannerSpec

__all__ = ["check_available", "make_backend"]


def make_backend(spec: PlannerSpec, *, temperature: float | None = None, seed: int = 0) -> Backend:
    """Return the model of a planner; nothing is loaded or sent yet.

    Parameters
    ----------
    spec : PlannerSpec
        Of any provider but "acoustic".
    temperature : float, optional
        If not given, 0.5 for hosted models, as in SpA2V, and 0 for the others.
    seed : int

    Raises
    ------
    PlanningError
        If the planner needs no model, or a package that it needs is missing.
    """
    drawn = {"seed": seed} if temperature is None else {"seed": seed, "temperature": temperature}
    if spec.hosted:
        return HostedModel(spec, **drawn)
    if spec.provider == "transformers":
        from spa2v_lib.planning.backends.local import local_model

        return local_model(spec.model, **drawn)
    if spec.provider == "smollm":
        from spa2v_lib.planning.backends.local import smollm

        return smollm(**drawn)
    raise PlanningError(f"the planner {str(spec)!r} asks no model")


def check_available(spec: PlannerSpec) -> None:
    """Refuse a planner that cannot work here, before anything is heard, loaded or sent.

    Raises
    ------
    PlanningError
        If a package is missing, or no key is set where one is needed.
    """
    if spec.hosted:
        make_backend(spec).check()
    elif spec.provider != "acoustic":
        make_backend(spec)
