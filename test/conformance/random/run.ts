/**
 * Random foundations and frames on the running kernel and on tagplane, as long as asked:
 *
 *   node dist/test/conformance/random/run.js [--seed S] [--packets N] [--minutes N] [--frames N]
 *                                            [--backend nft|legacy] [--no-shrink]
 *
 * `npm run conformance -- OPTIONS` runs the other conformance tests first.
 *
 * A case of `--frames` frames per seed, alternating between iptables-nft and iptables-legacy, until `--packets` frames were
 * sent or `--minutes` have passed. A mismatch prints what is needed to see it again, is shrunk to few frames, and written to
 * test/conformance/regressions/, where a test replays it from then on. Ends with 1 when something differs.
 *
 * Limits and timers of the kernel go by its own clock, and another program may hold it up for a moment: a case that differs in them is
 * played once more, and is told but does not count when nothing differs then. More than a tenth of such cases count.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../../support/shared.ts';
import { labObstacle } from '../lab.ts';
import { TIMERS } from './compare-taps.ts';
import { drawCase } from './draw-case.ts';
import { FREQUENT_EXCEPTIONS, STALE_AFTER } from './exceptions.ts';
import { count, kindOf, type Mismatch } from './mismatch.ts';
import { countsText, mismatchText } from './report.ts';
import { shrink } from './shrink.ts';
import type { Case } from './step.ts';
import { isPlayable, type Trial, tryCase } from './trial.ts';

const BACKENDS = ['nft', 'legacy'] as const;
const SHRINK_TRIALS = 60;
/** Kinds of mismatches that are shrunk in one run; the others are printed. */
const MOST_SHRUNK = 3;
const MOST_PRINTED = 20;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    packets: { type: 'string', default: '20000' },
    minutes: { type: 'string' },
    frames: { type: 'string', default: '1500' },
    backend: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
  },
});

interface Totals {
  frames: number;
  cases: number;
  compared: number;
  rules: number;
  mismatches: number;
  /** Cases that differed by the clock, and agreed when they were played again. */
  readonly heldUp: string[];
  readonly kinds: Map<string, number>;
  readonly reasons: Map<string, number>;
  readonly exceptions: Map<string, number>;
}

const totals: Totals = {
  frames: 0,
  cases: 0,
  compared: 0,
  rules: 0,
  mismatches: 0,
  heldUp: [],
  kinds: new Map(),
  reasons: new Map(),
  exceptions: new Map(),
};

function add({ frames, comparisons, mismatches, exceptions }: Trial): void {
  totals.frames += frames;
  totals.cases += 1;
  totals.mismatches += mismatches.length;
  for (const { compared, rules, reasons } of comparisons) {
    totals.compared += compared;
    totals.rules += rules;
    for (const [reason, times] of reasons) count(totals.reasons, reason, times);
  }
  for (const [name, times] of exceptions) count(totals.exceptions, name, times);
}

const isByClock = ({ subject }: Mismatch): boolean => subject.includes('(limit)') || subject === TIMERS;

async function play(one: Case): Promise<Trial> {
  const trial = await tryCase(one);
  if (!trial.mismatches.some(isByClock)) return trial;
  const again = await tryCase(one);
  if (again.mismatches.length > 0) return trial;
  totals.heldUp.push(`${one.seed} ${one.backend}`);
  return again;
}

/** Make the case of `mismatch` small and write it down. */
async function keep(one: Case, mismatch: Mismatch): Promise<string> {
  const kind = kindOf(mismatch);
  const stays = async (smaller: Case): Promise<boolean> =>
    isPlayable(smaller) && (await tryCase(smaller)).mismatches.some((other) => kindOf(other) === kind);
  // Nothing behind the frame can matter to what the cells did with it at once.
  const end = mismatch.step < 0 ? one.steps.length : stepsUntil(one, mismatch.step);
  const until: Case = { ...one, steps: one.steps.slice(0, end) };
  const smallest = await shrink((await stays(until)) ? until : one, stays, SHRINK_TRIALS);
  const folder = join(ROOT, 'test', 'conformance', 'regressions');
  mkdirSync(folder, { recursive: true });
  const name = kind
    .replace(/[^A-Za-z]+/g, '-')
    .replace(/-$/, '')
    .toLowerCase();
  const file = join(folder, `${name}-${one.backend}-${one.seed}.json`);
  writeFileSync(file, `${JSON.stringify(smallest, null, 1)}\n`);
  return `shrunk to ${smallest.steps.length} of ${one.steps.length} steps: ${file}`;
}

