"""Capture formats: how direction becomes level and delay in two channels, and back.

Geometry: coincident cardioids at ±45° (XY); an omnidirectional middle and a figure of eight
decoded to left and right, which are cardioids at ±90° (M/S); cardioids at ±55°, 17 cm apart
(ORTF); omnis 50 cm apart (AB); two ears on a rigid sphere of 8.75 cm (binaural); the tangent law
over loudspeakers at ±45° (panned). Sources: Woodworth, *Experimental Psychology* (1938), for the
delay around the sphere; Brown and Duda, "A structural model for binaural sound synthesis", IEEE
Trans. Speech Audio Process. 6(5), 1998, eq. 8, for its shadow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np

from spa2v_lib.cues.features import BAND_CENTRES_HZ, LAGS_S

__all__ = [
    "FORMATS",
    "GRID_DEG",
    "SOUND_M_S",
    "CaptureFormat",
    "DirectSound",
    "direct_sound",
    "get_format",
    "level_distance",
]

SOUND_M_S = 343.0
_HEAD_M = 0.0875
GRID_DEG = np.arange(-90.0, 90.5, 1.0)
"""Directions that two channels can name – the front is assumed.

:meta hide-value:
"""


@dataclass(frozen=True)
class CaptureFormat:
    """One capture format as tables over `GRID_DEG`.

    Attributes
    ----------
    name : str
        As in `spa2v_lib.cues.types.CAPTURES`.
    delay_s : ndarray [directions]
        Right channel's lead.
    pan_deg : ndarray [directions]
        Angle whose tangent is the right channel's gain over the left's: 0 left, 45 centre.
    ild_db : ndarray [directions, bands]
        Right channel's level over the left's.
    diffuse_coherence : float
        Coherence of the channels in a diffuse field, after alignment.
    kernel : ndarray [lags, directions] or None
        Weights over `LAGS_S` of a delay that changes with frequency; None where it does not.

    See Also
    --------
    get_format : One by its name.

    Examples
    --------
    >>> import numpy as np
    >>> FORMATS["ab"].azimuth_from_delay(np.array([-1e-3, 0.0])).round(1)
    array([-43.3,   0. ])
    """

    name: str
    delay_s: np.ndarray
    pan_deg: np.ndarray
    ild_db: np.ndarray
    diffuse_coherence: float
    kernel: np.ndarray | None = None

    @property
    def has_delay(self) -> bool:
        """Whether direction changes the delay between the channels."""
        return bool(self.delay_s.any())

    @property
    def has_level(self) -> bool:
        """Whether direction changes all bands' levels alike."""
        return bool(np.ptp(self.pan_deg) > 1.0)

    def steered(self, gcc: np.ndarray) -> np.ndarray:
        """Return how well a cross-correlation [frames, lags] fits each direction of `GRID_DEG`.

        Returns
        -------
        ndarray [frames, directions]
            At most 1, as the correlation.
        """
        if self.kernel is not None:
            return gcc @ self.kernel
        place = np.interp(self.delay_s, LAGS_S, np.arange(len(LAGS_S)))
        return gcc[:, np.round(place).astype(int)]

    def azimuth_from_delay(self, delay_s: np.ndarray) -> np.ndarray:
        """Return the direction in degrees of delays in seconds, limited to ±90."""
        return np.interp(delay_s, self.delay_s, GRID_DEG)

    def azimuth_from_pan(self, pan_deg: np.ndarray) -> np.ndarray:
        """Return the direction in degrees of pan angles in degrees, limited to ±90."""
        return np.interp(pan_deg, self.pan_deg, GRID_DEG)


@dataclass(frozen=True)
class DirectSound:
    """The direct part of a sound.

    Attributes
    ----------
    pan_deg : ndarray
        Angle whose tangent is the right channel's gain over the left's.
    share : ndarray
        Direct power over all power, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> DirectSound(np.array([60.0]), np.array([1.0])).ild_db.round(1)
    array([4.8])
    """

    pan_deg: np.ndarray
    share: np.ndarray

    @property
    def ild_db(self) -> np.ndarray:
        """Right gain over left in dB, limited to ±30."""
        tangent = np.tan(np.radians(np.clip(self.pan_deg, 1.0, 89.0)))
        return np.clip(20.0 * np.log10(tangent), -30.0, 30.0)


