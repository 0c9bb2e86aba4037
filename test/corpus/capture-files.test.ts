/**
 * Every capture of the shared folder, packet by packet, against tshark.
 *
 * A tshark process costs a fifth of a second before it reads anything, so the files that it reads without complaint are
 * first joined by mergecap (the same reader, no dissectors), a few hundred at a time, each interface kept apart, and
 * capinfos says how many packets belong to each. Files that are damaged or odd are given to tshark one by one.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/capture/burst.ts';
import { CaptureError } from '../../src/capture/error.ts';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import { epochText, type Frames, HAS_TSHARK, tsharkFields } from '../capture/tshark.ts';
import { shared, sharedTest, skip } from '../support/shared.ts';

const test = suite('corpus/capture-files');
const FOLDER = mkdtempSync(join(tmpdir(), 'tagplane-corpus-'));
test.after(() => rmSync(FOLDER, { recursive: true }));

const FIELDS = ['cap_len', 'len', 'time_epoch', 'interface_id', 'encap_type'].map((name) => `frame.${name}`);
const BATCH = 250;
const PARALLEL = 2;

/** LINKTYPE_ value to the number of Wireshark's encapsulation (wiretap/wtap.h), for those that the corpus has. */
const ENCAPSULATIONS: ReadonlyMap<number, number> = new Map(
  '0=15 1=1 6=2 9=4 12=7 50=4 100=10 101=7 104=28 105=20 107=26 113=25 127=23 140=42 149=47 177=88 197=98 199=103 220=115 226=124 227=125 228=129 229=130 239=141 242=180 276=210'
    .split(' ')
    .map((pair) => pair.split('=').map(Number) as [number, number]),
);

/** Link types whose pseudo-header tshark takes off (wiretap/pcap-common.c): Linux LAPD and ERF, 16 octets each. */
const PSEUDO_HEADER: Readonly<Record<number, number>> = { 177: 16, 197: 16 };

/** tshark takes time and interface of these packets from the pseudo-header. */
const ERF = 197;

/** Files that tshark and we read differently on purpose; docs/capture.md has the reasons. */
const OTHER_FORMAT = /\.trc$|Mixed1\.cap$|tesz\.cap$|\.erf$|solaris\.snoop$/;
const VERSION = /pcap-invalid-version-2\.pcap$/;
const OLD_VARIANT = /bug-6875-01\/fuzz\.pcap$/;

interface Packet {
  readonly captured: number;
  readonly original: number;
  readonly time: bigint | null;
  readonly linkType: number;
  readonly index: number;
  readonly id: number;
}

interface Ours {
  readonly packets: Packet[];
  readonly error: CaptureError | null;
}

/** 2^53 nanoseconds and less are exact; beyond, `burst.time` is off by at most a unit in its last place or two. */
function checkTime(time: number, exact: bigint): void {
  const allowed = Math.abs(time) <= Number.MAX_SAFE_INTEGER ? 0 : Math.abs(time) * 2 ** -51;
  assert.ok(Math.abs(Number(exact - BigInt(time))) <= allowed, `${time} for ${exact}`);
}

async function readOurs(file: string): Promise<Ours> {
  const burst = create();
  const packets: Packet[] = [];
  try {
    const reader = await open(await openSource(file));
    do {
      while (reader.fill(burst) > 0) {
        for (let row = 0; row < burst.count; row++) {
          const index = burst.interfaceIndex[row]!;
          const time = reader.timestamp(burst, row);
          if (time !== null) checkTime(burst.time[row]!, time - reader.epochNanoseconds);
          assert.is(burst.packet[row], packets.length + 1);
          packets.push({
            captured: burst.end[row]! - burst.at[row]!,
            original: burst.originalLength[row]!,
            time,
            linkType: burst.linkType[row]!,
            index,
            id: reader.interfaces[index]!.id,
          });
        }
      }
    } while (await reader.refill());
    await reader.close();
  } catch (error) {
    if (error instanceof CaptureError) return { packets, error };
    throw error;
  }
  return { packets, error: null };
}

/** Where a packet differs from a row of tshark's, or null. `interfaceBase` is what the interface ids of the row begin at. */
function difference(packet: Packet, row: readonly string[], interfaceBase: number | null): string | null {
  const [captured, original, time, interfaceId, encapsulation] = row as [string, string, string, string, string];
  const removed = PSEUDO_HEADER[packet.linkType] ?? 0;
  if (Number(captured) !== packet.captured - removed) return `captured ${packet.captured}, tshark ${captured}`;
  // tshark keeps the length on the wire in 31 bits.
  const wire = Math.min(packet.original - removed, 0x7fffffff);
  if (Number(original) !== wire) return `original ${packet.original}, tshark ${original}`;
  // A fraction of a second or more is printed as it is by tshark, and overflows; we carry it over.
  const elsewhere = packet.linkType === ERF;
  const overflown = /^-|\.\d{10}|\.-/.test(time);
  if (!elsewhere && !overflown && time !== (packet.time === null ? '' : epochText(packet.time)))
    return `time ${packet.time}, tshark ${time}`;
  if (ENCAPSULATIONS.get(packet.linkType) !== Number(encapsulation))
    return `link type ${packet.linkType}, tshark ${encapsulation}`;
  const id = interfaceBase === null ? packet.id : interfaceBase + packet.index;
  return interfaceId === '' || elsewhere || Number(interfaceId) === id
    ? null
    : `interface ${id}, tshark ${interfaceId}`;
}

