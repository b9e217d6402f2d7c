"""pyproject.toml, constraints.txt and environment.yml say the same."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
IMPORT_NAMES = {
    "pillow": "PIL",
    "ipython": "IPython",
    "huggingface-hub": "huggingface_hub",
    "json-repair": "json_repair",
    "opencv-python-headless": "cv2",
    "pot": "ot",
}
CONDA_NAMES = {
    "huggingface-hub": "huggingface_hub",
    "opencv-python-headless": "py-opencv",
    "torch": "pytorch",
    "soundfile": "pysoundfile",
    "soxr": "soxr-python",
}
CONDA_EXTRAS = ("book", "test")  # the others are for a few, and not all on conda-forge


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(*extras: str) -> list[Requirement]:
    """Return what the library and the named extras ask for; of all extras if none is named."""
    optional = project()["optional-dependencies"]
    chosen = [line for extra in extras or optional for line in optional[extra]]
    return [Requirement(line) for line in [*project()["dependencies"], *chosen]]


def constraints() -> dict[str, str]:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[canonicalize_name(name)] = version
    return pins


def conda() -> tuple[dict[str, Requirement], list[str]]:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    parsed = [Requirement(entry) for entry in listed if isinstance(entry, str)]
    return {entry.name: entry for entry in parsed}, pip


@pytest.mark.parametrize("requirement", requirements(), ids=lambda r: r.name)
def test_every_requirement_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    pin = constraints()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin), f"{requirement} is pinned to {pin}"


@pytest.mark.parametrize("requirement", requirements(*CONDA_EXTRAS), ids=lambda r: r.name)
def test_conda_asks_for_the_same_bounds(requirement: Requirement) -> None:
    name = CONDA_NAMES.get(requirement.name, requirement.name)
    assert conda()[0][name].specifier == requirement.specifier


def test_conda_lists_nothing_else() -> None:
    wanted = {CONDA_NAMES.get(r.name, r.name) for r in requirements(*CONDA_EXTRAS)} | {
        "python",
        "pip",
    }
    packages, pip = conda()
    assert set(packages) == wanted
    assert pip == ["-e ."]
    assert str(packages["python"].specifier) == project()["requires-python"]


def test_the_library_sets_lower_bounds_only() -> None:
    core = [Requirement(line) for line in project()["dependencies"]]
    operators = {spec.operator for requirement in core for spec in requirement.specifier}
    assert operators == {">="}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("torch", "2.11.0"),
        ("numpy", "2.1.3"),
        ("diffusers", "0.39.0"),
        ("transformers", "5.15.0"),
        ("plotly", "5.24.1"),
        ("ipywidgets", "7.7.1"),
    ],
)
def test_the_versions_of_colab_are_admitted(name: str, version: str) -> None:
    (requirement,) = [r for r in requirements() if r.name == name]
    assert requirement.specifier.contains(version)


def test_constraints_are_plain_pins_any_index_can_serve() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not [name for name, version in constraints().items() if "+" in version]


@pytest.mark.parametrize("package", ["spa2v_lib", "notebooks/spa2v_lab"])
def test_a_package_imports_only_what_it_asks_for(package: str) -> None:
    asked = [
        requirement.name for requirement in requirements("models", "local", "bench", "batch", "ray")
    ]
    own = {"spa2v_lib", "spa2v_lab"}
    known = {IMPORT_NAMES.get(name, name) for name in asked} | own | sys.stdlib_module_names
    imported = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                imported.add(node.module.split(".")[0])
    assert imported - known == set()
