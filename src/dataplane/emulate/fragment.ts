/**
 * Fragmenting on the way out: net/ipv4/ip_output.c, ip_fragment and ip_do_fragment.
 *
 * A datagram that was put together from fragments leaves in the same pieces when they fit and their buffers have room for
 * the link header (the "frag list" of the kernel); otherwise it is cut anew. All pieces have its identification. Options that are not to be copied (RFC 791
 * section 3.1, the copied flag) are no-operations in every piece but the first.
 */
import * as checksum from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { append, type Frame, type FramePool, take } from './frame.ts';

const END_OF_LIST = 0;
const NO_OPERATION = 1;
const COPIED = 0x80;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_FIELD = 6;

/** Recompute the header checksum of the IPv4 header at `at` (ip_send_check). */
export function writeHeaderChecksum(view: DataView, at: number): void {
  ipv4.setHeaderChecksum(view, at, 0);
  ipv4.setHeaderChecksum(view, at, checksum.complement(checksum.sum(view, at, ipv4.payloadStart(view, at))));
}

/** Turn the options in `[at, end)` that belong to the first piece alone into no-operations (ip_options_fragment). */
function keepCopiedOptions(view: DataView, at: number, end: number): void {
  let next = at;
  while (next < end) {
    const kind = view.getUint8(next);
    if (kind === END_OF_LIST) return;
    if (kind === NO_OPERATION) {
      next += 1;
      continue;
    }
    const length = next + 1 < end ? view.getUint8(next + 1) : 0;
    if (length < 2 || next + length > end) return;
    if ((kind & COPIED) === 0) for (let octet = 0; octet < length; octet++) view.setUint8(next + octet, NO_OPERATION);
    next += length;
  }
}

/** Whether the pieces that `frame` came in can go out again as they are, `room` octets of payload each at most. */
function keepsPieces(frame: Frame, room: number): boolean {
  const { pieces, pieceLengths } = frame;
  if (pieces < 2) return false;
  for (let i = 0; i < pieces; i++) {
    const length = pieceLengths[i]!;
    if (length > room || (i < pieces - 1 && length % 8 !== 0)) return false;
  }
  return true;
}

/**
 * Cut the IPv4 packet of `frame` for a way that takes `mtu` octets, in order, each piece in a frame of its own with the
 * packet at `at`. The packet's own header is used up. `hasRoom`: the pieces that it came in may go out as they are.
 */
export function fragment(pool: FramePool, frame: Frame, mtu: number, hasRoom: boolean, into: Frame[]): void {
  const { view, octets, network } = frame;
  const header = ipv4.headerLength(view, network);
  const payload = network + header;
  const limit = frame.largestFragment === 0 ? mtu : Math.min(mtu, frame.largestFragment);
  const asItCame = hasRoom && keepsPieces(frame, limit - header);
  const room = (limit - header) & ~7;
  const first = ipv4.fragmentOffset(view, network);
  const more = ipv4.moreFragments(view, network);
  const kept = !asItCame && frame.keepsDontFragment === 1 ? DONT_FRAGMENT : 0;
  const length = frame.end - payload;
  for (let done = 0, index = 0; done < length || index === 0; index++) {
    const left = length - done;
    const size = asItCame ? frame.pieceLengths[index]! : left <= limit - header ? left : room;
    if (size <= 0) return;
    if (index === 1) keepCopiedOptions(view, ipv4.optionsStart(view, network), payload);
    const piece = take(pool, header + size, frame.packet);
    append(piece, octets, network, header);
    append(piece, octets, payload + done, size);
    ipv4.setTotalLength(piece.view, piece.network, header + size);
    const flags = size < left || more === 1 ? kept | MORE_FRAGMENTS : kept;
    piece.view.setUint16(piece.network + FRAGMENT_FIELD, flags | ((first + done) >>> 3));
    writeHeaderChecksum(piece.view, piece.network);
    piece.mark = frame.mark;
    piece.device = frame.device;
    piece.out = frame.out;
    piece.nextHop = frame.nextHop;
    piece.reason = frame.reason;
    piece.rule = frame.rule;
    piece.ctstate = frame.ctstate;
    into.push(piece);
    done += size;
  }
}