function firstDifference(ours: readonly Packet[], rows: readonly string[][], merged: boolean): string | null {
  if (ours.length !== rows.length) return `${ours.length} packets, tshark ${rows.length}`;
  const base = merged && rows.length > 0 ? Number(rows[0]![3]) - ours[0]!.index : null;
  for (const [at, row] of rows.entries()) {
    const found = difference(ours[at]!, row, base);
    if (found !== null) return `packet ${at + 1}: ${found}`;
  }
  return null;
}

/** A file that tshark was asked about alone: whole, cut at the same packet, or different for a reason that is written down. */
function judgeAlone(file: string, ours: Ours, frames: Frames): string | null {
  if (OTHER_FORMAT.test(file)) return ours.error?.code === 'capture.format' ? null : 'should be of a format we refuse';
  if (VERSION.test(file)) return ours.error?.code === 'capture.version' ? null : 'should be of a version we refuse';
  if (OLD_VARIANT.test(file)) return ours.error?.code === 'capture.corrupt' ? null : 'should be damaged';
  if (/network type \d+ unknown/.test(frames.message)) return ours.error === null ? null : ours.error.message;
  if ((ours.error !== null) !== (frames.exitCode !== 0)) {
    return `ours: ${ours.error?.message ?? 'whole'}, tshark: ${frames.exitCode} ${frames.message}`;
  }
  const short = frames.message.includes('cut short');
  if (ours.error !== null && (ours.error.code === 'capture.truncated') !== short)
    return `${ours.error.code}: ${frames.message}`;
  // Records without an encapsulation are custom blocks and journal entries: no packets.
  return firstDifference(
    ours.packets,
    frames.rows.filter((row) => (row[4] ?? '') !== ''),
    false,
  );
}

const run = (program: string, parameters: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(program, parameters, { maxBuffer: 1 << 28, encoding: 'utf8' }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(new Error(`${program} failed`, { cause: error })),
    );
  });

/** Packets of each file as capinfos counts them. */
async function counts(files: readonly string[]): Promise<number[]> {
  const table = await run('capinfos', ['-T', '-r', '-c', '-M', ...files]);
  return table
    .trim()
    .split('\n')
    .map((line) => Number(line.split('\t').at(-1)));
}

async function judgeBatch(files: readonly string[], number: number): Promise<string[]> {
  const merged = join(FOLDER, `batch-${number}.pcapng`);
  await run('mergecap', ['-a', '-I', 'none', '-F', 'pcapng', '-w', merged, ...files]);
  const { rows, exitCode } = await tsharkFields(merged, FIELDS);
  assert.is(exitCode, 0);
  rmSync(merged);
  const wrong: string[] = [];
  let next = 0;
  for (const [at, count] of (await counts(files)).entries()) {
    const file = files[at]!;
    const ours = await readOurs(file);
    const found = ours.error?.message ?? firstDifference(ours.packets, rows.slice(next, next + count), true);
    if (found !== null) wrong.push(`${file}: ${found}`);
    next += count;
  }
  assert.is(next, rows.length, 'capinfos and tshark count the same');
  return wrong;
}

/** Run `tasks` with two at a time. */
async function inParallel(tasks: readonly (() => Promise<string[]>)[]): Promise<string[]> {
  const waiting = [...tasks];
  const wrong: string[] = [];
  const worker = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) wrong.push(...(await task()));
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return wrong;
}

interface Listed {
  readonly file: string;
  /** tshark has to be asked alone: it complained, or mergecap would change what is in the file. */
  readonly alone: boolean;
}

function listed(): Listed[] {
  const [head, ...lines] = readFileSync(shared('captures', 'INDEX.tsv'), 'utf8').trimEnd().split('\n');
  const columns = head!.split('\t');
  return lines.map((line) => {
    const values = line.split('\t');
    const value = (name: string): string => values[columns.indexOf(name)]!;
    const path = value('path');
    // Several sections, custom blocks and fuzzed lengths do not survive mergecap.
    const odd =
      /pcapng-test-generator|non-overlap|pcapng-example|fuzz-|\/fuzz\.|crash-/.test(path) ||
      /LINKTYPE_(?:177|197)/.test(value('link_type'));
    const plain = value('tshark_rc') === '0' && /^pcap(?:-ns|-mod|ng)?$/.test(value('format'));
    return { file: shared('captures', path), alone: !plain || odd || VERSION.test(path) };
  });
}

if (!HAS_TSHARK) skip(test, 'the captures of the shared folder', 'tshark is not on this machine');
else {
  sharedTest(test, 'captures/INDEX.tsv', 'every file, packet by packet, as tshark reads it', async () => {
    const files = listed();
    const together = files.filter((one) => !one.alone).map((one) => one.file);
    const tasks: (() => Promise<string[]>)[] = [];
    for (let at = 0; at < together.length; at += BATCH) {
      tasks.push(() => judgeBatch(together.slice(at, at + BATCH), at / BATCH));
    }
    for (const { file } of files.filter((one) => one.alone)) {
      tasks.push(async () => {
        const found = judgeAlone(file, await readOurs(file), await tsharkFields(file, FIELDS));
        return found === null ? [] : [`${file}: ${found}`];
      });
    }
    assert.ok(files.length >= 1900 && tasks.length < 250, `${files.length} files, ${tasks.length} runs`);
    assert.equal(await inParallel(tasks), []);
  });
}

test.run();
