"""Where keys are found: in the environment, on Colab in its secrets too, and nowhere shown."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from spa2v_lib.errors import PlanningError
from spa2v_lib.planning.backends.base import PlannerSpec
from spa2v_lib.planning.backends.hosted import HostedModel
from spa2v_lib.planning.backends.keys import find_key

NAMES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
SECRET = "sk-very-secret-0123456789"


class SecretNotFoundError(Exception):
    """As Colab's own, which tells the secret's name."""


@pytest.fixture
def secrets(monkeypatch):
    """Colab's secrets, and which of them were asked for; the environment holds no key."""
    for name in (*NAMES, "COLAB_NOTEBOOK_ID", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    kept: dict[str, str] = {}
    asked: list[str] = []

    def get(name):
        asked.append(name)
        if name not in kept:
            raise SecretNotFoundError(name)
        return kept[name]

    modules = {name: ModuleType(name) for name in ("google.colab", "google.colab.userdata")}
    modules["google.colab.userdata"].get = get
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return kept, asked


def test_a_secret_on_colab_is_found_after_the_environment(secrets, monkeypatch, capfd, caplog):
    kept, asked = secrets
    monkeypatch.setenv("COLAB_NOTEBOOK_ID", "one")
    kept["GEMINI_API_KEY"] = SECRET
    with caplog.at_level("DEBUG"):
        assert find_key(NAMES) == SECRET and asked == list(NAMES)
    assert capfd.readouterr() == ("", "") and caplog.records == []
    monkeypatch.setenv("GEMINI_API_KEY", "from the environment")
    assert find_key(NAMES) == "from the environment" and asked == list(NAMES)


def test_elsewhere_colab_is_not_asked(secrets):
    kept, asked = secrets
    kept["GOOGLE_API_KEY"] = SECRET
    assert find_key(NAMES) is None and asked == []


def test_without_colabs_module_there_is_no_key(secrets, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "one")
    monkeypatch.setitem(sys.modules, "google.colab.userdata", None)
    assert find_key(NAMES) is None


def test_a_planner_takes_the_secret_and_asks_for_it_by_name(secrets, monkeypatch):
    pytest.importorskip("pydantic_ai.models.google")
    kept, _ = secrets
    model = HostedModel(PlannerSpec("google", "gemini"))
    monkeypatch.setenv("COLAB_NOTEBOOK_ID", "one")
    with pytest.raises(PlanningError, match="GEMINI_API_KEY, or in a secret of that name"):
        model.check()
    kept["GOOGLE_API_KEY"] = SECRET
    model.check()
    assert SECRET not in repr(model)
