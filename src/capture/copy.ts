/**
 * Copy octets between buffers without an object per packet: `set` needs a subarray, which costs more than the copy of a
 * small packet.
 */
const WORTH_AN_OBJECT = 256;

/** Copy [at, end) of `from` to `into` at `to`; the caller has checked that it fits. */
export function copyOctets(
  from: DataView,
  fromOctets: Uint8Array,
  at: number,
  end: number,
  into: DataView,
  intoOctets: Uint8Array,
  to: number,
): void {
  if (end - at > WORTH_AN_OBJECT) {
    intoOctets.set(fromOctets.subarray(at, end), to);
    return;
  }
  let source = at;
  let target = to;
  for (; source + 4 <= end; source += 4, target += 4) into.setUint32(target, from.getUint32(source));
  for (; source < end; source++, target++) into.setUint8(target, from.getUint8(source));
}
