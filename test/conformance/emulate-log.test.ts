/**
 * What emulated cells log and count, against the kernel: LOG rules before all others in every chain of filter, mangle and nat
 * on two real cells, the crafted frames of `emulate-cases.ts`, and every line and every counter compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { countedTable } from '../../src/rules/counted.ts';
import type { Table } from '../../src/rules/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { printSave } from '../../src/rules/print-save.ts';
import { type Setup, type Travelled, travelAs } from '../dataplane/emulate/emulating.ts';
import { createRandom } from '../support/evaluation.ts';
import { skip } from '../support/shared.ts';
import { CASES, NARROW, randomCases, WAITING } from './emulate-cases.ts';
import type { CraftedFrame } from './emulate-frames.ts';
import { foundation, type Observed, observe, prepare, rulesOf } from './emulate-lab.ts';
import { followLog } from './follow-log.ts';
import { logObstacle, withNamespacesLogged } from './kernel-log.ts';
import { DEFAULT_LAB, iptablesIn, type Lab, type LabOptions, labObstacle, withLab } from './lab.ts';

const test = suite('conformance/emulate-log');

const BETWEEN_FRAMES = 0.02;
/** Neighbours that do not answer are given up after three seconds; what follows then has no order that is compared here. */
const AFTER_FRAMES = 1;
const RANDOM_FRAMES = 300;

const CHAINS = {
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
} as const;

const ALL = '--log-tcp-sequence --log-tcp-options --log-ip-options';
/** Limits that nothing fills again while the test runs. */
const LIMIT = '-m limit --limit 1/hour --limit-burst 9';
const HASHLIMIT =
  '-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 3 --hashlimit-mode srcip --hashlimit-name few';

/** A word that no other lab on this machine has in its log lines. */
const wordOf = (index: number): string => `E${(process.pid * 2 + index).toString(36)}`;

/** Documents that add LOG rules to those of `cell`; what it sends itself over ICMP is marked, too. */
function logRules(word: string, cell: string): string {
  const log = (text: string, options: string): string => `-j LOG --log-prefix "${word}${cell} ${text} " ${options}`;
  const documents = Object.entries(CHAINS).map(([table, chains]) => {
    const first = chains.map((chain) => `-I ${chain} 1 ${log(`${table} ${chain}`.slice(0, 17), ALL)}`);
    return `*${table}\n${[...first, ...(EXTRA[table] ?? []).map((rule) => rule(log))].join('\n')}\nCOMMIT\n`;
  });
  return documents.join('');
}

type Log = (text: string, options: string) => string;
const EXTRA: Readonly<Record<string, readonly ((log: Log) => string)[]>> = {
  mangle: [
    () => '-A OUTPUT -p icmp -j MARK --set-xmark 0x77/0xff',
    (log) => `-A OUTPUT -p icmp ${log('marked', '--log-macdecode')}`,
  ],
  filter: [
    (log) => `-I FORWARD 2 ${LIMIT} ${log('limited', '--log-macdecode')}`,
    (log) => `-I INPUT 2 ${HASHLIMIT} ${log('few of each', '--log-level debug')}`,
    (log) => `-I OUTPUT 2 -p udp ${LIMIT} ${log('limited', '')}`,
  ],
};

/** Tables of `iptables-save -c` on `cell`, with nothing counted yet where `zero` says so. */
const countedIn = (lab: Lab, cell: string): readonly Table[] =>
  parseRuleset(iptablesIn(lab, cell, 'iptables-save', ['-c']), { file: cell, unknownMatches: 'error' }).ruleset.tables;

function resetCounters(lab: Lab): void {
  for (const { name } of foundation.cells)
    for (const table of Object.keys(CHAINS)) iptablesIn(lab, name, 'iptables', ['-t', table, '-Z']);
}

interface Real {
  readonly observed: Observed;
  readonly lines: readonly string[];
  readonly counted: ReadonlyMap<string, readonly Table[]>;
}

async function onKernel(lab: Lab, word: string, cases: readonly CraftedFrame[], directory: string): Promise<Real> {
  resetCounters(lab);
  const sendings = cases.map((frame) => ({ frame, wait: BETWEEN_FRAMES }));
  const { lines, result } = await followLog(
    (text) => text.startsWith(word),
    () => observe(lab, sendings, AFTER_FRAMES, directory),
  );
  const counted = new Map(foundation.cells.map(({ name }) => [name, countedIn(lab, name)] as const));
  return { observed: result, lines: lines.map(({ text }) => comparable(text)), counted };
}

