/**
 * Packets put together octet by octet for tests of the dataplane, checksums included. Shares no code with `src/wire`, so
 * that a mistake there cannot hide here; the kernel and tshark have read what this writes.
 */
export const FLAG = { FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, ACK: 0x10, URG: 0x20 } as const;

/** An IPv4 address in text as a number. */
export const address = (text: string): number =>
  text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0) >>> 0;

const word = (value: number): number[] => [(value >>> 8) & 0xff, value & 0xff];
const long = (value: number): number[] => [...word(value >>> 16), ...word(value & 0xffff)];

/** The Internet checksum (RFC 1071) of `octets`. */
export function checksum(octets: readonly number[] | Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += (octets[at]! << 8) | (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export interface Ends {
  readonly source: string;
  readonly destination: string;
}

/** An IPv4 header field that differs from what a plain packet has. */
export interface HeaderFields {
  readonly identification?: number;
  /** Flags and offset, as on the wire: 0x2000 is more fragments, the offset counts in 8 octets. */
  readonly fragment?: number;
  readonly timeToLive?: number;
  readonly options?: readonly number[];
  readonly totalLength?: number;
  readonly typeOfService?: number;
}

export function ipv4(ends: Ends, protocol: number, payload: Iterable<number>, fields: HeaderFields = {}): Uint8Array {
  const body = [...payload];
  const options = fields.options ?? [];
  const length = 20 + options.length;
  const header = [
    0x40 | (length / 4),
    fields.typeOfService ?? 0,
    ...word(fields.totalLength ?? length + body.length),
    ...word(fields.identification ?? 0x1234),
    ...word(fields.fragment ?? 0),
    fields.timeToLive ?? 64,
    protocol,
    0,
    0,
    ...long(address(ends.source)),
    ...long(address(ends.destination)),
    ...options,
  ];
  [header[10], header[11]] = word(checksum(header)) as [number, number];
  return Uint8Array.from([...header, ...body]);
}

/** `segment` with the checksum over it and its pseudo-header at `at`. */
function summed({ source, destination }: Ends, protocol: number, segment: number[], at: number): number[] {
  const pseudo = [...long(address(source)), ...long(address(destination)), 0, protocol, ...word(segment.length)];
  const sum = checksum([...pseudo, ...segment]);
  [segment[at], segment[at + 1]] = word(protocol === 17 && sum === 0 ? 0xffff : sum) as [number, number];
  return segment;
}

export interface Segment {
  readonly flags: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly window?: number;
  /** Filled up to a multiple of four octets by whoever gives them. */
  readonly options?: readonly number[];
  readonly payload?: readonly number[];
}

export const tcp = (ends: Ends, from: number, to: number, segment: Segment): number[] =>
  summed(
    ends,
    6,
    [
      ...word(from),
      ...word(to),
      ...long(segment.sequence ?? 0),
      ...long(segment.acknowledgement ?? 0),
      0x50 + ((segment.options?.length ?? 0) << 2),
      segment.flags,
      ...word(segment.window ?? 0xfaf0),
      0,
      0,
      0,
      0,
      ...(segment.options ?? []),
      ...(segment.payload ?? []),
    ],
    16,
  );

export const udp = (ends: Ends, from: number, to: number, payload: readonly number[] = []): number[] =>
  summed(ends, 17, [...word(from), ...word(to), ...word(8 + payload.length), 0, 0, ...payload], 6);

/** An ICMP message; `rest` is octets 4 to 7. */
export function icmp(type: number, code: number, rest: number, payload: Iterable<number> = []): number[] {
  const message = [type, code, 0, 0, ...long(rest), ...payload];
  [message[2], message[3]] = word(checksum(message)) as [number, number];
  return message;
}

const mac = (text: string): number[] => text.split(':').map((octet) => Number.parseInt(octet, 16));

/** silk's MAC addresses: `ee:ee` or `aa:aa` and an overlay address. */
export const silkMac = (prefix: 'ee' | 'aa', overlay: string): string =>
  [prefix, prefix, ...overlay.split('.').map((octet) => Number(octet).toString(16))].join(':');

export const ethernet = (
  destination: string,
  source: string,
  type: number,
  payload: Iterable<number>,
  tags: readonly number[] = [],
): Uint8Array =>
  Uint8Array.from([
    ...mac(destination),
    ...mac(source),
    ...tags.flatMap((tag) => [0x81, 0, ...word(tag)]),
    ...word(type),
    ...payload,
  ]);

export interface Tunnel {
  /** First octet of the VXLAN header; 0x88 is G and I. */
  readonly flags?: number;
  /** Second octet: D and A bits. */
  readonly policyFlags?: number;
  readonly groupId?: number;
  readonly vni?: number;
  readonly reserved?: number;
}

/** The VXLAN header and the frame behind it. */
export const vxlan = (inner: Iterable<number>, tunnel: Tunnel = {}): number[] => [
  tunnel.flags ?? 0x88,
  tunnel.policyFlags ?? 0,
  ...word(tunnel.groupId ?? 0),
  ...long(((tunnel.vni ?? 1) << 8) >>> 0).slice(0, 3),
  tunnel.reserved ?? 0,
  ...inner,
];
