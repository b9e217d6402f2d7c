from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.cues import extract_cues
from spa2v_lib.cues.features import LAGS_S
from spa2v_lib.cues.formats import FORMATS, GRID_DEG, direct_sound


@pytest.mark.parametrize(
    ("capture", "ild_db", "itd_us"),
    [
        ("xy", (3.9, 8.5, 15.3), (0, 0, 0)),
        ("ms", (9.5, 22.9, 60.0), (0, 0, 0)),  # tables end at 60 dB, where the truth is infinite
        ("ortf", (4.9, 10.8, 20.1), (248, 429, 496)),
        ("ab", (0, 0, 0), (729, 1262, 1458)),
    ],
)
def test_tables_hold_the_published_differences(capture, ild_db, itd_us) -> None:
    at = np.searchsorted(GRID_DEG, (30.0, 60.0, 90.0))
    assert np.allclose(FORMATS[capture].ild_db[at, 0], ild_db, atol=0.06)
    assert np.allclose(1e6 * FORMATS[capture].delay_s[at], itd_us, atol=1.0)


def test_the_sphere_delays_as_woodworth_says_and_shadows_the_highs() -> None:
    item = FORMATS["binaural"]
    at = np.searchsorted(GRID_DEG, (30.0, 60.0, 90.0))
    assert np.allclose(1e6 * item.delay_s[at], (261, 488, 656), atol=1.0)
    assert item.ild_db[at[1], 0] < 1.0 < 10.0 < item.ild_db[at[1], -1]


@pytest.mark.parametrize("hz", [200.0, 1000.0, 6000.0])
def test_the_heads_steering_undoes_its_own_phase(hz: float) -> None:
    item, azimuth = FORMATS["binaural"], 40.0
    at = int(np.searchsorted(GRID_DEG, azimuth))
    # the shadow filter (1 + jax)/(1 + jx) at each ear, written out, and Woodworth's delay
    x = np.pi * hz * 0.0875 / 343.0
    near, far = (1.05 + 0.95 * np.cos(np.radians(1.2 * i)) for i in (50.0, 130.0))
    lead = np.angle((1 + 1j * near * x) / (1 + 1j * far * x)) / (2 * np.pi * hz)
    lead += 0.0875 / 343.0 * (np.radians(azimuth) + np.sin(np.radians(azimuth)))
    gcc = np.cos(2 * np.pi * hz * (LAGS_S - lead))[None, :]
    assert item.steered(gcc)[0, at] == pytest.approx(1.0, abs=0.02)
    if hz < 300.0:
        assert lead > 1.2 * item.delay_s[at]


@pytest.mark.parametrize("capture", list(FORMATS))
def test_every_table_is_antisymmetric_and_inverts(capture: str) -> None:
    item = FORMATS[capture]
    assert np.allclose(item.ild_db, -item.ild_db[::-1], atol=1e-6)
    inner = np.arange(-40.0, 41.0, 10.0)
    at = np.searchsorted(GRID_DEG, inner)
    if item.has_delay:
        assert np.allclose(item.azimuth_from_delay(item.delay_s[at]), inner)
    if item.has_level:
        assert np.allclose(item.azimuth_from_pan(item.pan_deg[at]), inner)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.75])
@pytest.mark.parametrize("pan_deg", [20.0, 45.0, 70.0])
def test_the_fit_finds_direct_sound_in_a_diffuse_field_exactly(rho: float, pan_deg: float) -> None:
    g = np.array([np.cos(np.radians(pan_deg)), np.sin(np.radians(pan_deg))])
    direct, diffuse = 1.0, 3.0
    covariance = direct * np.outer(g, g) + diffuse * np.array([[1.0, rho], [rho, 1.0]])
    found = direct_sound(covariance[0, 0], covariance[1, 1], covariance[0, 1], rho)
    assert found.pan_deg == pytest.approx(pan_deg, abs=1e-3)
    assert found.share == pytest.approx(1.0 / 7.0, abs=1e-6)


@pytest.mark.parametrize("capture", ["panned", "xy", "ms"])
def test_coincident_pairs_are_one_answer_whose_interval_covers_each(rendered, capture):
    cues = extract_cues(rendered(lambda t: 30.0 + 0 * t, capture=capture), label="bus")
    assert cues.capture.format == "panned"
    assert "cannot be distinguished" in cues.capture.note
    source = cues.sources[0]
    assert all(
        low <= 30.0 <= high
        for low, high in zip(source.azimuth_low_deg, source.azimuth_high_deg, strict=True)
    )


@pytest.mark.parametrize("capture", ["ortf", "ab"])
@pytest.mark.parametrize("azimuth", [-35.0, 50.0])
def test_spaced_pairs_are_recognised(rendered, capture: str, azimuth: float) -> None:
    cues = extract_cues(rendered(lambda t: azimuth + 0 * t, capture=capture), label="bus")
    assert cues.capture.format == capture
    assert cues.capture.confidence > 0.8
