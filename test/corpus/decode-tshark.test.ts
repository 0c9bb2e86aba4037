/**
 * `decode` beside tshark over every capture of the shared corpus: the same packets of the same files, the same headers,
 * the same value of every field, or a named exception with its reason.
 *
 * Whole pcap files are joined two hundred at a time, for tshark takes longer to start than to read one. pcapng files are
 * read one by one: mergecap refuses some of them and drops blocks of others.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as bursts from '../../src/capture/burst.ts';
import { CaptureError } from '../../src/capture/error.ts';
import { openSource } from '../../src/capture/file.ts';
import { type CaptureReader, open } from '../../src/capture/reader.ts';
import type { DecodedPacket } from '../../src/cli/decode/model.ts';
import { NO_NAMES } from '../../src/cli/decode/names.ts';
import { decodePacket } from '../../src/cli/decode/packet.ts';
import { PORT } from '../../src/wire/protocol.ts';
import { shared, sharedTest, skip } from '../support/shared.ts';
import { type Counted, configure, countPackets, hasTshark, merge, readFields } from '../support/tshark.ts';
import { compare, type Difference, type Tally } from './decode-tshark-compare.ts';
import { EXCEPTIONS, FILE_EXCEPTIONS, fileExceptionOf } from './decode-tshark-exceptions.ts';
import { FIELDS, takeApart } from './decode-tshark-table.ts';

const test = suite('corpus/decode-tshark');
const ROOT = shared('captures');
const WORKERS = 2;
const BATCH = 200;
/** Differences printed before the test stops listing them. */
const LISTED = 40;

interface Sums extends Tally {
  files: number;
  frames: number;
  excused: number;
  readonly met: Set<string>;
  readonly unexplained: Difference[];
}

/** Decode all packets of a file. Gives the error that ended it, or null. */
async function decodeFile(
  file: string,
  each: (packet: DecodedPacket, sinceFirst: number) => void,
): Promise<CaptureError | null> {
  let reader: CaptureReader | null = null;
  try {
    reader = await open(await openSource(join(ROOT, file)));
    const burst = bursts.create();
    do {
      while (reader.fill(burst) > 0) {
        const { epochNanoseconds, interfaces } = reader;
        for (let row = 0; row < burst.count; row++) {
          const { unitsPerSecond } = interfaces[burst.interfaceIndex[row]!]!;
          const origin = { file, epochNanoseconds, unitsPerSecond, vxlanPort: PORT.VXLAN, names: NO_NAMES };
          each(decodePacket(burst, row, origin), burst.time[row]!);
        }
      }
    } while (await reader.refill());
    return null;
  } catch (error) {
    if (error instanceof CaptureError) return error;
    throw error;
  } finally {
    await reader?.close();
  }
}

/** All captures; the corpus' own tables and notes are none. */
const listFiles = (): string[] =>
  readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.(?:tsv|txt)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();

const isCapture = (counted: Counted | undefined): boolean => /pcap/.test(counted?.format ?? '');

/** Groups of files for one tshark each, the large ones first so that the workers end together. */
function batchesOf(files: readonly string[], counts: ReadonlyMap<string, Counted>): string[][] {
  const alone = files.filter((file) => counts.get(file)!.format === 'pcapng').map((file) => [file]);
  const joined = files.filter((file) => counts.get(file)!.format !== 'pcapng');
  const batches: string[][] = [];
  for (let at = 0; at < joined.length; at += BATCH) batches.push(joined.slice(at, at + BATCH));
  return [...batches, ...alone];
}

/** What tshark has of the packets of all files of a batch, in their order. */
async function tsharkRows(batch: readonly string[], folder: string, name: string): Promise<string[][]> {
  const merged = join(folder, `${name}.pcapng`);
  if (batch.length > 1) merge(ROOT, batch, merged);
  const rows: string[][] = [];
  await readFields(
    batch.length > 1 ? merged : join(ROOT, batch[0]!),
    FIELDS,
    join(folder, 'configuration'),
    (values) => {
      // Blocks without a packet, which tshark numbers as frames, have no link type.
      if (values[0] !== '') rows.push([...values]);
    },
  );
  return rows;
}

function judge(our: DecodedPacket, values: readonly string[], sinceFirst: number, sums: Sums): void {
  sums.frames++;
  for (const difference of compare(our, takeApart(values), sinceFirst, sums)) {
    const exception = EXCEPTIONS.find(({ explains }) => explains(difference));
    if (exception === undefined) sums.unexplained.push(difference);
    else {
      sums.met.add(exception.name);
      sums.excused++;
    }
  }
}

