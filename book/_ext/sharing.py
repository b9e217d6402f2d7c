"""Sphinx extension: what others show of a link to a page: title, description and picture.

sphinxext-opengraph writes the tags. Their addresses begin with the public one, where the pages of
the repository are served; until it is set they are relative.
"""

from __future__ import annotations

import re
from typing import Any

PLACEHOLDER = "OWNER"
REPOSITORY = re.compile(r"https://github\.com/([\w-]+)/([\w.-]+?)/?$")


def site_of(repository: str) -> str:
    """Return the address of a repository's pages, or "" while its owner is not set.

    >>> site_of("https://github.com/me/spa2v")
    'https://me.github.io/spa2v/'
    """
    found = REPOSITORY.match(repository)
    if not found or found[1] == PLACEHOLDER:
        return ""
    return f"https://{found[1].lower()}.github.io/{found[2]}/"


def set_site(app: Any, config: Any) -> None:
    """Derive the site's address from the repository's, which one command sets."""
    config.ogp_site_url = site_of(config.html_theme_options.get("repository_url", ""))


def setup(app: Any) -> dict[str, bool]:
    app.setup_extension("sphinxext.opengraph")
    app.connect("config-inited", set_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
