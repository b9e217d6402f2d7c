"""What must not be in the code, in the notebooks, or in what runs write."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT / "spa2v_lib", ROOT / "notebooks/spa2v_lab", ROOT / "book")
CODE = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))
UNSAFE_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
}
RUNS_TEXT = {"eval", "exec", "__import__"}

# Kinds of keys by their looks, long enough that no word or digest is taken for one. Tests are left
# out: they make keys up.
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\bsk-(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{20,}"
    r"|\bhf_[A-Za-z0-9]{30,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}"
    r"|\bAKIA[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{35}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{20,}"
    r"|\bpypi-[A-Za-z0-9_-]{60,}"
    r"|\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\."
)
TEXT = {
    *(".py", ".md", ".ipynb", ".json", ".jsonl", ".yml", ".yaml", ".toml", ".txt", ".cff", ".csv"),
    *(".html", ".js", ".css", ".svg", ".bib"),
}
CACHES = {".hypothesis", ".pytest_cache", ".ruff_cache", "__pycache__"}
COLABS = {".venv-colab-3.11", ".venv-colab-3.13"}
SKIPPED = {".git", "tests", "vendored", ".venv", *COLABS, *CACHES}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Return the top-level modules that a file imports; `import pickle` is looked at apart."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names if alias.name != "pickle"}
            assert all(alias.asname is None for alias in node.names if alias.name == "pickle")
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_pickled_and_no_text_is_run_as_code(path: Path) -> None:
    assert imported(path) & UNSAFE_MODULES == set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle":
            assert node.attr == "UnpicklingError"  # what torch raises when it refuses one
        if isinstance(node, ast.Call):
            assert name_of(node) not in RUNS_TEXT
            assert name_of(node) != "os.system"
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert given.get("allow_pickle") != "True" and given.get("shell") != "True"
            if name_of(node) == "torch.load":
                assert given.get("weights_only") == "True"


def text_files(root: Path = ROOT) -> list[Path]:
    return [
        path
        for path in root.rglob("*")
        if path.suffix in TEXT
        and not SKIPPED & set(path.relative_to(root).parts)
        and path.is_file()
        and path.stat().st_size < 20e6
    ]


def test_no_file_of_the_project_holds_a_key() -> None:
    """Nor do the executed notebooks and the book, where they have been made."""
    files = text_files()
    assert any(path.suffix == ".ipynb" for path in files)
    found = {
        path.relative_to(ROOT).as_posix(): SECRETS.findall(text)[0][:12]
        for path in files
        if SECRETS.search(text := path.read_text(encoding="utf-8", errors="replace"))
    }
    assert found == {}


@pytest.mark.parametrize(
    "name",
    [
        "notebooks/a.ipynb",
        "build/notebooks/a.ipynb",
        "book/_build/html/notebooks/a.html",
        ".github/workflows/a.yml",
        "data/results/a.json",
    ],
)
def test_the_scan_looks_into_notebooks_and_into_what_is_made_of_them(tmp_path, name) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("")
    assert text_files(tmp_path) == [tmp_path / name]


@pytest.mark.parametrize(
    "key",
    [
        "sk-" + "a1B2" * 10,
        "hf_" + "a1B2" * 9,
        "ghp_" + "a1B2" * 9,
        "AKIA" + "A1B2" * 4,
        "AIza" + "a1B2c" * 7,
        "-----BEGIN RSA " + "PRIVATE KEY-----",
    ],
)
def test_the_scan_finds_the_usual_keys(key: str) -> None:
    assert SECRETS.search(f'"text": "it says {key} here"')
    assert not SECRETS.search("sha256 " + "0123456789abcdef" * 4 + " task-force sk-learn")


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "GOOGLE_API_KEY", "HF_TOKEN"])
def test_a_key_in_the_environment_does_not_reach_what_a_run_writes(
    tmp_path, monkeypatch, variable
) -> None:
    import numpy as np

    from spa2v_lib import runs, sampling
    from spa2v_lib.audio.recording import Recording
    from spa2v_lib.video import Video

    key = "sk-" + "Zq7x" * 10
    monkeypatch.setenv(variable, key)

    def generate(layout, *_, **__):
        return Video(np.zeros((layout.frame_count, 64, 64, 3), np.uint8), layout.fps, layout)

    monkeypatch.setattr(sampling, "generate", generate)
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    audio = Recording.from_samples(noise, 16_000).save(tmp_path / "a.wav")
    folder = runs.generate_run(audio, tmp_path / "run", label="car")
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"run.json", "report.html", "video.mp4"} < set(written)
    assert [name for name, content in written.items() if key.encode() in content] == []
