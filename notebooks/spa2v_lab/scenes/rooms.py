"""Shoebox rooms around the microphone: early reflections as image sources, late ones as a tail.

Image sources come from pyroomacoustics. In a shoebox an image's place is the source's place
mirrored per axis plus a constant, so the images of one place give the images of a whole path,
and a moving source's reflections move, and shift in pitch, as they should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spa2v_lab.scenes.receivers import SPEED_OF_SOUND, Receiver
from spa2v_lib.errors import SceneError

__all__ = ["IMAGE_ORDER", "ImageSources", "Room", "diffuse_noise", "reverberant_tail"]

IMAGE_ORDER = 2
"""Reflections up to this order are image sources; those of higher order are the tail."""

_HEADROOM_M = 0.5
_LEAST_CEILING_M = 2.8
_DIRECTIONS = 1200  # for averages over a diffuse field
_SPECTRUM_BINS = 257


@dataclass(frozen=True)
class ImageSources:
    """Mirror images of a source, as functions of its place.

    Attributes
    ----------
    signs, offsets : numpy.ndarray [images, 3]
        The image of place p is ``signs * p + offsets``, metres right, ahead, up.
    gains : numpy.ndarray [images]
        Product of the walls' pressure reflection factors.
    orders : numpy.ndarray [images]
        Number of walls.

    See Also
    --------
    Room.images : makes them

    Examples
    --------
    >>> room = Room.around(np.array([[0.0, 2.0, 0.0]]), 1.5, rt60_s=0.5)
    >>> images = room.images(order=1)
    >>> images.orders.tolist()
    [1, 1, 1, 1, 1, 1]
    """

    signs: np.ndarray
    offsets: np.ndarray
    gains: np.ndarray
    orders: np.ndarray

    def of(self, image: int, places: np.ndarray) -> np.ndarray:
        """Return where that image is when the source is at `places` [n, 3]."""
        return self.signs[image] * places + self.offsets[image]


@dataclass(frozen=True)
class Room:
    """A shoebox with walls that absorb alike at all frequencies.

    Attributes
    ----------
    size_m : tuple of float
        Width (right), depth (ahead), height.
    microphone_m : tuple of float
        Place of the microphone, from the left, rear, lower corner.
    rt60_s : float
        Time in which the reverberation falls by 60 dB.
    absorption : float
        Share of the energy that a wall takes, by Sabine's formula.

    See Also
    --------
    reverberant_tail : what comes after the images

    Examples
    --------
    >>> room = Room.around(np.array([[0.0, 2.0, 0.0]]), 1.5, rt60_s=0.5)
    >>> room.rt60_s, bool(0.0 < room.absorption < 1.0)
    (0.5, True)
    """

    size_m: tuple[float, float, float]
    microphone_m: tuple[float, float, float]
    rt60_s: float
    absorption: float

    @classmethod
    def around(
        cls,
        places: np.ndarray,
        microphone_height_m: float,
        rt60_s: float,
        margin_m: float = 1.5,
    ) -> Room:
        """Return a room that holds the microphone and all `places`, with a margin.

        Parameters
        ----------
        places : numpy.ndarray [n, 3]
            Metres right, ahead, up from the microphone.
        microphone_height_m : float
            Above the floor.
        rt60_s : float
            Wanted reverberation time.
        margin_m : float
            Least distance of the microphone and all places from the four walls.

        Raises
        ------
        SceneError
            If a room that large cannot have so short a reverberation, or a place is under the
            floor.
        """
        import pyroomacoustics

        low = np.minimum(places.min(axis=0), 0.0) - margin_m
        high = np.maximum(places.max(axis=0), 0.0) + margin_m
        low[2] = -microphone_height_m
        high[2] = max(places[:, 2].max() + _HEADROOM_M, _LEAST_CEILING_M - microphone_height_m)
        if places[:, 2].min() <= low[2]:
            raise SceneError("a source is under the floor; give it a base_m of at least 0")
        size = high - low
        try:
            absorption, _ = pyroomacoustics.inverse_sabine(rt60_s, size, c=SPEED_OF_SOUND)
        except ValueError as error:
            raise SceneError(
                f"a room of {size[0]:.0f} × {size[1]:.0f} × {size[2]:.0f} m, as the paths need, "
                f"cannot reverberate for only {rt60_s:g} s; give at least "
                f"{_shortest_rt60(size):.2f} s, or 0 for outdoors"
            ) from error
        return cls(tuple(size), tuple(-low), rt60_s, float(absorption))

    @property
    def surface_m2(self) -> float:
        """Area of all six walls."""
        width, depth, height = self.size_m
        return 2 * (width * depth + width * height + depth * height)

    @property
    def volume_m3(self) -> float:
        """Volume."""
        return float(np.prod(self.size_m))

    def images(self, order: int = IMAGE_ORDER) -> ImageSources:
        """Return the image sources from order 1 to `order`."""
        import pyroomacoustics

        shoebox = pyroomacoustics.ShoeBox(
            self.size_m,
            materials=pyroomacoustics.Material(self.absorption),
            max_order=order,
            air_absorption=False,
        )
        corner = np.array(self.microphone_m)
        place = np.array(self.size_m) * (0.37, 0.43, 0.41)
        shoebox.add_source(place)
        shoebox.add_microphone(corner)
        shoebox.image_source_model()
        source = shoebox.sources[0]
        reflected = np.flatnonzero(source.orders > 0)
        signs = np.where(source.orders_xyz.T[reflected] % 2, -1.0, 1.0)
        seen = source.images.T[reflected] - corner
        return ImageSources(
            signs=signs,
            offsets=seen - signs * (place - corner),
            gains=source.damping[0, reflected].astype(float),
            orders=source.orders[reflected],
        )


def reverberant_tail(
    room: Room, receiver: Receiver, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the room's response after the image sources, [channels, n], for 1 at 1 m.

    Noise with the receiver's own diffuse-field levels and coherence. Its energy is that of
    statistical room acoustics, 16π(1 − ᾱ)/(Sᾱ) relative to the direct sound at 1 m, decaying by
    60 dB in RT60, times the share of reflections at time t whose order is above `IMAGE_ORDER`
    (Poisson with mean c·t/ℓ, ℓ = 4V/S the mean free path; Kuttruff, *Room Acoustics*, ch. 4-5).
    It does not depend on where the source is, and carries no Doppler shift: in a diffuse field
    the shifts of all directions cancel on average.

    See Also
    --------
    Room.images : what comes before it

    Examples
    --------
    >>> from spa2v_lab.scenes.receivers import get_receiver
    >>> room = Room.around(np.array([[0.0, 2.0, 0.0]]), 1.5, rt60_s=0.3)
    >>> tail = reverberant_tail(room, get_receiver("xy"), 8000, np.random.default_rng(0))
    >>> tail.shape[0]
    2
    """
    from scipy.special import gammainc

    frames = max(round(1.1 * room.rt60_s * rate), 2)
    times = np.arange(frames) / rate
    energy = 16 * np.pi * (1 - room.absorption) / (room.surface_m2 * room.absorption)
    decay = np.log(1e6) / room.rt60_s
    free_path = 4 * room.volume_m3 / room.surface_m2
    late = gammainc(IMAGE_ORDER + 1, SPEED_OF_SOUND * times / free_path)
    power = energy * decay / rate * np.exp(-decay * times) * late
    return diffuse_noise(receiver, frames, rate, rng) * np.sqrt(power)


