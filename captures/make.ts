/**
 * Makes the captures of this folder again, on a real kernel.
 *
 *     node dist/captures/make.js [SCENARIO...]
 *
 * Needs root (network namespaces, which it removes again) and the programs it names when they are missing.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Foundation } from '../src/foundation/model.ts';
import { iptablesIn, type Lab, labObstacle, withLab } from '../test/conformance/lab.ts';
import * as artefacts from './artefacts.ts';
import { readFrames } from './frames.ts';
import { PROGRAMS } from './programs.ts';
import { flowTable, replaceSection, sectionOf } from './readme.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { type LabTap, tapsOf } from './taps.ts';
import { deriveTruth, type TapFrames } from './truth.ts';

/** This runs as dist/captures/make.js. */
const CAPTURES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'captures');
/** Exit codes as those of the command line. */
const EXIT = { USAGE: 2, MISSING: 4 } as const;
const README = join(CAPTURES, 'README.md');

const TABLES = ['filter', 'nat', 'mangle'];

/** Forget what the servers' start left behind, so that counters and connections are those of the capture. */
function zeroCells(lab: Lab): void {
  for (const { name } of lab.foundation.cells) {
    for (const table of TABLES) iptablesIn(lab, name, 'iptables', ['-t', table, '-Z']);
    lab.onCell(name, 'conntrack', ['-F']);
  }
}

/** What the cells' kernels hold after the traffic. */
function dumpCells(lab: Lab, directory: string): void {
  for (const { name } of lab.foundation.cells) {
    const write = (suffix: string, text: string): void => writeFileSync(join(directory, `${name}.${suffix}`), text);
    // Connections first and counters next: iptables -L looks up names, which leaves both changed.
    write('conntrack.txt', lab.onCell(name, 'conntrack', ['-L']).stdout);
    write('iptables-save-c', iptablesIn(lab, name, 'iptables-save', ['-c']));
    write('iptables-save', iptablesIn(lab, name, 'iptables-save', []));
    write('iptables-L.txt', iptablesIn(lab, name, 'iptables', ['-L']));
  }
}

function describe(foundation: Foundation, directory: string): void {
  writeFileSync(join(directory, 'foundation.yaml'), artefacts.foundationYaml(foundation));
  writeFileSync(join(directory, 'policies.json'), artefacts.policiesJson(foundation));
  writeFileSync(join(directory, 'tags.json'), artefacts.tagsJson(foundation));
  writeFileSync(join(directory, 'asgs.json'), artefacts.securityGroupsJson(foundation));
  for (const cell of foundation.cells) {
    writeFileSync(join(directory, `${cell.name}.store.json`), artefacts.storeJson(foundation, cell));
  }
}

/** Read the captures back, derive the truth, write it, and describe both for people. */
function judge(scenario: Scenario, taps: readonly LabTap[], directory: string): void {
  const seen = taps.map((tap): TapFrames => ({ ...tap, frames: readFrames(tap.name, tap.file) }));
  const lines = deriveTruth(scenario.foundation, seen);
  const files = Object.fromEntries(taps.map((tap) => [tap.name, basename(tap.file)]));
  const head = { schemaVersion: 1, scenario: scenario.name, files };
  writeFileSync(join(directory, 'truth.ndjson'), [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''));
  const flows = flowTable(scenario.foundation, seen, lines);
  const text = readFileSync(README, 'utf8');
  writeFileSync(README, replaceSection(text, scenario.name, sectionOf(scenario, flows, directory)));
  console.log(`${scenario.name}: ${lines.length} frames judged`);
}

/** Build, capture, describe and judge one scenario in a directory of its own, which replaces the old one at the end. */
async function make(scenario: Scenario): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'tagplane-captures-'));
  const made = join(work, scenario.name);
  const discard = (): void => rmSync(work, { recursive: true, force: true });
  // Also when the process is interrupted: the lab ends it then.
  process.once('exit', discard);
  mkdirSync(made);
  try {
    const taps = await withLab(scenario.foundation, scenario.options, async (lab) => {
      const opened = tapsOf(lab, scenario, made);
      await scenario.prepare(lab, work);
      zeroCells(lab);
      await lab.capture(opened, () => scenario.traffic(lab));
      dumpCells(lab, made);
      return opened;
    });
    describe(scenario.foundation, made);
    judge(scenario, taps, made);
    replaceDirectory(made, join(CAPTURES, scenario.name));
  } finally {
    process.off('exit', discard);
    discard();
  }
}

/** Put the files of `made` in the place of `target`, readable by everyone. */
function replaceDirectory(made: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  for (const name of readdirSync(made)) {
    copyFileSync(join(made, name), join(target, name));
    chmodSync(join(target, name), 0o644);
  }
}

async function main(words: readonly string[]): Promise<number> {
  const unknown = words.filter((word) => !SCENARIOS.some(({ name }) => name === word));
  if (unknown.length > 0) {
    console.error(`make: no scenario ${unknown.join(', ')}; there are ${SCENARIOS.map(({ name }) => name).join(', ')}`);
    return EXIT.USAGE;
  }
  for (const scenario of SCENARIOS.filter(({ name }) => words.length === 0 || words.includes(name))) {
    const problem = labObstacle(scenario.options.backend, PROGRAMS);
    if (problem !== undefined) {
      console.error(`make: ${problem.message}`);
      return EXIT.MISSING;
    }
    await make(scenario);
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
