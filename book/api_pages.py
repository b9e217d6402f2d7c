"""Write the pages of the API reference, one a module: ``python book/api_pages.py``.

What a module lists in ``__all__`` is what its page shows. Every module of the library has a page,
and of the lab every one that a chapter imports. `make book` calls this; the pages are not kept.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "book/api"
SOURCES = {"spa2v_lib": ROOT, "spa2v_lab": ROOT / "notebooks"}


def public_names(tree: ast.Module) -> list[str]:
    """Return what a module lists in ``__all__``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [element.value for element in node.value.elts]
    return []


def defined_here(tree: ast.Module) -> set[str]:
    """Return the names that a module itself defines."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {ast.unparse(target) for target in node.targets}
        elif isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
    return names


def imported_by_chapters() -> set[str]:
    """Return the modules that notebooks import from."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.py"))
    return {name for text in texts for name in re.findall(r"^from (spa2v_\w+[\w.]*)", text, re.M)}


def gathers(name: str) -> bool:
    """Return whether a module defines nothing itself, as a package that gathers its modules'."""
    path = SOURCES[name.split(".")[0]].joinpath(*name.split("."), "__init__.py")
    return path.is_file() and page(name, ast.parse(path.read_text(encoding="utf-8"))) is None


def page(name: str, tree: ast.Module) -> str | None:
    """Return a module's page; None if it defines nothing that is public."""
    members = [one for one in public_names(tree) if one in defined_here(tree)]
    if not members:
        return None
    summary = (ast.get_docstring(tree) or "").split("\n", 1)[0]
    # Pydantic's own setting is no part of a type's interface.
    options = (
        f"   :members: {', '.join(members)}\n   :member-order: bysource"
        "\n   :exclude-members: model_config"
    )
    directive = f"```{{eval-rst}}\n.. automodule:: {name}\n{options}\n```"
    return f"# {name}\n\n```python\nimport {name}\n```\n\n{directive}\n" if summary else None


def main() -> None:
    """Write every page anew."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    chapters = imported_by_chapters()
    for top, base in SOURCES.items():
        for path in sorted((base / top).rglob("*.py")):
            inside = path.relative_to(base).with_suffix("").parts
            name = ".".join(inside[:-1] if inside[-1] == "__init__" else inside)
            if top == "spa2v_lab" and name not in chapters:
                continue
            text = page(name, ast.parse(path.read_text(encoding="utf-8")))
            if text is not None:
                (PAGES / f"{name}.md").write_text(text, encoding="utf-8")
    print(f"{len(list(PAGES.glob('*.md')))} pages in book/api")


if __name__ == "__main__":
    main()
