/**
 * `replay --tcp-windows`: a segment of the answer that lies far beyond the window that the client offered. The overlay lets answers
 * through because they are ESTABLISHED; what is INVALID meets the reject at the end of the container's chain.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Ends, ethernet, FLAG, ipv4, type Segment, silkMac, tcp, udp, vxlan } from '../dataplane/packets.ts';
import { pcapOf } from '../support/pcap.ts';
import { FOUNDATION, inDirectory, tagplane } from './command.ts';

const test = suite('cli/tcp-windows');

const FRONTEND = { address: '10.255.1.4', port: 40_000, vtep: '10.255.1.0', cell: '10.0.0.101', tag: 1 };
const BACKEND = { address: '10.255.2.7', port: 8080, vtep: '10.255.2.0', cell: '10.0.0.102', tag: 0x1f };
type Side = typeof FRONTEND;

/** `segment` in the tunnel from one side's cell to the other's. */
function frame(from: Side, to: Side, segment: Segment): string {
  const ends: Ends = { source: from.address, destination: to.address };
  const outer: Ends = { source: from.cell, destination: to.cell };
  const inner = ethernet(
    silkMac('ee', to.vtep),
    silkMac('ee', from.vtep),
    0x0800,
    ipv4(ends, 6, tcp(ends, from.port, to.port, segment)),
  );
  const packet = ipv4(outer, 17, udp(outer, 50_000, 4789, vxlan(inner, { groupId: from.tag })));
  return Buffer.from(ethernet('02:00:00:00:00:02', '02:00:00:00:00:01', 0x0800, packet)).toString('hex');
}

const answer = (sequence: number): string =>
  frame(BACKEND, FRONTEND, { flags: FLAG.ACK | FLAG.PSH, sequence, acknowledgement: 1001, payload: [1, 2, 3] });

const FRAMES = [
  frame(FRONTEND, BACKEND, { flags: FLAG.SYN, sequence: 1000 }),
  frame(BACKEND, FRONTEND, { flags: FLAG.SYN | FLAG.ACK, sequence: 5000, acknowledgement: 1001 }),
  frame(FRONTEND, BACKEND, { flags: FLAG.ACK, sequence: 1001, acknowledgement: 5001 }),
  answer(5001),
  // The client offered 64,240 octets.
  answer(5004 + 1_000_000),
  answer(5004),
];

/** The verdict of each frame. */
const verdictsOf = (words: readonly string[]): Promise<string[]> =>
  inDirectory(async (directory) => {
    const file = join(directory, 'answers.pcap');
    writeFileSync(file, pcapOf(FRAMES));
    const { code, stdout, stderr } = await tagplane([
      ...['replay', file, '--foundation', FOUNDATION, '--ndjson', ...words],
    ]);
    assert.is(code, 0, stderr);
    const [, ...lines] = stdout.trimEnd().split('\n');
    return lines.map((line) => (JSON.parse(line) as { verdict: string }).verdict);
  });

test('without it, a segment far beyond the window belongs to its connection', async () => {
  assert.equal(await verdictsOf([]), ['deliver', 'deliver', 'deliver', 'deliver', 'deliver', 'deliver']);
});

test('with it, the segment is INVALID, and the one that fits is not', async () => {
  const expected = ['deliver', 'deliver', 'deliver', 'deliver', 'reject', 'deliver'];
  assert.equal(await verdictsOf(['--tcp-windows']), expected);
});

test.run();
