/**
 * Captured frames, with the few fields that tell packets apart. Used to derive what the kernel did, so it must not share
 * code with the project: tcpdump reads the file (pcap or pcapng), and this reads tcpdump's plain pcap of it.
 */
import { execFileSync } from 'node:child_process';

/** One IPv4 packet inside a frame. Addresses and ports in host order. */
export interface Packet {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly ttl: number;
  readonly identification: number;
  /** Flags and fragment offset, as on the wire. */
  readonly fragment: number;
  /** Everything after the IPv4 header, up to its total length. */
  readonly payload: Buffer;
}

export interface Frame {
  readonly tap: string;
  /** 1-based position in the tap's file. */
  readonly packet: number;
  readonly timestampNanoseconds: bigint;
  readonly sourceMac: string;
  /** The inner packet where the frame is VXLAN, otherwise the frame's own; null when it is no IPv4. */
  readonly inner: Packet | null;
  /** The group id of a VXLAN frame, 0 where it has none; null when the frame is no VXLAN. */
  readonly groupId: number | null;
}

const NANOSECOND_MAGIC = 0xa1b23c4d;
const FILE_HEADER_LENGTH = 24;
const RECORD_HEADER_LENGTH = 16;
const ETHERNET_HEADER_LENGTH = 14;
const UDP_LENGTH = 8;
const VXLAN_LENGTH = 8;
const GROUP_FLAG = 0x80;
const TYPE_IPV4 = 0x0800;
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;
const FRAGMENT_OFFSET = 0x1fff;

/** The program that reads files for us. */
export const READER = 'tcpdump';

/** Every frame of `file`, in its order. */
export function readFrames(tap: string, file: string): Frame[] {
  const args = ['-r', file, '--time-stamp-precision=nano', '-w', '-'];
  const pcap = execFileSync(READER, args, { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 });
  if (pcap.readUInt32LE(0) !== NANOSECOND_MAGIC) throw new Error(`${file}: tcpdump wrote no nanosecond pcap`);
  const frames: Frame[] = [];
  for (let at = FILE_HEADER_LENGTH; at < pcap.length; ) {
    const time = BigInt(pcap.readUInt32LE(at)) * 1_000_000_000n + BigInt(pcap.readUInt32LE(at + 4));
    const [captured, original] = [pcap.readUInt32LE(at + 8), pcap.readUInt32LE(at + 12)];
    if (captured !== original) throw new Error(`${file}: packet ${frames.length + 1} is cut short`);
    at += RECORD_HEADER_LENGTH;
    frames.push({
      tap,
      packet: frames.length + 1,
      timestampNanoseconds: time,
      ...readFrame(pcap.subarray(at, at + captured)),
    });
    at += captured;
  }
  return frames;
}

function readFrame(octets: Buffer): Pick<Frame, 'sourceMac' | 'inner' | 'groupId'> {
  const sourceMac = octets.toString('hex', 6, 12);
  const outer = readEthernet(octets);
  if (outer === null || !isVxlan(outer)) return { sourceMac, inner: outer, groupId: null };
  const { payload } = outer;
  const groupId = (payload[UDP_LENGTH]! & GROUP_FLAG) === 0 ? 0 : payload.readUInt16BE(UDP_LENGTH + 2);
  return { sourceMac, inner: readEthernet(payload.subarray(UDP_LENGTH + VXLAN_LENGTH)), groupId };
}

const isVxlan = ({ protocol, payload }: Packet): boolean =>
  protocol === PROTOCOL.UDP && payload.readUInt16BE(2) === 4789;

const readEthernet = (octets: Buffer): Packet | null =>
  octets.readUInt16BE(12) === TYPE_IPV4 ? readIpv4(octets.subarray(ETHERNET_HEADER_LENGTH)) : null;

/** An IPv4 packet; the payload ends where the octets end when it was quoted in part. */
export function readIpv4(octets: Buffer): Packet {
  return {
    source: octets.readUInt32BE(12),
    destination: octets.readUInt32BE(16),
    protocol: octets[9]!,
    ttl: octets[8]!,
    identification: octets.readUInt16BE(4),
    fragment: octets.readUInt16BE(6),
    payload: octets.subarray((octets[0]! & 15) * 4, octets.readUInt16BE(2)),
  };
}

/** Where the checksum of TCP or UDP lies in the payload; offloading cards fill it in late. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { [PROTOCOL.TCP]: 16, [PROTOCOL.UDP]: 6 };

/** `length` octets of the payload without its transport checksum. */
function comparable(packet: Packet, length: number): string {
  const payload = Buffer.from(packet.payload.subarray(0, length));
  const at = CHECKSUM_AT[packet.protocol];
  const starts = (packet.fragment & FRAGMENT_OFFSET) === 0;
  if (at !== undefined && starts && payload.length >= at + 2) payload.writeUInt16BE(0, at);
  return payload.toString('hex');
}

const datagram = ({ source, destination, protocol, identification }: Packet): string =>
  [source, destination, protocol, identification].join(' ');

/** What stays the same from tap to tap: all but TTL and checksums. */
export const identityOf = (packet: Packet): string =>
  `${datagram(packet)} ${packet.fragment} ${comparable(packet, packet.payload.length)}`;

const DONT_FRAGMENT = 0x4000;

/**
 * What an ICMP error tells of the packet it quotes: the header and at least eight octets (RFC 792). A cell puts fragments
 * together before it judges them and quotes the whole, so a fragment is known by its datagram alone.
 */
export const quotableIdentities = (packet: Packet): { whole: string; fragment: string } => ({
  whole: `${datagram(packet)} ${comparable(packet, 8)}`,
  fragment: datagram(packet),
});

export const isFragment = ({ fragment }: Packet): boolean => (fragment & ~DONT_FRAGMENT) !== 0;
