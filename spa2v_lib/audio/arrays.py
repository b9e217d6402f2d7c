"""Arrays of any library, type and orientation: made into float32 samples [channels, time]."""

from __future__ import annotations

from typing import Any

import numpy as np

from spa2v_lib.errors import AudioError

__all__ = ["MAX_CHANNELS", "as_samples", "full_scale_float", "split_pair"]

MAX_CHANNELS = 64
"""Most channels of a recording; with more, an array's axes must be the wrong way round."""


def full_scale_float(array: np.ndarray) -> np.ndarray:
    """Scale integers by the range of their type, so that full scale is ±1.

    Parameters
    ----------
    array : numpy.ndarray
        Of an integer type (unsigned ones have silence in the middle of their range), or floats,
        which are not scaled.

    Returns
    -------
    numpy.ndarray float32
        Of the same shape.

    Examples
    --------
    >>> full_scale_float(np.array([-32768, 0, 16384], np.int16)).tolist()
    [-1.0, 0.0, 0.5]
    >>> full_scale_float(np.array([0, 128, 192], np.uint8)).tolist()
    [-1.0, 0.0, 0.5]
    """
    if array.dtype.kind not in "iu":
        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            return np.asarray(array, np.float32)
    half = 2.0 ** (8 * array.dtype.itemsize - 1)
    middle = half if array.dtype.kind == "u" else 0.0
    if array.dtype.itemsize <= 2:  # exact in single precision
        return (array.astype(np.float32) - np.float32(middle)) / np.float32(half)
    return ((array.astype(np.float64) - middle) / half).astype(np.float32)


def split_pair(samples: Any, rate: Any, name: str) -> tuple[Any, Any]:
    """Take a pair of samples and rate apart, whichever comes first.

    Parameters
    ----------
    samples : object
        Samples, or a pair ``(samples, rate)`` as soundfile, librosa and torchaudio return it, or
        ``(rate, samples)`` as SciPy does.
    rate : int or None
        Must be None for a pair, or the same rate.
    name : str
        What messages call the recording.

    Raises
    ------
    AudioError
        If there is no rate, or two that differ.

    Examples
    --------
    >>> samples, rate = split_pair((44100, np.zeros((2, 3))), None, "a")
    >>> samples.shape, rate
    ((2, 3), 44100)
    """
    if isinstance(samples, tuple) and len(samples) == 2:
        scalar = [np.ndim(part) == 0 for part in samples]
        if scalar[0] != scalar[1]:
            array, own = samples if scalar[1] else samples[::-1]
            if rate is not None and rate != own:
                raise AudioError(f"{name}: the pair says {own} Hz, but rate is {rate}; give one")
            samples, rate = array, own
    if rate is None:
        raise AudioError(f"{name}: the sampling rate is missing; from_samples(samples, rate)")
    return samples, rate


def as_samples(samples: Any, name: str) -> np.ndarray:
    """Make float32 samples [channels, time] of an array, or refuse it.

    Parameters
    ----------
    samples : array_like
        NumPy array, torch tensor on any device, or nested sequence; [channels, time], [time], or
        [time, channels] where that is certain: over `MAX_CHANNELS` rows of at most `MAX_CHANNELS`.
    name : str
        What messages call the recording.

    Returns
    -------
    numpy.ndarray float32 [channels, time]
        Integers are scaled by the range of their type.

    Raises
    ------
    AudioError
        If the array is empty, has another shape, or is not of real numbers.

    See Also
    --------
    full_scale_float : How integers are scaled.

    Examples
    --------
    >>> as_samples(np.zeros((44100, 2), np.int16), "a").shape
    (2, 44100)
    """
    array = _plain(samples, name)
    if array.ndim not in (1, 2) or array.size == 0:
        raise AudioError(
            f"{name}: samples have shape {array.shape}; [channels, time] with at least one sample "
            "is needed"
        )
    if array.dtype.kind not in "iuf":
        raise AudioError(
            f"{name}: samples are of type {array.dtype}; real numbers are needed, as float32 or "
            "int16"
        )
    long = array.dtype.itemsize == 8 and array.dtype.kind in "iu"
    if long and int(array.min()) >= -(2**31) and int(array.max()) < 2**31:
        raise AudioError(
            f"{name}: samples are {array.dtype} but use a small part of its range, so full scale "
            "is unknown; convert them first, as .astype(numpy.int16)"
        )
    return full_scale_float(_channels_first(array, name))


def _plain(samples: Any, name: str) -> np.ndarray:
    """Return a NumPy array, also of a tensor that has a gradient or lies on a GPU."""
    if hasattr(samples, "detach"):
        samples = samples.detach().cpu().resolve_conj()
        if str(samples.dtype) == "torch.bfloat16":
            samples = samples.float()
        samples = samples.numpy()
    if np.ma.isMaskedArray(samples) and np.ma.getmaskarray(samples).any():
        raise AudioError(f"{name}: some samples are masked; fill them first")
    try:
        return np.asarray(samples)
    except (ValueError, TypeError) as error:
        raise AudioError(f"{name}: samples are no array of numbers: {error}") from None


def _channels_first(array: np.ndarray, name: str) -> np.ndarray:
    array = np.atleast_2d(array)
    rows, columns = array.shape
    if rows > MAX_CHANNELS >= columns:
        return np.ascontiguousarray(array.T)
    if rows > MAX_CHANNELS or rows > columns:
        raise AudioError(
            f"{name}: samples have shape {array.shape}; [channels, time] is needed. If it is "
            "[time, channels], call Recording.from_samples(samples.T, rate)"
        )
    return array
