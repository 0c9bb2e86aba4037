/**
 * CRC32c, the checksum of SCTP: RFC 9260 appendix A. Polynomial 0x1EDC6F41, bits reversed, first and last word inverted.
 */

const POLYNOMIAL_REVERSED = 0x82f63b78;

const TABLE = Int32Array.from({ length: 256 }, (_, octet) => {
  let word = octet;
  for (let bit = 0; bit < 8; bit++) word = (word >>> 1) ^ ((word & 1) === 0 ? 0 : POLYNOMIAL_REVERSED);
  return word;
});

/**
 * CRC32c of the `length` octets at `at`, of which the four at `zeroed` count as 0, as a signed number. The octets of the packet hold
 * it lowest first.
 */
export function crc32c(view: DataView, at: number, length: number, zeroed: number): number {
  let word = -1;
  for (let i = at; i < at + length; i++) {
    const octet = i >= zeroed && i < zeroed + 4 ? 0 : view.getUint8(i);
    word = (word >>> 8) ^ TABLE[(word ^ octet) & 0xff]!;
  }
  return ~word;
}
