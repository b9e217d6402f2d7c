// What a direction does to two channels: delays, gains and a head's shadow, as pure functions.
//
// Azimuth in degrees, 0 ahead, positive to the right. ILD in dB and ITD in seconds are positive when
// the right channel is louder or earlier. The formulas are those of spa2v_lab.scenes.receivers.

export const SPEED_OF_SOUND = 343;
const HEAD_RADIUS_M = 0.0875;
const SHADOW_HZ = 2000; // where a head's level difference is stated
const MOST_DB = 30;

export const FORMATS = {
  binaural: "binaural (a head)",
  ortf: "ORTF",
  xy: "XY",
  ms: "M/S",
  ab: "AB (0.5 m)",
  panned: "panned",
};

const radians = (degrees) => (degrees * Math.PI) / 180;
const decibels = (ratio) => 20 * Math.log10(Math.max(ratio, 1e-6));
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Fold an azimuth into (-180, 180]. */
export function wrapped(azimuth) {
  const turned = ((azimuth % 360) + 360) % 360;
  return turned > 180 ? turned - 360 : turned;
}

/** How much more or less than a free field an ear of a sphere receives at high frequencies. */
function earGain(azimuth, side) {
  const fromAxis = (Math.acos(clamp(side * Math.sin(radians(azimuth)), -1, 1)) * 180) / Math.PI;
  return 1.05 + 0.95 * Math.cos(radians((fromAxis / 150) * 180));
}

/** The same at one frequency: one pole, one zero (Brown and Duda, 1998). */
export function shadowGain(azimuth, side, hz) {
  const corner = (2 * Math.PI * hz * HEAD_RADIUS_M) / (2 * SPEED_OF_SOUND);
  return Math.hypot(1, earGain(azimuth, side) * corner) / Math.hypot(1, corner);
}

/** Delay of each channel in seconds, never below 0, and its gain. */
export function channels(format, azimuth, hz = SHADOW_HZ) {
  const sine = Math.sin(radians(azimuth)), ahead = Math.cos(radians(azimuth));
  const spaced = (spacing) => ((spacing / 2) * sine) / SPEED_OF_SOUND;
  const cardioids = (turn) => [-1, 1].map(
    (side) => 0.5 * (1 + ahead * Math.cos(radians(turn)) + side * sine * Math.sin(radians(turn))),
  );
  const pair = (late, gains) => ({ late: [late, -late], gains });
  const { late, gains } = {
    binaural: () => {
      const ray = (towards) => (towards > 0 ? -towards : Math.asin(clamp(-towards, 0, 1)));
      return {
        late: [-sine, sine].map((t) => (HEAD_RADIUS_M / SPEED_OF_SOUND) * ray(t)),
        gains: [-1, 1].map((side) => shadowGain(azimuth, side, hz)),
      };
    },
    ortf: () => pair(spaced(0.17), cardioids(55)),
    xy: () => pair(0, cardioids(45)),
    ms: () => pair(0, cardioids(90)),
    ab: () => pair(spaced(0.5), [1, 1]),
    panned: () => {
      const balance = clamp(sine / Math.max(Math.abs(ahead), 1e-9), -1, 1);
      const size = Math.hypot(1 - balance, 1 + balance);
      return pair(0, [(1 - balance) / size, (1 + balance) / size]);
    },
  }[format]();
  const first = Math.min(...late);
  return { delays: late.map((one) => one - first), gains };
}

/** Level and time differences that a direction makes. */
export function differences(format, azimuth) {
  const { delays, gains } = channels(format, azimuth);
  return {
    ild: clamp(decibels(gains[1]) - decibels(gains[0]), -MOST_DB, MOST_DB),
    itd: delays[0] - delays[1],
  };
}

/** Ranges of azimuths all around with the same differences, to half a decibel and 10 µs. */
export function matches(format, azimuth) {
  const wanted = differences(format, azimuth), ranges = [];
  for (let other = -179.5; other <= 180; other += 0.5) {
    const { ild, itd } = differences(format, other);
    if (Math.abs(ild - wanted.ild) > 0.5 || Math.abs(itd - wanted.itd) > 10e-6) continue;
    const last = ranges[ranges.length - 1];
    if (last && other - last[1] <= 0.5) last[1] = other;
    else ranges.push([other, other]);
  }
  return ranges;
}

/** The azimuth in front, -90 to 90, whose differences are nearest: what a recording is read as. */
export function frontAzimuth(format, { ild, itd }, weights = { db: 1, seconds: 40e-6 }) {
  let best = { azimuth: 0, cost: Infinity };
  for (let azimuth = -90; azimuth <= 90; azimuth += 1) {
    const here = differences(format, azimuth);
    const cost = ((here.ild - ild) / weights.db) ** 2 + ((here.itd - itd) / weights.seconds) ** 2;
    if (cost < best.cost - 1e-9) best = { azimuth, cost };
  }
  return best;
}

/** Gain of distance: 1 at one metre, half at each doubling. */
export const distanceGain = (metres) => 1 / Math.max(metres, 0.25);

/** Box of an object of that size, as [x0, y0, x1, y1] in [0, 1]; null out of a camera's 90° view. */
export function project(azimuth, metres, size = 1, aspect = 16 / 9) {
  if (Math.abs(azimuth) >= 60) return null;
  const depth = metres * Math.cos(radians(azimuth));
  const middle = 0.5 + 0.5 * Math.tan(radians(azimuth));
  const wide = size / depth / 2, tall = wide * aspect;
  const corners = [middle - wide / 2, 0.5 - tall / 2, middle + wide / 2, 0.5 + tall / 2];
  const box = corners.map((value) => clamp(value, 0, 1));
  return box[2] - box[0] > 0.004 ? box : null;
}
