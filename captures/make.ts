/**
 * Makes the captures of this folder again, on a real kernel.
 *
 *     node dist/captures/make.js [SCENARIO...]
 *
 * Needs root (network namespaces, which it removes again) and the programs it names when they are missing.
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Foundation } from '../src/foundation/model.ts';
import { iptablesIn, type Lab, labObstacle, withLab } from '../test/conformance/lab.ts';
import { LabError } from '../test/conformance/lab-shell.ts';
import * as artefacts from './artefacts.ts';
import { readFrames } from './frames.ts';
import { PROGRAMS } from './programs.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { type LabTap, tapsOf } from './taps.ts';
import { deriveTruth, type TapFrames, type TruthLine } from './truth.ts';

/** This runs as dist/captures/make.js. */
const CAPTURES = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'captures');

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

function writeTruth(scenario: Scenario, taps: readonly LabTap[], directory: string): TruthLine[] {
  const seen = taps.map((tap): TapFrames => ({ ...tap, frames: readFrames(tap.name, tap.file) }));
  const lines = deriveTruth(scenario.foundation, seen);
  const files = Object.fromEntries(taps.map((tap) => [tap.name, basename(tap.file)]));
  const head = { schemaVersion: 1, scenario: scenario.name, files };
  writeFileSync(join(directory, 'truth.ndjson'), [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''));
  return lines;
}

/** Build, capture, describe and judge one scenario in a directory of its own, which replaces the old one at the end. */
async function make(scenario: Scenario): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'tagplane-captures-'));
  const made = join(work, scenario.name);
  mkdirSync(made);
  try {
    const taps = await withLab(scenario.foundation, scenario.options, async (lab) => {
      const opened = tapsOf(lab, scenario.underlayTaps, made);
      await scenario.prepare(lab, work);
      zeroCells(lab);
      await lab.capture(opened, () => scenario.traffic(lab));
      dumpCells(lab, made);
      return opened;
    });
    describe(scenario.foundation, made);
    const lines = writeTruth(scenario, taps, made);
    replaceDirectory(made, join(CAPTURES, scenario.name));
    report(scenario, lines, taps);
  } finally {
    rmSync(work, { recursive: true, force: true });
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

function report(scenario: Scenario, lines: readonly TruthLine[], taps: readonly LabTap[]): void {
  const directory = join(CAPTURES, scenario.name);
  console.log(`${scenario.name}: ${scenario.summary}`);
  for (const tap of taps.filter(({ kind }) => kind !== 'container')) {
    const counts = new Map<string, number>();
    for (const line of lines) if (line.tap === tap.name) counts.set(line.truth, (counts.get(line.truth) ?? 0) + 1);
    const size = statSync(join(directory, basename(tap.file))).size;
    console.log(
      `  ${tap.name} (${size} octets): ${[...counts].map(([truth, times]) => `${times} ${truth}`).join(', ')}`,
    );
  }
}

async function main(words: readonly string[]): Promise<void> {
  const unknown = words.filter((word) => !SCENARIOS.some(({ name }) => name === word));
  if (unknown.length > 0) {
    const known = SCENARIOS.map(({ name }) => name).join(', ');
    throw new LabError('ERR_LAB_UNSUPPORTED', `no scenario ${unknown.join(', ')}; there are ${known}`);
  }
  const chosen = SCENARIOS.filter(({ name }) => words.length === 0 || words.includes(name));
  for (const scenario of chosen) {
    const problem = labObstacle(scenario.options.backend, PROGRAMS);
    if (problem !== undefined) throw problem;
    await make(scenario);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  console.error(`make: ${error.message}`);
  process.exitCode = error.code === 'ERR_LAB_PRIVILEGE' || error.code === 'ERR_LAB_PROGRAM' ? 4 : 1;
}