function emulated(lab: Lab, cases: readonly CraftedFrame[], { observed }: Real): Travelled {
  const setup: Setup = {
    foundation,
    rules: rulesOf(lab, lab.options.backend),
    options: { mtus: new Map([[NARROW.tap, NARROW.mtu]]) },
    dataplane: { strictChecksums: true, keepLogs: true },
    translated: true,
    until: observed.sent.at(-1)! + AFTER_FRAMES * 1e9,
  };
  const inputs = cases.map(({ tap, octets }, i) => ({ tap, octets, time: observed.sent[i]! }));
  const expected = new Map([...observed.taps].map(([tap, packets]) => [tap, packets.map(({ hex }) => hex)]));
  return travelAs(setup, inputs, expected);
}

/** A redirect that nat keeps back shows at no tap, so that nobody can know the identification that the kernel drew for it. */
const comparable = (text: string): string =>
  / IN= OUT=.* TYPE=5 CODE=1 /.test(text) ? text.replace(/ ID=\d+ /, ' ID=drawn ') : text;

const SHOWN = 4;

/** The first difference between the lines of both sides, and what comes before and behind it. */
function differences(ours: readonly string[], theirs: readonly string[]): string {
  const at = theirs.findIndex((line, i) => line !== ours[i]);
  if (at < 0 && ours.length === theirs.length) return '';
  const from = at < 0 ? theirs.length : at;
  const around = (lines: readonly string[]): string => lines.slice(Math.max(from - 2, 0), from + SHOWN).join('\n  ');
  return `line ${from + 1} of ${theirs.length}, here ${ours.length}\n kernel\n  ${around(theirs)}\n tagplane\n  ${around(ours)}`;
}

const saved = (table: Table): string => printSave({ tables: [table] }, { counters: true });

function compareCounters({ emulation }: Travelled, { counted }: Real): void {
  for (const { cell } of emulation.hosts) {
    const walked = [cell.filter, ...emulation.translation.tables(cell.index)].map((one) => countedTable(one));
    assert.equal(walked.map(({ name }) => name).sort(), Object.keys(CHAINS).sort());
    for (const table of walked) {
      const theirs = counted.get(cell.name)!.find(({ name }) => name === table.name)!;
      assert.is(saved(table), saved(theirs), `${cell.name}, ${table.name}`);
    }
  }
}

/** Send `cases` into a lab and into emulated cells, and hold what both logged and counted against each other. */
async function compare(backend: LabOptions['backend'], word: string, cases: readonly CraftedFrame[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tagplane-emulate-log-'));
  try {
    await withNamespacesLogged(() =>
      withLab(foundation, { ...DEFAULT_LAB, backend }, async (lab) => {
        prepare(lab);
        for (const { name } of foundation.cells)
          lab.onCell(name, `xtables-${backend}-multi`, ['iptables-restore', '--noflush'], {
            input: logRules(word, name),
          });
        const real = await onKernel(lab, word, cases, directory);
        const ours = emulated(lab, cases, real);
        for (const { name } of foundation.cells) {
          const ofCell = real.lines.filter((text) => text.startsWith(`${word}${name}`));
          assert.ok(ofCell.length > 2 * cases.length);
          assert.is(
            differences(
              ours.lines.filter(({ cell }) => cell.name === name).map(({ text }) => comparable(text)),
              ofCell,
            ),
            '',
          );
        }
        compareCounters(ours, real);
      }),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const [index, backend] of (['nft', 'legacy'] as const).entries()) {
  const problem = labObstacle(backend, ['python3', 'iptables'])?.message ?? logObstacle(['python3']);
  const labTest = (name: string, body: () => Promise<void>): void => {
    if (problem === undefined) test(name, body);
    else skip(test, name, problem);
  };
  const certain = CASES.slice(0, -WAITING);
  labTest(`${backend}: emulated cells log and count what the kernel does`, () =>
    compare(backend, wordOf(index), certain),
  );
  const seed = Number(process.env.TAGPLANE_SEED ?? '20261123');
  labTest(`${backend}: so it is with frames changed at random, TAGPLANE_SEED=${seed}`, () =>
    compare(backend, wordOf(index), randomCases(createRandom(seed), RANDOM_FRAMES)),
  );
}

test.run();
