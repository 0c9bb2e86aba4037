/**
 * Why a header was refused: one small integer per cause, so that a counter array can be indexed by it.
 *
 * A fault is only a number on the packet path. What it means in words, which octets it speaks of and who claimed the
 * length that does not fit is worked out later, from the same octets, by `explain.ts`.
 *
 * The numbers are dense and only ever appended to. A name is LAYER_WHAT, with two endings that carry meaning:
 * `_SHORT`, the fixed part of the header is not there; `_BEYOND_END`, it is there, but a length in it points behind the
 * last octet.
 */
export const FAULT = {
  NONE: 0,
  ETHERNET_SHORT: 1,
  VLAN_SHORT: 2,
  SLL_SHORT: 3,
  SLL2_SHORT: 4,
  LOOPBACK_SHORT: 5,
  /** Raw IP without a first octet to read the version from. */
  IP_SHORT: 6,
  IP_VERSION_NOT_4_OR_6: 7,
  ARP_SHORT: 8,
  ARP_HARDWARE_LENGTH_NOT_6: 9,
  ARP_PROTOCOL_LENGTH_NOT_4: 10,
  IPV4_SHORT: 11,
  IPV4_VERSION_NOT_4: 12,
  IPV4_IHL_BELOW_5: 13,
  IPV4_IHL_BEYOND_END: 14,
  IPV4_TOTAL_LENGTH_BELOW_HEADER: 15,
  IPV4_TOTAL_LENGTH_BEYOND_END: 16,
  IPV4_OPTION_LENGTH_BELOW_2: 17,
  IPV4_OPTION_BEYOND_HEADER: 18,
  IPV6_SHORT: 19,
  IPV6_VERSION_NOT_6: 20,
  IPV6_PAYLOAD_LENGTH_BEYOND_END: 21,
  /** Payload length 0 and a hop-by-hop header without the jumbo payload option (RFC 2675 section 3). */
  IPV6_JUMBO_MISSING: 22,
  /** A jumbo payload length that the ordinary field could have held. */
  IPV6_JUMBO_BELOW_65536: 23,
  IPV6_JUMBO_BEYOND_END: 24,
  EXTENSION_SHORT: 25,
  EXTENSION_LENGTH_BEYOND_END: 26,
  EXTENSION_OPTION_BEYOND_HEADER: 27,
  EXTENSION_HOP_BY_HOP_NOT_FIRST: 28,
  EXTENSION_CHAIN_TOO_LONG: 29,
  FRAGMENT6_SHORT: 30,
  ICMP_SHORT: 31,
  ICMP6_SHORT: 32,
  UDP_SHORT: 33,
  UDP_LENGTH_BELOW_HEADER: 34,
  UDP_LENGTH_BEYOND_END: 35,
  TCP_SHORT: 36,
  TCP_DATA_OFFSET_BELOW_5: 37,
  TCP_DATA_OFFSET_BEYOND_END: 38,
  TCP_OPTION_LENGTH_BELOW_2: 39,
  TCP_OPTION_BEYOND_HEADER: 40,
  VXLAN_SHORT: 41,
} as const;

export type Fault = (typeof FAULT)[keyof typeof FAULT];

const NAMES: readonly string[] = Object.keys(FAULT);
const SHORT = Uint8Array.from(NAMES, (text) => Number(text.endsWith('_SHORT')));
const TRUNCATION = Uint8Array.from(NAMES, (text) => Number(/_(?:SHORT|BEYOND_END)$/.test(text)));
const LAYERS = NAMES.map((text) => text.slice(0, Math.max(0, text.indexOf('_'))).toLowerCase());

/** Number of faults, NONE included: the length of an array of counters. */
export const FAULT_COUNT = NAMES.length;

/** The stable spelling, for example `UDP_LENGTH_BEYOND_END`. */
export const name = (fault: Fault): string => NAMES[fault]!;

/** Whether octets are missing: the header ends early, or a length points behind the last octet. */
export const isTruncation = (fault: Fault): boolean => TRUNCATION[fault] === 1;

/**
 * Whether even the fixed part of the refused header is missing. Where this is false and a transport header was refused,
 * its ports can still be read at the offset of the refused header, as the kernel's matches do.
 */
export const isShort = (fault: Fault): boolean => SHORT[fault] === 1;

/** The header that was refused, as its file is called: `ipv4`, `udp`, `vxlan`; empty for NONE. */
export const layerOf = (fault: Fault): string => LAYERS[fault]!;
