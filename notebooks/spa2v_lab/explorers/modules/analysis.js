// From two channels of samples to an azimuth track: GCC-PHAT and level difference, frame by frame.

import { FORMATS, differences, frontAzimuth } from "./acoustics.js";

const MOST_S = 1.6e-3; // the longest delay that is searched: AB microphones 0.5 m apart
const FLOOR_DB = 35; // frames this far below the loudest are silent
const LEVEL_ONLY_S = 30e-6; // delays below this are none

/** In-place radix-2 FFT of `re` and `im`, whose length is a power of two. */
export function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2, step = (-2 * Math.PI) / size;
    for (let k = 0; k < half; k++) {
      const cos = Math.cos(step * k), sin = Math.sin(step * k);
      for (let a = k, b = k + half; a < n; a += size, b += size) {
        const x = re[b] * cos - im[b] * sin, y = re[b] * sin + im[b] * cos;
        re[b] = re[a] - x; im[b] = im[a] - y;
        re[a] += x; im[a] += y;
      }
    }
  }
}

/** Delay of the left channel behind the right in seconds, by GCC-PHAT with a parabola at its peak. */
export function gccPhat(left, right, rate) {
  const n = 2 ** Math.ceil(Math.log2(left.length * 2));
  const re = new Float64Array(n), im = new Float64Array(n);
  for (let i = 0; i < left.length; i++) {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / left.length);
    re[i] = window * left[i];
    im[i] = window * right[i];
  }
  fft(re, im); // two real signals in one transform
  const pr = new Float64Array(n), pi = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const m = (n - k) % n;
    const lr = (re[k] + re[m]) / 2, li = (im[k] - im[m]) / 2;
    const rr = (im[k] + im[m]) / 2, ri = (re[m] - re[k]) / 2;
    const x = lr * rr + li * ri, y = li * rr - lr * ri;
    const size = Math.hypot(x, y);
    const weight = size > 1e-12 ? 1 / size : 0;
    pr[k] = x * weight;
    pi[k] = -y * weight; // conjugate: a second forward transform inverts
  }
  fft(pr, pi);
  const most = Math.ceil(MOST_S * rate);
  const at = (lag) => pr[(lag + n) % n] / n;
  let peak = 0;
  for (let lag = -most; lag <= most; lag++) if (at(lag) > at(peak)) peak = lag;
  const [before, here, after] = [at(peak - 1), at(peak), at(peak + 1)];
  const bend = before - 2 * here + after;
  const shift = bend < 0 ? (0.5 * (before - after)) / bend : 0;
  return { itd: (peak + shift) / rate, height: here };
}

const power = (samples) => samples.reduce((sum, value) => sum + value * value, 0);

/** Measure every frame: level in dB, ILD in dB, ITD in seconds, and whether it is active. */
export function measure(left, right, rate, hop = 0.1) {
  const step = Math.round(hop * rate), frames = [];
  for (let begin = 0; begin + step / 2 < left.length; begin += step) {
    const l = left.subarray(begin, begin + step), r = right.subarray(begin, begin + step);
    const [pl, pr] = [power(l) + 1e-12, power(r) + 1e-12];
    const level = 10 * Math.log10((pl + pr) / (2 * l.length));
    const time = (begin + l.length / 2) / rate;
    frames.push({ time, level, ild: 10 * Math.log10(pr / pl), ...gccPhat(l, r, rate) });
  }
  const loudest = Math.max(...frames.map((frame) => frame.level));
  return frames.map((f) => ({ ...f, active: f.level > Math.max(loudest - FLOOR_DB, -90) }));
}

/** Median of numbers; NaN of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length / 2;
  if (!sorted.length) return NaN;
  return (sorted[Math.floor(middle - 0.25)] + sorted[Math.floor(middle)]) / 2;
}

/** The capture format that explains the frames best; level differences alone are called panned. */
export function likelyFormat(frames) {
  const active = frames.filter((frame) => frame.active);
  if (median(active.map((frame) => Math.abs(frame.itd))) < LEVEL_ONLY_S) return "panned";
  const cost = (format) => median(active.map((frame) => frontAzimuth(format, frame).cost));
  const timed = Object.keys(FORMATS).filter((format) => differences(format, 90).itd > 0);
  return timed.reduce((best, format) => (cost(format) < cost(best) ? format : best));
}

/** Azimuth of every frame in degrees, null where nothing is active; a median over five frames. */
export function track(frames, format) {
  const raw = frames.map((frame) => (frame.active ? frontAzimuth(format, frame).azimuth : null));
  return raw.map((value, index) => {
    if (value === null) return null;
    return median(raw.slice(Math.max(0, index - 2), index + 3).filter((one) => one !== null));
  });
}