/** Whether the two programs read `file` in different ways on purpose; what ours makes of it is checked. */
function isExcused(file: string, error: CaptureError | null, sums: Sums): boolean {
  const exception = fileExceptionOf(file);
  if (exception === undefined) return false;
  sums.met.add(exception.name);
  assert.is(error?.code ?? 'whole', exception.outcome, file);
  return true;
}

async function compareBatch(
  batch: readonly string[],
  rows: readonly string[][],
  counts: ReadonlyMap<string, Counted>,
  sums: Sums,
): Promise<void> {
  let first = 0;
  for (const file of batch) {
    const { packets } = counts.get(file)!;
    let next = first;
    const error = await decodeFile(file, (our, sinceFirst) => {
      if (next < first + packets) judge(our, rows[next]!, sinceFirst, sums);
      next++;
    });
    sums.files++;
    first += packets;
    if (isExcused(file, error, sums)) continue;
    assert.is(error?.message ?? `${next - first + packets} packets`, `${packets} packets`, file);
  }
  assert.is(rows.length, first, `tshark rows of ${batch[0]}`);
}

const describe = ({ file, packet, at, header, field, ours, theirs, their, stack }: Difference): string =>
  `${file} packet ${packet}: ${at} ${header} ${field}: ours ${ours || 'nothing'}, tshark ${theirs || 'nothing'} (${their.protocols}${stack.fault === null ? '' : `, ${stack.fault.name}`})`;

async function compareWhole(
  folder: string,
  files: readonly string[],
  counts: ReadonlyMap<string, Counted>,
): Promise<void> {
  const sums: Sums = { files: 0, frames: 0, fields: 0, headers: 0, excused: 0, met: new Set(), unexplained: [] };
  const waiting = batchesOf(files, counts);
  const worker = async (_: unknown, index: number): Promise<void> => {
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
      await compareBatch(batch, await tsharkRows(batch, folder, `batch${index}`), counts, sums);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
  await compareDamaged(folder, counts, sums);
  console.log(
    `\nNOTE decode beside tshark: ${sums.files} files, ${sums.frames} frames, ${sums.headers} headers, ${sums.fields} fields; ${sums.excused} differences under ${sums.met.size} named exceptions`,
  );
  const listed = sums.unexplained.slice(0, LISTED).map(describe).join('\n');
  assert.is(sums.unexplained.length, 0, `${sums.unexplained.length} unexplained differences\n${listed}`);
  const stale = [...EXCEPTIONS, ...FILE_EXCEPTIONS].filter(({ name }) => !sums.met.has(name));
  assert.equal(
    stale.map(({ name }) => name),
    [],
    'exceptions that no packet needed',
  );
}

/** What Wireshark refuses or cuts short, `decode` refuses or cuts at the same packet. */
async function compareDamaged(folder: string, counts: ReadonlyMap<string, Counted>, sums: Sums): Promise<void> {
  for (const file of listFiles().filter((name) => !isCapture(counts.get(name)))) {
    const isAlike = !counts.has(file) && fileExceptionOf(file) === undefined;
    const rows = isAlike ? await tsharkRows([file], folder, '') : [];
    const decoded: DecodedPacket[] = [];
    const error = await decodeFile(file, (packet, sinceFirst) => {
      const values = rows[decoded.length];
      decoded.push(packet);
      if (values !== undefined) judge(packet, values, sinceFirst, sums);
    });
    sums.files++;
    if (isExcused(file, error, sums)) continue;
    assert.ok(error !== null, `${file} is refused by tshark`);
    // A format that only Wireshark reads.
    if (counts.has(file)) assert.is(error.code, 'capture.format', file);
    assert.is(decoded.length, rows.length, `${file}: packets before the damage`);
  }
}

const NAME = 'every field of every frame of the corpus is what tshark says, or a named exception';

if (hasTshark()) {
  sharedTest(test, 'captures', NAME, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tagplane-decode-'));
    try {
      configure(join(folder, 'configuration'));
      const files = listFiles();
      const counts = countPackets(ROOT, files);
      const whole = files.filter((file) => isCapture(counts.get(file)));
      assert.ok(whole.length > 1900, `only ${whole.length} whole captures`);
      await compareWhole(folder, whole, counts);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
} else skip(test, NAME, 'tshark, capinfos or mergecap is not installed');

test.run();
