/**
 * Packets that make the kernel say everything that a LOG line can say: every protocol that it knows and one that it does
 * not, options, fragments, headers that are cut short, and ICMP errors that quote all of these.
 *
 * Each passes the kernel's own header check, so that it reaches the rules.
 */
import { type Ends, FLAG, type HeaderFields, icmp, ipv4, tcp, udp } from './packets.ts';

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const [ESP, AUTHENTICATION, SCTP, UDP_LITE, GRE] = [50, 51, 132, 136, 47];
/** Where the packets that ICMP errors quote came from; any address will do. */
const QUOTED: Ends = { source: '10.255.2.7', destination: '10.255.1.4' };

/** No operation, no operation, then a router alert (RFC 2113). */
const IP_OPTIONS = [1, 1, 1, 1, 148, 4, 0, 0];
const SEGMENT_SIZE = [2, 4, 0x05, 0xb4];

const counting = (length: number, from = 1): number[] => Array.from({ length }, (_, i) => (from + i) & 0xff);

/** A TCP header with the fourth word (offset, reserved bits, flags, window) as given. */
function segment(ends: Ends, word: number, rest: readonly number[] = []): number[] {
  const octets = tcp(ends, 42_001, 8080, { flags: 0, sequence: 0x89abcdef, acknowledgement: 0xfedcba98 });
  octets.splice(12, 4, word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff);
  octets[19] = 7;
  return [...octets, ...rest];
}

const UNREACHABLE = 3;

/** ICMP errors around `quotation`, of every type that quotes. */
const errors = (quotation: Iterable<number>): number[][] => [
  icmp(UNREACHABLE, 3, 0, quotation),
  icmp(UNREACHABLE, 4, 1400, quotation),
  icmp(4, 0, 0, quotation),
  icmp(5, 1, 0x0a090001, quotation),
  icmp(11, 0, 0, quotation),
  icmp(12, 0, 0x14000000, quotation),
];

/** What an ICMP error may quote, whole or not. */
function quotations(): number[][] {
  const whole = ipv4(QUOTED, TCP, segment(QUOTED, 0x5002fd5c));
  const nested = ipv4(QUOTED, ICMP, icmp(UNREACHABLE, 4, 576, ipv4(QUOTED, UDP, udp(QUOTED, 1, 2))));
  const options = ipv4(QUOTED, UDP, udp(QUOTED, 53, 5353), { options: IP_OPTIONS });
  const bare = ipv4(QUOTED, UDP, udp(QUOTED, 53, 5353, counting(20)));
  const shortHeader = [...bare];
  shortHeader[0] = 0x41;
  const longHeader = [...bare];
  longHeader[0] = 0x4f;
  return [
    [...whole],
    [...whole.subarray(0, 28)],
    [...ipv4(QUOTED, TCP, segment(QUOTED, 0x6012ffff, SEGMENT_SIZE))],
    [...bare.subarray(0, 28)],
    [...bare.subarray(0, 24)],
    [...ipv4(QUOTED, ICMP, icmp(8, 0, 0x00070001, counting(8)))],
    [...ipv4(QUOTED, ICMP, icmp(8, 0, 0x00070001)).subarray(0, 24)],
    [...nested],
    [...options],
    [...options.subarray(0, 24)],
    [...ipv4(QUOTED, UDP, counting(24), { fragment: 0x20b9 })],
    [...ipv4(QUOTED, AUTHENTICATION, counting(12))],
    [...ipv4(QUOTED, GRE, counting(8))],
    shortHeader,
    longHeader,
  ];
}

/** Every packet from `ends.source` to `ends.destination`. */
export function logPackets(ends: Ends): Uint8Array[] {
  const packet = (protocol: number, payload: Iterable<number>, fields: HeaderFields = {}): Uint8Array =>
    ipv4(ends, protocol, payload, fields);
  const whole = segment(ends, 0x5002fd5c);
  return [
    packet(TCP, whole, { fragment: 0x4000 }),
    packet(TCP, tcp(ends, 42_001, 8080, { flags: FLAG.ACK | FLAG.PSH, payload: counting(40) })),
    // Every flag, with all reserved bits and without; a header that claims less and more than it has.
    packet(TCP, segment(ends, 0x5fffffff)),
    packet(TCP, segment(ends, 0x5a550000)),
    packet(TCP, segment(ends, 0x0011ffff)),
    packet(TCP, segment(ends, 0x6002ffff, SEGMENT_SIZE)),
    packet(TCP, segment(ends, 0xf0020100, counting(40)), { options: IP_OPTIONS }),
    packet(TCP, segment(ends, 0xf0020100, counting(39))),
    packet(TCP, whole.slice(0, 19)),
    packet(TCP, []),
    packet(UDP, udp(ends, 5353, 53, counting(9)), { typeOfService: 0xff }),
    packet(UDP, udp(ends, 65_535, 1).slice(0, 7)),
    packet(UDP_LITE, udp(ends, 4000, 4001, counting(3)), { typeOfService: 0xb8 }),
    packet(UDP_LITE, [1, 2, 3, 4]),
    packet(UDP, udp(ends, 7, 9), { options: [...IP_OPTIONS, ...Array.from({ length: 32 }, () => 1)] }),
    // Fragments: the first, one of the middle, the last, and one whose reserved bit is set.
    packet(TCP, whole, { fragment: 0x2000, identification: 0xffff }),
    packet(UDP, counting(16), { fragment: 0x2001 }),
    packet(TCP, counting(16), { fragment: 0x00b9 }),
    packet(ICMP, counting(16), { fragment: 0x0100 }),
    packet(ESP, counting(16), { fragment: 0x0002 }),
    packet(AUTHENTICATION, counting(16), { fragment: 0x0002 }),
    packet(GRE, counting(16), { fragment: 0x0003 }),
    packet(UDP, udp(ends, 1, 2), { fragment: 0xc000 }),
    packet(ESP, counting(8, 0xf1)),
    packet(ESP, counting(7)),
    packet(AUTHENTICATION, counting(12, 0xf0)),
    packet(AUTHENTICATION, counting(11)),
    packet(SCTP, counting(12)),
    packet(GRE, []),
    packet(0, counting(4)),
    packet(255, counting(4)),
    // ICMP without a quotation, each type that has fields of its own, cut to every length that matters.
    packet(ICMP, icmp(8, 0, 0x01020304, counting(8))),
    packet(ICMP, icmp(0, 0, 0xffff0000)),
    packet(ICMP, icmp(8, 0, 1).slice(0, 7)),
    packet(ICMP, []),
    ...[13, 14, 15, 16, 17, 18, 19, 10, 255].flatMap((type) => [
      packet(ICMP, icmp(type, 1, 0x0a0b0c0d)),
      packet(ICMP, icmp(type, 1, 0x0a0b0c0d, counting(4))),
      packet(ICMP, icmp(type, 1, 0x0a0b0c0d, counting(12))),
    ]),
    ...errors([]).map((message) => packet(ICMP, message)),
    ...errors(counting(19)).map((message) => packet(ICMP, message)),
    ...quotations().flatMap((quotation) => errors(quotation).map((message) => packet(ICMP, message))),
  ];
}