/** How many steps of `one` there are up to its frame numbered `frame`, that one included. */
function stepsUntil({ steps }: Case, frame: number): number {
  let seen = -1;
  const at = steps.findIndex(({ kind }) => {
    if (kind === 'frame') seen += 1;
    return seen === frame;
  });
  return at + 1;
}

async function report(one: Case, trial: Trial, frames: number): Promise<void> {
  const fresh = new Map<string, Mismatch>();
  for (const mismatch of trial.mismatches) {
    const kind = kindOf(mismatch);
    if (!totals.kinds.has(kind)) fresh.set(kind, mismatch);
    count(totals.kinds, kind);
  }
  const shown = [...fresh.values()].slice(0, MOST_PRINTED);
  for (const mismatch of shown) for (const line of mismatchText(mismatch)) console.log(line);
  if (trial.mismatches.length > 0) {
    const again = `--seed ${one.seed} --backend ${one.backend} --frames ${frames} --packets 1`;
    console.log(`${trial.mismatches.length} mismatches; again: node dist/test/conformance/random/run.js ${again}`);
  }
  if (values['no-shrink']) return;
  for (const mismatch of shown.filter(({ step }) => step >= 0)) {
    if (shrunk >= MOST_SHRUNK) return;
    shrunk += 1;
    console.log(await keep(one, mismatch));
  }
}

let shrunk = 0;

function isOver(started: number): boolean {
  const minutes = (Date.now() - started) / 60_000;
  return values.minutes === undefined ? totals.frames >= Number(values.packets) : minutes >= Number(values.minutes);
}

async function runAll(): Promise<void> {
  const started = Date.now();
  const first = values.seed === undefined ? (started / 1000) & 0x7fffffff : Number(values.seed);
  const frames = Number(values.frames);
  const backends = values.backend === undefined ? BACKENDS : BACKENDS.filter((name) => name === values.backend);
  console.log(`random conformance from seed ${first}`);
  for (let number = 0; number === 0 || !isOver(started); number++) {
    const one = drawCase(first + number, backends[(first + number) % backends.length]!, frames);
    const trial = await play(one);
    add(trial);
    await report(one, trial, frames);
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(
    `${totals.frames} packets on ${totals.cases} foundations in ${seconds} s: ${totals.compared} frames and verdicts and ${totals.rules} rule counters compared`,
  );
  console.log(`reasons: ${countsText(totals.reasons)}`);
  console.log(`exceptions: ${countsText(totals.exceptions) || 'none'}`);
  if (totals.heldUp.length > 0)
    console.log(`differed in limits or timers, and agreed when played again: seeds ${totals.heldUp.join(', ')}`);
  const isUnsteady = totals.heldUp.length > 1 + totals.cases / 10;
  if (isUnsteady) console.log('UNSTEADY: too many of them to be chance');
  const isLong = totals.frames >= STALE_AFTER;
  const stale = isLong ? FREQUENT_EXCEPTIONS.filter((name) => !totals.exceptions.has(name)) : [];
  for (const name of stale) console.log(`STALE exception: ${name}`);
  if (totals.mismatches > 0) console.log(`kinds of mismatches: ${countsText(totals.kinds)}`);
  const failed = totals.mismatches + stale.length + Number(isUnsteady);
  // A case without a mismatch counts as one passed test, for those who add up.
  console.log(`${failed === 0 ? totals.cases : 0} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
}

const problem = labObstacle('nft', ['python3', 'conntrack']) ?? labObstacle('legacy');
if (problem === undefined) await runAll();
else console.log(`SKIP random conformance: ${problem.message}\n0 passed, 0 failed, 1 skipped`);