def direct_sound(
    left: np.ndarray, right: np.ndarray, cross: np.ndarray, diffuse_coherence: float
) -> DirectSound:
    """Split channel powers into one direction and a diffuse field.

    With direct power D and diffuse power R the covariance is ``D g gᵀ + R [[1, ρ], [ρ, 1]]``:
    R is the smaller generalized eigenvalue, what remains has rank one and gives g in closed form.

    Parameters
    ----------
    left, right, cross : ndarray, any one shape
        Power of the channels and real part of their cross-power.
    diffuse_coherence : float
        ρ, below 1.

    Returns
    -------
    DirectSound
        Arrays of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones(1)
    >>> direct_sound(one, 4.0 * one, 2.0 * one, 0.5).ild_db.round(1)
    array([6.])
    """
    rho = diffuse_coherence
    half = 0.5 * (left + right - 2.0 * rho * cross)
    square = np.maximum(half**2 - (1.0 - rho**2) * (left * right - cross**2), 0.0)
    diffuse = np.maximum((half - np.sqrt(square)) / (1.0 - rho**2), 0.0)
    g_left = np.sqrt(np.maximum(left - diffuse, 0.0))
    g_right = np.sqrt(np.maximum(right - diffuse, 0.0))
    share = (g_left**2 + g_right**2) / (left + right + 1e-20)
    return DirectSound(
        np.degrees(np.arctan2(g_right + 1e-12, g_left + 1e-12)), np.clip(share, 0, 1)
    )


def _flat(
    name: str, g_left: np.ndarray, g_right: np.ndarray, spacing_m: float, diffuse_coherence: float
) -> CaptureFormat:
    """Return the tables of a pair whose gains are the same at all frequencies."""
    theta = np.radians(GRID_DEG)
    ild = 20.0 * np.log10(np.maximum(g_right, 1e-3) / np.maximum(g_left, 1e-3))
    return CaptureFormat(
        name,
        spacing_m * np.sin(theta) / SOUND_M_S,
        np.degrees(np.arctan2(g_right, g_left)),
        np.repeat(ild[:, None], len(BAND_CENTRES_HZ), axis=1),
        diffuse_coherence,
    )


def _cardioids(
    name: str, splay_deg: float, spacing_m: float, diffuse_coherence: float
) -> CaptureFormat:
    left = 0.5 * (1.0 + np.cos(np.radians(GRID_DEG + splay_deg)))
    right = 0.5 * (1.0 + np.cos(np.radians(GRID_DEG - splay_deg)))
    return _flat(name, left, right, spacing_m, diffuse_coherence)


def _panned() -> CaptureFormat:
    # beyond the loudspeakers the law has no reading: the table ends in them
    share = np.clip(np.tan(np.radians(np.clip(GRID_DEG, -45.0, 45.0))), -1.0, 1.0)
    # keeps the table strictly rising past the loudspeakers, so that it can be inverted
    share = share + 1e-9 * GRID_DEG
    # ρ: the mean of 2 g_L g_R = cos 2θ over the half of all directions that lie within ±45°
    return _flat("panned", 0.5 * (1.0 - share), 0.5 * (1.0 + share), 0.0, 1.0 / np.pi)


def _alpha(incidence_deg: np.ndarray) -> np.ndarray:
    """Return the shadow filter's gain at high frequencies, by the angle from the ear's axis."""
    return 1.05 + 0.95 * np.cos(np.radians(incidence_deg * 180.0 / 150.0))


