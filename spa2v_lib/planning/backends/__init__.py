"""From a planner's name to the model that answers for it."""

from __future__ import annotations

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.base import Backend, PlannerSpec
from spa2v_lib.planning.backends.hosted import HostedModel

__all__ = ["check_available", "make_backend"]


def make_backend(spec: PlannerSpec, *, seed: int = 0) -> Backend:
    """Return the model of a planner; nothing is loaded or sent yet, and no package is asked for.

    Parameters
    ----------
    spec : PlannerSpec
        Of any provider but "acoustic".
    seed : int
        Of the answer, where the model can be given one.

    Returns
    -------
    Backend

    Raises
    ------
    PlanningError
        If the planner asks no model.

    See Also
    --------
    check_available : Whether it can be asked here.

    Examples
    --------
    >>> from spa2v_lib.planning import parse_planner
    >>> make_backend(parse_planner("google:gemini-3.8-flash")).parameters
    {'temperature': 0.5, 'seed': 0}
    """
    if spec.hosted:
        return HostedModel(spec, seed=seed)
    if spec.provider == "transformers":
        from spa2v_lib.planning.backends.local import local_model

        return local_model(spec.model, seed=seed)
    if spec.provider == "smollm":
        from spa2v_lib.planning.backends.smollm import smollm

        return smollm(seed)
    raise PlanningError(f"the planner {str(spec)!r} asks no model")


def check_available(spec: PlannerSpec) -> None:
    """Refuse a planner that cannot work here, before anything is analyzed, loaded or sent.

    Parameters
    ----------
    spec : PlannerSpec
        The acoustic planner always works.

    Raises
    ------
    PlanningError
        If a package is missing, or no key is set where one is needed.

    See Also
    --------
    make_backend : Makes the model.

    Examples
    --------
    >>> check_available(PlannerSpec("acoustic"))
    """
    if spec.provider != "acoustic":
        make_backend(spec).check()
