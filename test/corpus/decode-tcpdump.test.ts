/**
 * The line of `decode` beside that of tcpdump: over Ethernet captures of the corpus, what tcpdump prints of a TCP segment or
 * an ICMP message begins with what `decode` prints. tcpdump goes on where it knows the payload.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DecodedPacket } from '../../src/cli/decode/model.ts';
import { document, lines } from '../cli/decode-support.ts';
import { shared, sharedTest, skip } from '../support/shared.ts';

const test = suite('corpus/decode-tcpdump');
const FOLDERS = ['ntop+nDPI', 'CESNET+FlowTest', 'zeek+zeek', 'linux-kernel-6.18-flows'];
/** Larger captures hold more of the same. */
const LARGEST = 300_000;
/** Echo, unreachable, redirect, time exceeded: tcpdump writes out the others further than we do. */
const ICMP_TYPES = [0, 3, 5, 8, 11];

const listed = (folder: string): string[] =>
  readdirSync(shared('captures', folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.pcap') && !entry.name.startsWith('fuzz'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size < LARGEST)
    .sort();

type Packet = Omit<DecodedPacket, 'timestampDigits'>;

/** Whole packets with nothing that the two print in different places, and no TCP option that only tcpdump knows. */
function isPlain({ outer, vxlan, linkType, capturedLength, originalLength }: Packet): boolean {
  const { fault, vlans, ip4, fragment, tcp, icmp } = outer;
  const isFragment = fragment !== null || ip4?.moreFragments === true || (ip4?.fragmentOffset ?? 0) > 0;
  if (linkType !== 1 || capturedLength < originalLength || vxlan !== null || fault !== null) return false;
  if (vlans.length > 0 || isFragment || ip4 === null || ip4.totalLength === 0) return false;
  return icmp === null
    ? tcp !== null && !tcp.options.some((option) => /^(?:\[bad|unknown)/.test(option))
    : ICMP_TYPES.includes(icmp.type);
}

/** Without what tcpdump keeps for -v: wrong checksums, and the packet that an ICMP error quotes. Times get nine figures. */
const withoutNotes = (line: string): string =>
  line
    .replace(/^(.{19}\.\d{6}) /, '$1000 ')
    .replace(/ \[bad \w+ checksum 0x\w+\]/g, '')
    .replace(/ \(about .*\)$/, '');

async function compareFile(path: string): Promise<number> {
  const args = ['-tttt', '-n', '-S', '-K', '--time-stamp-precision=nano', '-r', path];
  const run = spawnSync('tcpdump', args, { env: { ...process.env, TZ: 'UTC' }, encoding: 'utf8', maxBuffer: 1 << 26 });
  const theirs = run.stdout.split('\n').filter((line) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ /.test(line));
  if (run.status !== 0) return 0;
  const ours = await lines([path]);
  assert.is(ours.length, theirs.length, path);
  let compared = 0;
  for (const [index, packet] of (await document([path])).packets.entries()) {
    if (!isPlain(packet)) continue;
    const line = withoutNotes(ours[index]!);
    assert.is(theirs[index]!.slice(0, line.length), line, `${path} packet ${packet.packet}`);
    compared++;
  }
  return compared;
}

const NAME = 'tcpdump prints of a packet what decode prints, and more where it knows the payload';

if (spawnSync('tcpdump', ['--version']).status === 0) {
  sharedTest(test, 'captures', NAME, async () => {
    let compared = 0;
    for (const path of FOLDERS.flatMap(listed)) compared += await compareFile(path);
    assert.ok(compared > 10_000, `only ${compared} lines compared`);
    console.log(`\nNOTE decode prints what tcpdump prints: ${compared} lines`);
  });
} else skip(test, NAME, 'tcpdump is not installed');

test.run();
