from __future__ import annotations

import numpy as np
import pytest

from spa2v_lib.cues.doppler import Passage, focus, log_doppler, measured_shift, path_position
from spa2v_lib.cues.pitch import LOG_STEP, LineSpectra


def lines_of(shift: np.ndarray, times: np.ndarray) -> LineSpectra:
    """Spectra of three peaks that are shifted together."""
    axis = np.arange(3000.0)
    rows = [
        sum(np.exp(-0.5 * ((axis - at - s / LOG_STEP) / 4.0) ** 2) for at in (600, 1300, 2100))
        for s in shift
    ]
    return LineSpectra(times, np.array(rows, np.float32))


@pytest.mark.parametrize("mach", [0.0, 0.03, 0.12])
def test_the_way_solves_the_equation_of_retarded_time(mach: float) -> None:
    times = np.linspace(-4.0, 6.0, 101)
    way = path_position(times, 1.3, 0.8, mach)
    assert np.allclose(way + mach * (np.hypot(1.0, way) - 1.0), 0.8 * (times - 1.3))


def test_the_shift_tends_to_that_of_a_source_that_comes_and_goes() -> None:
    assert log_doppler(np.array([-1e6, 0.0, 1e6]), 0.1) == pytest.approx(
        [-np.log(0.9), 0.0, -np.log(1.1)]
    )


@pytest.mark.parametrize("mach", [0.02, 0.06])
def test_focusing_finds_the_speed(mach: float) -> None:
    times = np.arange(-2.0, 2.0, 0.05)
    passage = Passage(0.1, 1.2, mach)
    spectra = lines_of(passage.shift(times), times)
    assert focus(spectra, passage._replace(mach=0.03)) == pytest.approx(mach, abs=0.004)
    shift = measured_shift(spectra, passage)
    assert np.allclose(shift - shift.mean(), passage.shift(times) - passage.shift(times).mean(),
                       atol=3e-4)  # fmt: skip


def test_neither_a_steady_pitch_nor_one_that_rises_is_taken_for_a_passage() -> None:
    times = np.arange(-2.0, 2.0, 0.05)
    passage = Passage(0.0, 1.2, 0.03)
    assert focus(lines_of(0.0 * times, times), passage) is None
    assert focus(lines_of(-passage._replace(mach=0.05).shift(times), times), passage) is None


def test_noise_has_no_doppler_shift() -> None:
    times = np.arange(-2.0, 2.0, 0.05)
    rows = np.random.default_rng(0).normal(size=(len(times), 3000)).astype(np.float32)
    assert focus(LineSpectra(times, rows), Passage(0.0, 1.2, 0.03)) is None