def diffuse_noise(
    receiver: Receiver,
    frames: int,
    rate: int,
    rng: np.random.Generator,
    tilt_db_per_octave: float = 0.0,
) -> np.ndarray:
    """Return noise that comes from all directions alike, [channels, frames].

    An omnidirectional microphone would record it at an RMS of 1.

    Parameters
    ----------
    receiver : Receiver
    frames, rate : int
    rng : numpy.random.Generator
    tilt_db_per_octave : float
        0 is white, -3 pink (flat below 50 Hz).

    See Also
    --------
    reverberant_tail : the same field, dying away

    Examples
    --------
    >>> from spa2v_lab.scenes.receivers import get_receiver
    >>> noise = diffuse_noise(get_receiver("ab"), 8000, 8000, np.random.default_rng(0))
    >>> noise.shape
    (2, 8000)
    """
    bins = frames // 2 + 1
    frequency = np.fft.rfftfreq(frames, 1 / rate)
    noise = rng.standard_normal((receiver.channels, 2, bins))
    own = noise[:, 0] + 1j * noise[:, 1]
    coarse = np.linspace(0.0, rate / 2, _SPECTRUM_BINS)
    mixing = _cholesky(
        [
            [np.interp(frequency, coarse, spectrum) for spectrum in row]
            for row in _diffuse_spectra(receiver, rate)
        ]
    )
    weight = 10 ** (tilt_db_per_octave / 20 * np.log2(np.maximum(frequency, 50.0) / 50.0))
    weight /= np.sqrt(np.mean(weight**2))
    # independent noises become channels with the field's powers and coherence
    noise = np.stack([sum(m * n for m, n in zip(row, own, strict=False)) for row in mixing])
    return np.fft.irfft(noise * weight, frames) * np.sqrt(frames / 2)


def _cholesky(spectra: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """Return the rows [0..i] of the triangular root of a real matrix of spectra [frequency].

    Channels may be equal at some frequencies: what is their own there is 0.
    """
    rows: list[list[np.ndarray]] = []
    for i, line in enumerate(spectra):
        row: list[np.ndarray] = []
        for j in range(i):
            shared = sum(a * b for a, b in zip(row, rows[j][:j], strict=True))
            row.append((line[j] - shared) / np.maximum(rows[j][j], 1e-9))
        row.append(np.sqrt(np.maximum(line[i] - sum(a**2 for a in row), 0.0)))
        rows.append(row)
    return rows


def _diffuse_spectra(receiver: Receiver, rate: int) -> np.ndarray:
    """Powers and cross powers of the channels in a diffuse field, [channels, channels, frequency].

    The cross power is real, as each receiver is its own mirror image.
    """
    upward = 1 - 2 * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS  # a Fibonacci sphere
    elevation = np.degrees(np.arcsin(upward))
    azimuth = np.arange(_DIRECTIONS) * 137.50776405 % 360 - 180
    omega = 2 * np.pi * np.linspace(0.0, rate / 2, _SPECTRUM_BINS)[:, None, None]
    channels = receiver.gains(azimuth, elevation) * np.exp(
        -1j * omega * receiver.delays_s(azimuth, elevation)
    )
    shadow = receiver.shadow(azimuth, elevation)
    if shadow is not None:
        corner = 1j * omega / (2 * receiver.shadow_rad_s)
        channels = channels * (1 + corner * shadow) / (1 + corner)
    products = np.einsum("fid,fjd->ijf", channels, channels.conj())
    return products.real / _DIRECTIONS


def _shortest_rt60(size: np.ndarray) -> float:
    width, depth, height = size
    surface = 2 * (width * depth + width * height + depth * height)
    return 24 * np.log(10) * width * depth * height / (SPEED_OF_SOUND * surface)
