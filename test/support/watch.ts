/**
 * A DataView that throws when anything outside `[low, high)` is read: shows that code which was told where a packet
 * ends does not look behind it, even where the buffer goes on.
 */
export class WatchedView extends DataView<ArrayBuffer> {
  readonly #low: number;
  readonly #high: number;

  constructor(bytes: Uint8Array<ArrayBuffer>, low: number, high: number) {
    super(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#low = low;
    this.#high = high;
  }

  #watch(at: number, size: number): void {
    if (at < this.#low || at + size > this.#high) {
      throw new RangeError(`read of ${size} at ${at}, outside [${this.#low}, ${this.#high})`);
    }
  }

  override getUint8(at: number): number {
    this.#watch(at, 1);
    return super.getUint8(at);
  }

  override getUint16(at: number, littleEndian?: boolean): number {
    this.#watch(at, 2);
    return super.getUint16(at, littleEndian);
  }

  override getUint32(at: number, littleEndian?: boolean): number {
    this.#watch(at, 4);
    return super.getUint32(at, littleEndian);
  }

  override getInt32(at: number, littleEndian?: boolean): number {
    this.#watch(at, 4);
    return super.getInt32(at, littleEndian);
  }
}

/** `bytes` with `margin` octets of 0xff on both sides, watched so that only `bytes` may be read; they begin at `margin`. */
export function watched(bytes: Uint8Array, margin: number): WatchedView {
  const wide = new Uint8Array(bytes.length + 2 * margin).fill(0xff);
  wide.set(bytes, margin);
  return new WatchedView(wide, margin, margin + bytes.length);
}
