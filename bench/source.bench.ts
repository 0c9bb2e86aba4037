/**
 * What does the way to the octets cost? The whole cell on the same packets: in memory, and from a file as pcap, pcapng, and both compressed; and against the
 * octets of one read. What decompresses beside the packet loop, on other threads, is not in the figures, which are of the replaying thread.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { create } from '../src/capture/burst.ts';
import { openSink, openSource } from '../src/capture/file.ts';
import { open } from '../src/capture/reader.ts';
import { pcapngWriter } from '../src/capture/writer.ts';
import { frames, traceOf } from './harness.ts';
import { ask, type Case } from './question.ts';

const trace = traceOf({ seed: 42, frames: frames(), flows: 10_000, policies: 10_000, hitRate: 0.8 });

/** `path`, made by `make` under another name first if it is not there. */
async function made(path: string, make: (partial: string) => unknown): Promise<string> {
  if (existsSync(path)) return path;
  await make(`${path}.partial`);
  renameSync(`${path}.partial`, path);
  return path;
}

async function writePcapng(path: string): Promise<void> {
  const reader = await open(await openSource(trace.capture));
  const burst = create();
  reader.fill(burst);
  const writer = pcapngWriter(openSink(path, { inputs: [] }), { epochNanoseconds: reader.epochNanoseconds });
  const one = writer.addInterface({ name: 'eth0', linkType: 1, snapLength: 262_144 });
  do {
    do {
      const { view, octets, at, end, originalLength, time, count } = burst;
      for (let i = 0; i < count; i++)
        writer.packet(view, octets, at[i]!, end[i]!, originalLength[i]!, time[i]!, one, null);
      await writer.drain();
    } while (reader.fill(burst) > 0);
  } while (await reader.refill());
  await writer.finish();
  await reader.close();
}

const caseOf = (source: string, capture: string, chunk: string): Case => ({
  fields: { source, chunk, connections: 10_000, policies: 10_000 },
  trace,
  program: 'replay-once.js',
  words: [capture, trace.foundation, 'cell-1', '7', 'verdicts', chunk],
});

const MEBIBYTE = String(1 << 20);
const pcapng = await made(`${trace.capture}ng`, writePcapng);
const gzip = await made(`${trace.capture}.gz`, (path) => writeFileSync(path, gzipSync(readFileSync(trace.capture))));
const cases = [
  caseOf('pcap', trace.capture, 'memory'),
  ...[16, 18, 20, 22].map((bits) => caseOf('pcap', trace.capture, String(2 ** bits))),
  caseOf('pcapng', pcapng, MEBIBYTE),
  caseOf('pcap, gzip', gzip, MEBIBYTE),
];
const zstd = `${trace.capture}.zst`;
if (existsSync(zstd) || spawnSync('zstd', ['-q', '-3', '-o', zstd, trace.capture]).status === 0)
  cases.push(caseOf('pcap, zstd', zstd, MEBIBYTE));
else console.error('SKIP zstd: the program zstd is not there');
ask('source', cases);
