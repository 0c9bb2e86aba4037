/**
 * Frames as Linux sends them into the overlay: VXLAN with group policy, UDP checksum 0, an inner TCP, UDP or ICMP header; and captures of
 * them, as classic pcap.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import * as checksum from '../src/wire/checksum.ts';
import * as ethernet from '../src/wire/ethernet.ts';
import * as ipv4 from '../src/wire/ipv4.ts';
import { ETHER_TYPE, PORT, PROTOCOL } from '../src/wire/protocol.ts';
import * as tcp from '../src/wire/tcp.ts';
import * as udp from '../src/wire/udp.ts';
import * as vxlan from '../src/wire/vxlan.ts';

/** What a frame carries, and between which cells: each has its address on the underlay and its lease. */
export interface Packet {
  readonly from: Cell;
  readonly to: Cell;
  readonly tag: number;
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface Cell {
  readonly underlay: number;
  readonly lease: number;
}

const OUTER_IP = ethernet.HEADER_LENGTH;
const OUTER_UDP = OUTER_IP + ipv4.HEADER_LENGTH;
const VXLAN = OUTER_UDP + udp.HEADER_LENGTH;
const INNER = VXLAN + vxlan.HEADER_LENGTH;
const INNER_IP = INNER + ethernet.HEADER_LENGTH;
const INNER_TRANSPORT = INNER_IP + ipv4.HEADER_LENGTH;
const HEADERS = INNER_TRANSPORT + tcp.HEADER_LENGTH;
/** Octets of a frame with `payload` behind its inner TCP header. */
export const frameLength = (payload: number): number => HEADERS + payload;
export const RECORD_HEADER = 16;
const BATCH = 4096;
const ECHO_REQUEST = 8;

function writeIpv4(
  view: DataView,
  at: number,
  totalLength: number,
  protocol: number,
  source: number,
  destination: number,
  identification: number,
): void {
  const header = ipv4.create();
  Object.assign(header, {
    version: 4,
    ihl: 5,
    totalLength,
    identification,
    timeToLive: 63,
    protocol,
    source,
    destination,
  });
  ipv4.encode(header, view, at);
  ipv4.setHeaderChecksum(view, at, checksum.complement(checksum.sum(view, at, at + ipv4.HEADER_LENGTH)));
}

/** The inner transport header. Behind a UDP or ICMP header the rest of a TCP header's room is payload. */
function writeTransport(view: DataView, at: number, end: number, packet: Packet, index: number): void {
  const { protocol, sourcePort, destinationPort } = packet;
  if (protocol === PROTOCOL.UDP) {
    udp.encode({ sourcePort, destinationPort, length: end - at, checksum: 0 }, view, at);
  } else if (protocol === PROTOCOL.TCP) {
    const segment = tcp.create();
    const fields = {
      sourcePort,
      destinationPort,
      sequenceNumber: index,
      dataOffset: 5,
      flags: tcp.FLAG.ACK,
      window: 512,
    };
    Object.assign(segment, fields);
    tcp.encode(segment, view, at);
  } else view.setUint8(at, ECHO_REQUEST);
}

/** One record: pcap header and a frame of `length` octets, at `at` of `view`. */
function writeRecord(view: DataView, at: number, packet: Packet, index: number, length: number): void {
  const { from, to, tag, source, destination, protocol, sourcePort } = packet;
  const frame = at + RECORD_HEADER;
  view.setUint32(at, 1_700_000_000 + Math.floor(index / 1e6), true);
  view.setUint32(at + 4, index % 1e6, true);
  view.setUint32(at + 8, length, true);
  view.setUint32(at + 12, length, true);
  const mac = 0x420100000000;
  ethernet.encode({ destination: mac + to.underlay, source: mac + from.underlay, type: ETHER_TYPE.IPV4 }, view, frame);
  const id = index & 0xffff;
  writeIpv4(view, frame + OUTER_IP, length - OUTER_IP, PROTOCOL.UDP, from.underlay, to.underlay, id);
  const datagram = length - OUTER_UDP;
  udp.encode({ sourcePort, destinationPort: PORT.VXLAN, length: datagram, checksum: 0 }, view, frame + OUTER_UDP);
  vxlan.encodeMark(tag, 1, view, frame + VXLAN);
  const vtep = 0xeeee * 2 ** 32;
  const inner = { destination: vtep + to.lease, source: vtep + from.lease, type: ETHER_TYPE.IPV4 };
  ethernet.encode(inner, view, frame + INNER);
  writeIpv4(view, frame + INNER_IP, length - INNER_IP, protocol, source, destination, id);
  writeTransport(view, frame + INNER_TRANSPORT, frame + length, packet, index);
}

function fileHeader(): Uint8Array {
  const header = new Uint8Array(24);
  const fields = new DataView(header.buffer);
  fields.setUint32(0, 0xa1b2c3d4, true);
  fields.setUint16(4, 2, true);
  fields.setUint16(6, 4, true);
  fields.setUint32(16, 262_144, true);
  fields.setUint32(20, 1, true);
  return header;
}

/** Write `frames` frames of `length` octets as classic pcap (microseconds, little-endian); `next` gives each its packet. */
export function writeCapture(path: string, frames: number, length: number, next: () => Packet): void {
  const recordLength = RECORD_HEADER + length;
  const octets = new Uint8Array(BATCH * recordLength);
  const view = new DataView(octets.buffer);
  const file = openSync(path, 'w');
  writeSync(file, fileHeader());
  for (let index = 0; index < frames; index += BATCH) {
    const count = Math.min(BATCH, frames - index);
    octets.fill(0);
    for (let i = 0; i < count; i++) writeRecord(view, i * recordLength, next(), index + i, length);
    writeSync(file, octets.subarray(0, count * recordLength));
  }
  closeSync(file);
}
