/**
 * Is memory flat in the length of the capture? The same traffic is replayed from a file of a fifth of the size and from
 * the whole one (5 GB unless TAGPLANE_BENCH_GB says otherwise), each in a process of its own; the largest resident sizes
 * stand side by side. The files are removed afterwards.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { frameLength, RECORD_HEADER } from './frame.ts';
import { ROOT, tell, traceOf } from './harness.ts';
import { PAYLOAD } from './trace.ts';

const gigabytes = Number(process.env.TAGPLANE_BENCH_GB ?? '5');

for (const share of [0.2, 1]) {
  const frames = Math.ceil((gigabytes * share * 1e9) / (frameLength(PAYLOAD) + RECORD_HEADER));
  const trace = traceOf({ seed: 42, frames, flows: 100_000, policies: 10_000, hitRate: 0.8 });
  const program = join(ROOT, 'dist', 'bench', 'replay-once.js');
  const ran = spawnSync(process.execPath, [program, trace.capture, trace.foundation, 'cell-1'], { encoding: 'utf8' });
  rmSync(trace.capture);
  if (ran.status !== 0) throw new Error(ran.stderr);
  const { residentKilobytes, verdicts } = JSON.parse(ran.stdout) as { residentKilobytes: number; verdicts: object };
  tell({
    bench: 'memory',
    gigabytes: gigabytes * share,
    frames,
    residentMegabytes: Math.round(residentKilobytes / 1024),
    verdicts,
  });
}
