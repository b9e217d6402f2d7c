"""Receivers: what each recording technique makes of a plane wave from a direction.

Directions are azimuth (degrees, 0 ahead, positive right, ±180 behind) and elevation (degrees,
positive up). Six receivers give two channels, left then right; the seventh is first-order
ambisonics with four. For every channel there is a gain that is the same at all frequencies, a
delay relative to the middle, and, for the head, a shadow filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from spa2v_lib.errors import SceneError

__all__ = [
    "RECEIVERS",
    "SPEED_OF_SOUND",
    "Ambisonic",
    "CardioidPair",
    "OmniPair",
    "Panned",
    "Receiver",
    "SphericalHead",
    "get_receiver",
    "lobes",
]

SPEED_OF_SOUND = 343.0
"""Metres per second, in dry air at 20 °C."""


class Receiver(Protocol):
    """What the sound simulation asks of the channels.

    See Also
    --------
    get_receiver : one by its name

    Examples
    --------
    >>> receiver: Receiver = get_receiver("xy")
    >>> receiver.channels
    2
    """

    channels: ClassVar[int]

    def gains(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        """Pressure gain of the channels, [channels, n]."""

    def delays_s(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        """Arrival later than at the receiver's middle, seconds, [channels, n]."""

    def shadow(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray | None:
        """Gain at high frequencies of the shadow filter, [channels, n]; None without a head."""

    @property
    def shadow_rad_s(self) -> float:
        """Corner ω₀ of the shadow filter (1 + jaω/2ω₀) / (1 + jω/2ω₀), where a is its gain."""


@dataclass(frozen=True)
class _NoHead:
    """What microphones share: nothing stands between them."""

    channels: ClassVar[int] = 2

    def shadow(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> None:
        return None

    @property
    def shadow_rad_s(self) -> float:
        return np.inf


@dataclass(frozen=True)
class Panned(_NoHead):
    """A mixing desk's image: level differences alone, by the tangent law, at constant power.

    tan θ / tan θ₀ = (g_R − g_L) / (g_R + g_L) with g_L² + g_R² = 1 (Pulkki, "Virtual sound source
    positioning using vector base amplitude panning", JAES 45(6), 1997). Outside ±θ₀ the image
    stays at that side; behind is folded to the front, as a desk knows no behind.

    Attributes
    ----------
    base_deg : float
        θ₀, the direction of a source that is in one channel only.

    See Also
    --------
    get_receiver : by its name

    Examples
    --------
    >>> Panned().gains(np.array([0.0, 45.0]), np.zeros(2)).round(2).tolist()
    [[0.71, 0.0], [0.71, 1.0]]
    """

    base_deg: float = 45.0

    def gains(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        right, ahead, _ = _unit_vector(azimuth_deg, elevation_deg)
        tangent = right / np.maximum(np.abs(ahead), 1e-9)
        balance = np.clip(tangent / np.tan(np.radians(self.base_deg)), -1.0, 1.0)
        pair = np.stack([1.0 - balance, 1.0 + balance])
        return pair / np.sqrt((pair**2).sum(axis=0))

    def delays_s(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        return np.zeros((2, *np.shape(azimuth_deg)))


@dataclass(frozen=True)
class CardioidPair(_NoHead):
    """Two cardioids ½(1 + cos φ) turned outwards, φ from each one's own axis.

    At spacing 0 and ±45° this is XY, and at ±90° M/S: an omnidirectional middle and a sideways
    figure of eight, decoded as ½(M ± S). ORTF is ±55° and 0.17 m (Williams, "The Stereophonic
    Zoom", 2002). The delay is that of a plane wave, ∓½·d·sin θ / c.

    Attributes
    ----------
    half_angle_deg : float
        Angle between ahead and each axis.
    spacing_m : float
        Distance d between the capsules.

    See Also
    --------
    get_receiver : XY, M/S and ORTF by their names

    Examples
    --------
    >>> xy = CardioidPair(half_angle_deg=45.0)
    >>> xy.gains(np.array([0.0, 90.0]), np.zeros(2)).round(2).tolist()
    [[0.85, 0.15], [0.85, 0.85]]
    """

    half_angle_deg: float
    spacing_m: float = 0.0

    def gains(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        right, ahead, _ = _unit_vector(azimuth_deg, elevation_deg)
        turn = np.radians(self.half_angle_deg)
        straight, sideways = ahead * np.cos(turn), right * np.sin(turn)
        return 0.5 * (1.0 + np.stack([straight - sideways, straight + sideways]))

    def delays_s(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        return _spaced_delays(self.spacing_m, azimuth_deg, elevation_deg)


@dataclass(frozen=True)
class OmniPair(_NoHead):
    """AB: two omnidirectional microphones side by side; delays alone, ∓½·d·sin θ / c.

    Attributes
    ----------
    spacing_m : float
        Distance d between them.

    See Also
    --------
    get_receiver : by its name

    Examples
    --------
    >>> late = OmniPair(0.5).delays_s(np.array([90.0]), np.zeros(1))
    >>> (1e3 * (late[0] - late[1])).round(2).tolist()
    [1.46]
    """

    spacing_m: float = 0.5

    def gains(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        return np.ones((2, *np.shape(azimuth_deg)))

    def delays_s(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        return _spaced_delays(self.spacing_m, azimuth_deg, elevation_deg)


@dataclass(frozen=True)
class Ambisonic(_NoHead):
    """First-order ambisonics, AmbiX: channels W, Y (left), Z (up), X (ahead), SN3D.

    Nachbar et al., "AmbiX: a suggested ambisonics format", Ambisonics Symposium 2011. Its azimuth
    counts to the left; here, as everywhere, directions count to the right.

    See Also
    --------
    get_receiver : by its name

    Examples
    --------
    >>> Ambisonic().gains(np.array([90.0]), np.zeros(1)).round(2)[:, 0].tolist()
    [1.0, -1.0, 0.0, 0.0]
    """

    channels: ClassVar[int] = 4

    def gains(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        right, ahead, up = _unit_vector(azimuth_deg, elevation_deg)
        return np.stack([np.ones_like(right), -right, up, ahead])

    def delays_s(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        return np.zeros((4, *np.shape(azimuth_deg)))


@dataclass(frozen=True)
class SphericalHead:
    """Binaural: two ears at the ends of a sphere's axis, no torso and no outer ear.

    Delay by Woodworth's ray model: an ear that the wave meets directly is early by (a/c)·sin λ,
    the other late by (a/c)·λ, λ the angle from the median plane. Level by the one-pole, one-zero
    shadow of Brown and Duda, "A structural model for binaural sound synthesis", IEEE Trans. Speech
    and Audio Processing 6(5), 1998: H = (1 + jαω/2ω₀) / (1 + jω/2ω₀), ω₀ = c/a, and
    α(φ) = (1 + α₀/2) + (1 − α₀/2)·cos(180°·φ/φ₀) with α₀ = 0.1 at φ₀ = 150° from the ear's axis.

    Attributes
    ----------
    radius_m : float
        Radius a of the head.

    See Also
    --------
    get_receiver : by its name

    Examples
    --------
    >>> late = SphericalHead().delays_s(np.array([90.0]), np.zeros(1))
    >>> (1e6 * (late[0] - late[1])).round().tolist()
    [656.0]
    """

    channels: ClassVar[int] = 2

    radius_m: float = 0.0875

    def gains(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        return np.ones((2, *np.shape(azimuth_deg)))

    def delays_s(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        sine = _unit_vector(azimuth_deg, elevation_deg)[0]
        towards = np.stack([-sine, sine])
        lateral = np.arcsin(np.clip(-towards, 0.0, 1.0))
        return self.radius_m / SPEED_OF_SOUND * np.where(towards > 0, -towards, lateral)

    def shadow(self, azimuth_deg: np.ndarray, elevation_deg: np.ndarray) -> np.ndarray:
        sine = np.clip(_unit_vector(azimuth_deg, elevation_deg)[0], -1.0, 1.0)
        from_axis_deg = np.degrees(np.arccos(np.stack([-sine, sine])))
        return 1.05 + 0.95 * np.cos(np.radians(from_axis_deg / 150.0 * 180.0))

    @property
    def shadow_rad_s(self) -> float:
        return SPEED_OF_SOUND / self.radius_m


RECEIVERS: dict[str, Receiver] = {
    "panned": Panned(),
    "xy": CardioidPair(half_angle_deg=45.0),
    "ms": CardioidPair(half_angle_deg=90.0),
    "ortf": CardioidPair(half_angle_deg=55.0, spacing_m=0.17),
    "ab": OmniPair(),
    "binaural": SphericalHead(),
    "foa": Ambisonic(),
}


def get_receiver(name: str) -> Receiver:
    """Return the receiver of that name.

    Raises
    ------
    SceneError
        If there is none.

    See Also
    --------
    RECEIVERS : all names

    Examples
    --------
    >>> get_receiver("ab").spacing_m
    0.5
    """
    if name not in RECEIVERS:
        raise SceneError(f"receiver {name!r} is unknown; choose one of {', '.join(RECEIVERS)}")
    return RECEIVERS[name]


def lobes(capture: str) -> list[np.ndarray]:
    """Return outlines of what picks the sound up, seen from above, left channel first.

    Parameters
    ----------
    capture : str
        One of two channels, of `RECEIVERS`.

    Returns
    -------
    list of ndarray [n, 2]
        Right and ahead. Of microphones: how strongly each receives every direction, at most 1 from
        its place; spacings are drawn to scale among themselves, 1 for 0.5 m. Of panning: the
        loudspeakers; of a head: its outline (with a nose) and both ears.

    Examples
    --------
    >>> [outline.shape for outline in lobes("xy")]
    [(121, 2), (121, 2)]
    """
    receiver = get_receiver(capture)
    around = np.arange(-180.0, 181.0, 3.0)
    ring = np.column_stack([np.sin(np.radians(around)), np.cos(np.radians(around))])
    if isinstance(receiver, Panned):
        base = np.radians(receiver.base_deg)
        return [0.08 * ring + (side * np.sin(base), np.cos(base)) for side in (-1.0, 1.0)]
    if isinstance(receiver, CardioidPair | OmniPair):
        half = receiver.spacing_m  # 0.5 m is 1, half of it to either side
        gains = receiver.gains(around, np.zeros_like(around))
        return [
            0.8 * gain[:, None] * ring + (side * half, 0.0)
            for gain, side in zip(gains, (-1.0, 1.0), strict=True)
        ]
    head = 0.35 * ring
    head[np.abs(around) <= 6.0] *= 1.2
    return [head, *(0.06 * ring + (side * 0.38, 0.0) for side in (-1.0, 1.0))]


def _unit_vector(
    azimuth_deg: np.ndarray, elevation_deg: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Components to the right, ahead and up."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    level = np.cos(elevation)
    return np.sin(azimuth) * level, np.cos(azimuth) * level, np.sin(elevation)


def _spaced_delays(
    spacing_m: float, azimuth_deg: np.ndarray, elevation_deg: np.ndarray
) -> np.ndarray:
    late = 0.5 * spacing_m / SPEED_OF_SOUND * _unit_vector(azimuth_deg, elevation_deg)[0]
    return np.stack([late, -late])
