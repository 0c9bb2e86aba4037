/**
 * Clock: time stamps of a pcapng interface to nanoseconds since the epoch of the file.
 *
 * A time stamp is a 64-bit count of units since 1970 (plus if_tsoffset seconds). For decimal resolutions down to the
 * nanosecond the conversion is one subtraction in each half and one multiplication, exact as long as the result is. Finer
 * and binary resolutions are rare and are converted with bigint, one packet at a time.
 */
export interface Clock {
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: bigint;
  /** Nanoseconds per unit; 0 if a unit is no whole number of nanoseconds. */
  readonly scale: number;
  /** Time stamp of the epoch in units, in two halves, and what is left over in nanoseconds. */
  baseHigh: number;
  baseLow: number;
  remainder: number;
  /** The base belongs to the epoch of the file. */
  ready: boolean;
}

const SECOND = 1_000_000_000n;
const WORD = 0x1_0000_0000n;

/**
 * Units per second for a value of if_tsresol: a power of ten, or of two if the highest bit is set.
 * Null if it cannot be: 10^20 and 2^64 units do not fit a 64-bit time stamp.
 */
export function unitsPerSecond(resolution: number): bigint | null {
  const exponent = resolution & 0x7f;
  if (resolution >= 0x80) return exponent > 63 ? null : 1n << BigInt(exponent);
  return exponent > 19 ? null : 10n ** BigInt(exponent);
}

export function create(units: bigint, offsetSeconds: bigint): Clock {
  const scale = SECOND % units === 0n ? Number(SECOND / units) : 0;
  return { unitsPerSecond: units, offsetSeconds, scale, baseHigh: 0, baseLow: 0, remainder: 0, ready: false };
}

/** Nanoseconds since 1970 of a time stamp; a fraction of a nanosecond is cut off. */
export function nanoseconds(clock: Clock, high: number, low: number): bigint {
  const units = BigInt(high) * WORD + BigInt(low);
  return (units * SECOND) / clock.unitsPerSecond + clock.offsetSeconds * SECOND;
}

/** Make `epoch` (nanoseconds since 1970) the time 0 of this clock. */
export function setEpoch(clock: Clock, epoch: bigint): void {
  clock.ready = true;
  if (clock.scale === 0) return;
  const sinceOffset = epoch - clock.offsetSeconds * SECOND;
  const scale = BigInt(clock.scale);
  const units = sinceOffset / scale;
  clock.remainder = Number(units * scale - sinceOffset);
  const low = ((units % WORD) + WORD) % WORD;
  clock.baseLow = Number(low);
  clock.baseHigh = Number((units - low) / WORD);
}
