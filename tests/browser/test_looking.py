"""Where there is no browser, that is said, and CI does not pass by it."""

from __future__ import annotations

import looking
import pytest


@pytest.fixture
def no_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "NAMES", ("no-such-browser",))


@pytest.mark.usefixtures("no_chromium")
def test_ci_without_a_browser_fails_and_says_what_to_do() -> None:
    with pytest.raises(pytest.fail.Exception, match="SPA2V_NO_BROWSER=1"):
        looking.without_browser({"CI": "true"})


@pytest.mark.usefixtures("no_chromium")
@pytest.mark.parametrize("environment", [{}, {"CI": "true", "SPA2V_NO_BROWSER": "1"}])
def test_elsewhere_or_where_it_is_meant_the_tests_are_skipped(environment: dict) -> None:
    assert looking.without_browser(environment)
