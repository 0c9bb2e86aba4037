/**
 * A host port of a real cell: frames from its underlay interface become those that its container saw, and back. Client and
 * container left their checksums to the network card; that of the cell's underlay interface completed them.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRuleset } from '../../../src/rules/parse.ts';
import { createNatCell } from '../../conformance/nat-cell.ts';
import { shared, sharedTest } from '../../support/shared.ts';
import { checksum } from '../packets.ts';

const test = suite('dataplane/nat/tap');

const PCAP_HEADER = 24;
const RECORD_HEADER = 16;
const ETHERNET_HEADER = 14;

/** IPv4 packets of a pcap file of Ethernet frames, in its order, with their times. */
function packetsOf(name: string): { seconds: number; octets: Uint8Array }[] {
  const file = readFileSync(shared('lab', 'taps', name));
  const list: { seconds: number; octets: Uint8Array }[] = [];
  for (let at = PCAP_HEADER; at < file.length; ) {
    const length = file.readUInt32LE(at + 8);
    const frame = at + RECORD_HEADER;
    const fraction = file.readUInt32LE(0) === 0xa1b23c4d ? 1e9 : 1e6;
    const seconds = file.readUInt32LE(at) + file.readUInt32LE(at + 4) / fraction;
    if (file.readUInt16BE(frame + 12) === 0x0800)
      list.push({ seconds, octets: Uint8Array.from(file.subarray(frame + ETHERNET_HEADER, frame + length)) });
    at = frame + length;
  }
  return list;
}

/** A packet one hop further on: TTL and header checksum follow from the rest. */
const hopless = (octets: Uint8Array): string => {
  const copy = Buffer.from(octets);
  copy[8] = 0;
  copy.writeUInt16BE(0, 10);
  return copy.toString('hex');
};

/** What a network card makes of a segment whose checksum field holds the sum of the pseudo-header: all of it is summed. */
function completed(octets: Uint8Array): Uint8Array {
  const sum = checksum(octets.slice(20));
  const copy = Uint8Array.from(octets);
  copy[36] = sum >>> 8;
  copy[37] = sum & 0xff;
  return copy;
}

sharedTest(test, 'lab/taps', 'dnat: each frame outside is one inside', () => {
  const outside = packetsOf('dnat.0.cellB.eth0.pcap');
  const inside = packetsOf('dnat.1.cB1.eth0.pcap').map(({ octets }) => hopless(octets));
  const rules =
    '*nat\n-A PREROUTING -d 10.0.0.102 -p tcp --dport 61000 -j DNAT --to-destination 10.255.2.7:61001\nCOMMIT\n';
  const { ruleset } = parseRuleset(rules, { file: 'rules', unknownMatches: 'error' });
  let now = 0;
  const cell = createNatCell(ruleset, 'nft', { offset: () => 0 }, () => now);
  assert.is(outside.length, 10);
  assert.is(inside.length, 10);
  for (const { seconds, octets } of outside) {
    now = seconds * 1e9;
    const isAnswer = Buffer.from(octets).readUInt16BE(20) === 61000;
    if (!isAnswer) {
      const [left] = cell.send('eth0', octets, true, null);
      assert.ok(inside.includes(hopless(left!.octets)), hopless(left!.octets));
      continue;
    }
    // The answer as the container sent it is the one that becomes this frame.
    const sent = inside.find((hex) => {
      const packet = Buffer.from(hex, 'hex');
      return packet.readUInt16BE(4) === Buffer.from(octets).readUInt16BE(4) && packet.readUInt16BE(20) === 61001;
    });
    const packet = Buffer.from(sent!, 'hex');
    packet[8] = octets[8]! + 1;
    const [left] = cell.send('silk-vtep', packet, true, null);
    assert.is(hopless(completed(left!.octets)), hopless(octets));
  }
});

test.run();
