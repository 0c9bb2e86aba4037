/** What every benchmark needs: traces on disk, the yardstick, processes timed by the operating system, medians. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { foundationOf, type Shape, writeTrace } from './trace.ts';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** Traces and what is compiled. */
export const FOLDER = join(tmpdir(), 'tagplane-bench');

export interface Trace {
  readonly capture: string;
  readonly foundation: string;
}

/** The trace of `shape`, written now if it is not there yet. */
export function traceOf(shape: Shape): Trace {
  mkdirSync(FOLDER, { recursive: true });
  const { frames, flows, policies, hitRate, seed, containers, payload, logging } = shape;
  const more = [containers && `c${containers}`, payload && `p${payload}`, logging && 'logging'].filter(Boolean);
  const name = join(FOLDER, [frames, flows, policies, hitRate, seed, ...more].join('-'));
  const trace = { capture: `${name}.pcap`, foundation: `${name}.json` };
  if (!existsSync(trace.capture)) {
    writeTrace(shape, `${trace.capture}.partial`);
    writeFileSync(trace.foundation, JSON.stringify(foundationOf(shape)));
    renameSync(`${trace.capture}.partial`, trace.capture);
  }
  return trace;
}

/** `bench/NAME.c` with its libraries, compiled; or why it is not. */
export function compiled(name: string, libraries: readonly string[] = []): { program: string } | { missing: string } {
  mkdirSync(FOLDER, { recursive: true });
  const program = join(FOLDER, name);
  const source = join(ROOT, 'bench', `${name}.c`);
  const built = spawnSync('cc', ['-O3', '-march=native', '-o', program, source, ...libraries], { encoding: 'utf8' });
  if (built.error !== undefined) return { missing: 'no C compiler (cc)' };
  return built.status === 0 ? { program } : { missing: `cc: ${built.stderr.split('\n')[0]}` };
}

export const yardstick = (): ReturnType<typeof compiled> => compiled('yardstick', ['-lpcap']);

/** CPU nanoseconds per packet that the yardstick takes for a capture. */
export function measureYardstick(program: string, capture: string): number {
  const ran = spawnSync(program, [capture], { encoding: 'utf8' });
  const [packets, , seconds] = ran.stdout.trim().split(' ').map(Number);
  return (seconds! * 1e9) / packets!;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Rounds that every question takes; TAGPLANE_BENCH_ROUNDS says otherwise. */
export const rounds = (): number => Number(process.env.TAGPLANE_BENCH_ROUNDS ?? '5');

/** Frames of a trace; TAGPLANE_BENCH_FRAMES says otherwise, to try the benchmarks out. */
export const frames = (): number => Number(process.env.TAGPLANE_BENCH_FRAMES ?? '1000000');

/** One line of JSON on standard output. */
export const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
