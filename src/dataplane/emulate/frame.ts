/**
 * Frame: octets on their way through emulated cells, with what Linux keeps beside them in a sk_buff (include/linux/
 * skbuff.h) and in its IPv4 control block (include/net/ip.h, struct inet_skb_parm).
 *
 *     | headroom | link header | IPv4 header ... | room |
 *                ^ at          ^ network         ^ end
 *
 * Headers are put in front and taken off by moving `at`. Frames come from a pool and go back to it: nothing is allocated
 * for a packet once as many frames exist as are on their way at the same time.
 */
import { VERIFIED, type Verified } from '../answer/rejected-checksum.ts';

/** To whom the link header is addressed (PACKET_HOST and others, include/uapi/linux/if_packet.h). */
export const CAST = { HOST: 0, BROADCAST: 1, MULTICAST: 2, OTHER_HOST: 3 } as const;

/** Whether routing found that a packet is for the host itself. */
export const LOCAL = { NO: 0, ADDRESS: 1, BROADCAST: 2 } as const;

/** Whether the sender is told of a shorter way; one that is HELD_BACK does not get past nat. */
export const REDIRECT = { NO: 0, SENT: 1, HELD_BACK: 2 } as const;

export interface Frame {
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  /** First octet: of the link header while a device has the frame, of the IPv4 header inside a host. */
  at: number;
  /** One behind the last octet. */
  end: number;
  /** Offset of the IPv4 header. */
  network: number;
  /** Number of the packet, given out in order; answers and fragments have numbers of their own. */
  packet: number;
  /** Number of the packet that this one answers or is a part of; 0 for one that was put in from outside. */
  cause: number;
  mark: number;
  /** Index of the device it came in by; -1 for a packet of the host itself. */
  device: number;
  /** Offset of the Ethernet header that LOG rules show (skb_mac_header): that of a tunnel's outer packet is inside. -1 for none. */
  link: number;
  /** Index of the VTEP that made it, whose skb->dev it still has behind OUTPUT; -1 for others. */
  maker: number;
  /** One of CAST. */
  cast: number;
  /** Where routing sends it: index of the device, address of the next hop; -1 before routing. */
  out: number;
  nextHop: number;
  /** One of LOCAL. */
  local: number;
  /** One of REDIRECT: it goes out by the device it came in by, and its sender could have gone directly. */
  redirect: number;
  /** One of VERIFIED: what is known of the checksum of its transport header. */
  verified: Verified;
  /** 1 when that checksum is left to a network card: the field holds the sum of the pseudo-header. */
  partial: number;
  /**
   * Length of the longest IPv4 packet of those that the frame stands for, which a network card is to cut it into
   * (skb_gso_network_seglen); 0 for a single packet. It is kept from host to host, as virtual devices keep it.
   */
  segmentLength: number;
  /** 1 for a redirect that nat does not let out (nf_nat_icmp_reply_translation). */
  barred: number;
  /** 1 for an answer that belongs to the connection of the packet that was tracked last (nf_ct_attach). */
  attached: number;
  /** Offsets of entries of record route and timestamp options that the way out still writes to; 0 for none. */
  routeEntry: number;
  timeEntry: number;
  /** The IPv4 header before FORWARD, for a redirect to quote, where there are options that the way out writes to; else null. */
  headerBefore: Uint8Array | null;
  /** Size of the largest fragment that it was put together from; 0 for a packet that came whole (frag_max_size). */
  largestFragment: number;
  /** 1 when all of its largest fragments said "don't fragment" (IPSKB_FRAG_PMTU). */
  keepsDontFragment: number;
  /** How many fragments it came in, and the octets of payload of each, in order. */
  pieces: number;
  readonly pieceLengths: Uint16Array;
  /** What the last walk over rules said: REASON and rule id, and the state of its connection. */
  reason: number;
  rule: number;
  ctstate: number;
}

/** Room in front for what a tunnel adds: Ethernet 14, IPv4 20, UDP 8, VXLAN 8, and as much again for nested tunnels. */
const HEADROOM = 128;
const SMALL = 2_304;
/** The longest IPv4 datagram with two link headers and a tunnel. */
const LARGE = HEADROOM + 65_535 + 2 * 14 + 36;
/** A datagram of 65,535 octets in fragments of 8. */
const MOST_PIECES = 8_192;

export interface FramePool {
  readonly small: Frame[];
  readonly large: Frame[];
  /** Frames that were taken and not given back. */
  taken: number;
  /** Number of the last packet. */
  packet: number;
}

export const createPool = (): FramePool => ({ small: [], large: [], taken: 0, packet: 0 });

function createFrame(octetCount: number): Frame {
  const octets = new Uint8Array(octetCount);
  return {
    octets,
    view: new DataView(octets.buffer),
    at: 0,
    end: 0,
    network: 0,
    packet: 0,
    cause: 0,
    mark: 0,
    device: -1,
    link: -1,
    maker: -1,
    cast: CAST.HOST,
    out: -1,
    nextHop: 0,
    local: 0,
    redirect: REDIRECT.NO,
    verified: VERIFIED.NO,
    partial: 0,
    segmentLength: 0,
    barred: 0,
    attached: 0,
    routeEntry: 0,
    timeEntry: 0,
    headerBefore: null,
    largestFragment: 0,
    keepsDontFragment: 0,
    pieces: 0,
    pieceLengths: new Uint16Array(octetCount === LARGE ? MOST_PIECES : SMALL >>> 3),
    reason: 0,
    rule: -1,
    ctstate: 0,
  };
}

/** A frame with room for `length` octets behind its headroom, empty; `cause` is the packet it comes from. */
export function take(pool: FramePool, length: number, cause: number): Frame {
  const isSmall = length <= SMALL - HEADROOM;
  const frame = (isSmall ? pool.small : pool.large).pop() ?? createFrame(isSmall ? SMALL : LARGE);
  pool.taken += 1;
  pool.packet += 1;
  frame.at = HEADROOM;
  frame.end = HEADROOM;
  frame.network = HEADROOM;
  frame.packet = pool.packet;
  frame.cause = cause;
  frame.mark = 0;
  frame.device = -1;
  frame.cast = CAST.HOST;
  frame.rule = -1;
  frame.reason = 0;
  frame.ctstate = 0;
  frame.segmentLength = 0;
  forget(frame);
  return frame;
}

/** Clear what one host's IPv4 layer knew of a packet before another one, or a tunnel, has it. */
export function forget(frame: Frame): void {
  frame.link = -1;
  frame.maker = -1;
  frame.out = -1;
  frame.nextHop = 0;
  frame.local = 0;
  frame.redirect = REDIRECT.NO;
  frame.verified = VERIFIED.NO;
  frame.partial = 0;
  frame.barred = 0;
  frame.attached = 0;
  frame.routeEntry = 0;
  frame.timeEntry = 0;
  frame.headerBefore = null;
  frame.largestFragment = 0;
  frame.keepsDontFragment = 0;
  frame.pieces = 0;
}

/** Give a frame back. Nobody may look at it afterwards. */
export function release(pool: FramePool, frame: Frame): void {
  pool.taken -= 1;
  (frame.octets.length === LARGE ? pool.large : pool.small).push(frame);
}

/** Longest frame that fits behind the headroom. */
export const LONGEST_FRAME = LARGE - HEADROOM;

/** Put `length` octets of `from` at `at` behind those that `frame` has. */
export function append(frame: Frame, from: Uint8Array, at: number, length: number): void {
  // A view of all of it would be one more object for each frame that is put in.
  frame.octets.set(length === from.length ? from : from.subarray(at, at + length), frame.end);
  frame.end += length;
}