def _shadow_db(incidence_deg: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """Level at the sphere's surface re free field [directions, bands]."""
    alpha = _alpha(incidence_deg)
    x = (np.pi * hz * _HEAD_M / SOUND_M_S)[None, :]
    return 10.0 * np.log10((1.0 + (alpha[:, None] * x) ** 2) / (1.0 + x**2))


def _binaural() -> CaptureFormat:
    theta = np.radians(GRID_DEG)
    delay = _HEAD_M / SOUND_M_S * (theta + np.sin(theta))
    right = _shadow_db(np.abs(90.0 - GRID_DEG), BAND_CENTRES_HZ)
    left = _shadow_db(np.abs(90.0 + GRID_DEG), BAND_CENTRES_HZ)
    middle = np.full(len(GRID_DEG), 45.0)
    return CaptureFormat("binaural", delay, middle, right - left, 0.0, _head_kernel(delay))


def _head_kernel(delay_s: np.ndarray) -> np.ndarray:
    """Return the weights of lags [lags, directions] that undo a head's phase.

    Around a head low frequencies are later than Woodworth's rays: up to half as much again for a
    sphere (Kuhn, "Model for the interaural time differences in the azimuthal plane", JASA 62,
    1977). The phase of the shadow filter gives about that. The weights make of the correlation
    over lags, by least squares from 150 Hz to 8 kHz, one that is steered to each direction.
    """
    hz = np.arange(150.0, 8000.0, 20.0)
    x = np.pi * hz * _HEAD_M / SOUND_M_S
    left, right = (
        np.arctan(_alpha(np.abs(GRID_DEG + side))[:, None] * x) for side in (90.0, -90.0)
    )
    wanted = np.exp(1j * (2.0 * np.pi * hz * delay_s[:, None] + right - left)).T
    lags = np.exp(2j * np.pi * hz[:, None] * LAGS_S)
    stacked = np.concatenate([lags.real, lags.imag])
    target = np.concatenate([wanted.real, wanted.imag])
    # lags are finer than the band needs: a little ridge picks the small solution
    inverse = stacked.T @ stacked + 1e-3 * len(hz) * np.eye(len(LAGS_S))
    return np.linalg.solve(inverse, stacked.T @ target).astype(np.float32)


@cache
def _formats() -> dict[str, CaptureFormat]:
    one = np.ones(len(GRID_DEG))
    made = (
        _panned(),
        _cardioids("xy", 45.0, 0.0, 0.75),  # ¼(1 + cos 90°/3) over ⅓
        _cardioids("ms", 90.0, 0.0, 0.5),  # ¼(1 + cos 180°/3) over ⅓
        _cardioids("ortf", 55.0, 0.17, 0.0),
        _flat("ab", one, one, 0.5, 0.0),
        _binaural(),
    )
    return {item.name: item for item in made}


FORMATS: dict[str, CaptureFormat] = _formats()
"""Every format that has directions, by name.

:meta hide-value:
"""


@lru_cache(maxsize=64)
def get_format(name: str, spacing_m: float | None = None) -> CaptureFormat:
    """Return a capture format, with the microphones as far apart as they are.

    Parameters
    ----------
    name : str
        A key of `FORMATS`.
    spacing_m : float, optional
        Of the pair "ab", above 0; other formats have a spacing of their own.

    Returns
    -------
    CaptureFormat

    See Also
    --------
    spa2v_lib.cues.capture.guess_capture : Which format a recording has.

    Examples
    --------
    >>> bool(get_format("ab", 0.17).delay_s.max() < 5e-4 < get_format("ab").delay_s.max())
    True
    """
    item = FORMATS[name]
    if name != "ab" or spacing_m is None:
        return item
    return replace(item, delay_s=spacing_m * np.sin(np.radians(GRID_DEG)) / SOUND_M_S)


def level_distance(item: CaptureFormat, ild_db: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the mean squared distance of level differences to each direction's, in dB².

    Parameters
    ----------
    item : CaptureFormat
        One of `spa2v_lib.cues.formats.FORMATS`.
    ild_db, weight : ndarray [frames, bands]
        Level differences and their weights, which add up to 1 in every frame.

    Returns
    -------
    ndarray [frames, directions]

    Examples
    --------
    >>> import numpy as np
    >>> even = np.full((1, 10), 0.1)
    >>> bool(level_distance(FORMATS["xy"], np.zeros((1, 10)), even).argmin() == 90)
    True
    """
    # written out, so that there is no third axis
    mean = (weight * ild_db**2).sum(1)[:, None]
    return mean - 2.0 * (weight * ild_db) @ item.ild_db.T + weight @ (item.ild_db**2).T
