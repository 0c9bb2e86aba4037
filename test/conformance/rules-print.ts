/**
 * Our text against iptables': rulesets are loaded into a real kernel with iptables-restore, then what iptables prints of
 * them is parsed and printed again by us and compared octet for octet: iptables-save with and without -c, -S, -S CHAIN,
 * -L, -L -n and -L -n -v --line-numbers, with both backends.
 *
 * Needs root, util-linux' unshare and iptables 1.8.9. Each ruleset gets a network namespace of its own that ends with the
 * shell in it. Host names are hidden there, because `iptables -L` resolves addresses and we never do.
 */
import { spawnSync } from 'node:child_process';
import type { Ruleset, TableName } from '../../src/rules/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { printList } from '../../src/rules/print-list.ts';
import { printRules, printSave } from '../../src/rules/print-save.ts';

export type Backend = 'nft' | 'legacy';
export const BACKENDS: readonly Backend[] = ['nft', 'legacy'];

const VERSION = '1.8.9';
const TABLES: readonly TableName[] = ['raw', 'mangle', 'nat', 'filter', 'security'];
/** Ends one output; iptables prints no such character. */
const SEPARATOR = '\x1e';

/** Reads the rules on stdin; $1 is the backend. Prints the outputs in the order of `expectedOutputs`. */
const SCRIPT = `
for file in /etc/hosts /etc/networks; do [ -e $file ] && mount --bind /dev/null $file; done
cut() { printf '\\036'; }
iptables-$1-restore -c || exit 1
iptables-$1-save -c; cut
iptables-$1-save; cut
for table in $(iptables-$1-save | sed -n 's/^\\*//p'); do
  chain=$(iptables-$1 -t $table -S | sed -n 's/^-[NP] \\([^ ]*\\).*/\\1/p' | tail -n 1)
  iptables-$1 -t $table -S; cut
  iptables-$1 -t $table -S $chain; cut
  iptables-$1 -t $table -L; cut
  iptables-$1 -t $table -L $chain -n; cut
  iptables-$1 -t $table -L -n -v --line-numbers; cut
done`;

interface Run {
  readonly status: number | null;
  readonly output: string;
  readonly complaints: string;
}

function inNamespace(script: string, backend: Backend, input: string): Run {
  const run = spawnSync('unshare', ['--net', '--mount', 'bash', '-c', script, 'bash', backend], {
    input,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status: run.status, output: run.stdout ?? '', complaints: run.stderr ?? '' };
}

/** Why this judge cannot sit here, or null. */
export function whyNot(): string | null {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  for (const backend of BACKENDS) {
    const { status, output } = inNamespace('iptables-$1 -V', backend, '');
    if (status !== 0) return `unshare or iptables-${backend} cannot be run`;
    if (!output.includes(`v${VERSION}`)) return `needs iptables ${VERSION}, this is ${output.trim()}`;
  }
  return null;
}

/** The tables that this kernel has with `backend`. */
export const tablesOf = (backend: Backend): TableName[] =>
  TABLES.filter((table) => inNamespace('iptables-$1-restore', backend, `*${table}\nCOMMIT\n`).status === 0);

const parse = (text: string): Ruleset => parseRuleset(text, { file: 'iptables', unknownMatches: 'error' }).ruleset;

/** The comments of iptables-save without the wall clock, and under the name that the program usually has. */
const withoutTime = (saved: string): string =>
  saved.replace(/^(# .* on ).*$/gm, '$1TIME').replace(/iptables-(?:nft|legacy)-save/g, 'iptables-save');

/** What we print for each output of SCRIPT. */
function expectedOutputs(ruleset: Ruleset, backend: Backend): [name: string, text: string][] {
  const comments = { style: backend, version: VERSION, time: 'TIME' };
  const outputs: [string, string][] = [
    ['iptables-save -c', printSave(ruleset, { counters: true, comments })],
    ['iptables-save', printSave(ruleset, { comments })],
  ];
  for (const table of ruleset.tables) {
    const last = table.chains.at(-1)!;
    outputs.push(
      [`-t ${table.name} -S`, printRules(table.chains)],
      [`-t ${table.name} -S ${last.name}`, printRules([last])],
      [`-t ${table.name} -L`, printList(table)],
      [`-t ${table.name} -L ${last.name} -n`, printList(table, { numeric: true, chain: last.name })],
      [
        `-t ${table.name} -L -n -v --line-numbers`,
        printList(table, { numeric: true, verbose: true, lineNumbers: true }),
      ],
    );
  }
  return outputs;
}

function firstDifference(theirs: string, ours: string): string {
  const [left, right] = [theirs.split('\n'), ours.split('\n')];
  const at = left.findIndex((line, index) => line !== right[index]);
  const line = at < 0 ? left.length : at;
  return `line ${line + 1}\n  iptables: ${JSON.stringify(left[line])}\n  tagplane: ${JSON.stringify(right[line])}`;
}

/** Load `text` and compare all that iptables prints. Null when nothing differs, else what does. */
export function compare(text: string, backend: Backend): string | null {
  const { status, output, complaints } = inNamespace(SCRIPT, backend, text);
  if (status !== 0) return `iptables-${backend}-restore refuses it: ${complaints}\n${text}`;
  const theirs = output.split(SEPARATOR);
  const ours = expectedOutputs(parse(theirs[0]!), backend);
  for (const [index, [name, printed]] of ours.entries()) {
    const shown = withoutTime(theirs[index] ?? '');
    if (shown !== printed) return `${backend}: ${name} differs at ${firstDifference(shown, printed)}`;
  }
  return theirs.length === ours.length + 1 ? null : `${backend}: ${theirs.length - 1} outputs, expected ${ours.length}`;
}

/** What `iptables-save -c` gives back for `text`, one string for each table, sorted; null when iptables refuses it. */
export function savedBy(text: string, backend: Backend): string[] | null {
  const { status, output } = inNamespace('iptables-$1-restore -c && iptables-$1-save -c', backend, text);
  return status === 0 ? tablesIn(output.replace(/^#.*\n/gm, '')) : null;
}

/** The tables of a saved ruleset, sorted: the legacy backend saves them in the order of their first use. */
export const tablesIn = (saved: string): string[] => saved.split(/(?<=^COMMIT\n)/m).sort();
