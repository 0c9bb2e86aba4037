/**
 * Crafted frames, and what Linux 6.18 did with each: malformed headers, odd VXLAN flags, fragments, spoofed addresses.
 *
 * The kernel's verdict stands in the comment of every frame. Cases that need what the receiving path does not do yet are
 * named below with the reason; a case that is named and agrees after all fails, so that the list cannot go stale.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/capture/burst.ts';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { ROOT, shared, sharedTest } from '../support/shared.ts';
import { foundationAt, judgeWith } from './support.ts';

const test = suite('scenarios/oracle');
const FOLDER = 'captures/linux-kernel-6.18-oracle';
const RULES = `${ROOT}/test/fixtures/oracle-cell.iptables-save`;

/** Comments of all packets, in order. */
async function commentsOf(path: string): Promise<string[]> {
  const reader = await open(await openSource(path));
  const burst = create();
  const comments: string[] = [];
  do {
    while (reader.fill(burst) > 0)
      for (let i = 0; i < burst.count; i++) comments.push(reader.comments(burst, i).join(' '));
  } while (await reader.refill());
  await reader.close();
  return comments;
}

const rules = (): Map<string, CellRules> => {
  const { ruleset } = parseRuleset(readFileSync(RULES, 'utf8'), { file: RULES, unknownMatches: 'error' });
  return new Map([['receiver', { ruleset, backend: 'nft' }]]);
};

const REPLY_MISSING = 'the reply that makes the connection ESTABLISHED is not in the file';
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'ct: udp gid 7 + app replies, then same 5-tuple gid 8': REPLY_MISSING,
  'ct: udp gid 7 + app replies, then same 5-tuple without G flag': REPLY_MISSING,
  '1528-byte inner, DF=0, container MTU 1400 mark 7': 'path MTU is not modelled: the kernel cuts it in two',
  '1528-byte inner, DF=1, container MTU 1400 mark 7': 'path MTU is not modelled: the kernel answers with ICMP 3/4',
  'inner dst = VTEP itself udp 9999 mark 7': 'it reaches the cell, where no program listens; no rule answered',
};

/** The case a frame belongs to, the kernel's word for the whole case, and how many packets came out at the container. */
function parseComment(comment: string): { name: string; kernel: string; delivered: number } {
  const [name, , verdict] = comment.split(' | ');
  const lengths = /delivered=\[([^\]]*)\]/.exec(verdict!)?.[1] ?? '';
  return {
    name: name!,
    kernel: /VERDICT (\S+)/.exec(verdict!)![1]!,
    delivered: lengths === '' ? 0 : lengths.split(',').length,
  };
}

sharedTest(test, FOLDER, 'the forwarding cell lets through, rejects and drops what the kernel did', async () => {
  const path = shared(FOLDER, 'cell-forward.pcapng');
  const cases = (await commentsOf(path)).map(parseComment);
  const judged = await judgeWith(path, foundationAt(`${ROOT}/test/fixtures/oracle-cell.yaml`), rules(), {
    judged: ['receiver'],
  });
  assert.is(judged.length, cases.length);
  const byName = new Map<string, { kernel: string; delivered: number; ours: string }[]>();
  for (const [index, { name, ...fate }] of cases.entries()) {
    byName.set(name, [...(byName.get(name) ?? []), { ...fate, ours: judged[index]!.verdict }]);
  }
  const wrong: string[] = [];
  for (const [name, frames] of byName) {
    const { kernel, delivered } = frames[0]!;
    const ours = frames.map((frame) => frame.ours);
    const count = ours.filter((verdict) => verdict === 'deliver').length;
    const agrees = count === delivered && (kernel !== 'REJECT/ICMP' || ours.some((verdict) => verdict !== 'observed'));
    if (agrees === name in EXCEPTIONS) wrong.push(`${name}: the kernel ${kernel}, tagplane ${ours.join(' ')}`);
  }
  assert.equal(wrong, []);
});

const VTEP_EXCEPTIONS: readonly (readonly [RegExp, string])[] = [
  [/^in6:/, 'IPv6 in the overlay is unsupported, whatever the kernel makes of it'],
  [/^inner: VXLAN in VXLAN/, 'nested tunnels end at the cell; the kernel opens the second one too, and delivers'],
];

sharedTest(test, FOLDER, 'the VTEP takes and drops the frames that the kernel did', async () => {
  const path = shared(FOLDER, 'vtep-gbp.pcapng');
  const comments = await commentsOf(path);
  const foundation = foundationAt(`${ROOT}/test/fixtures/oracle-vtep.yaml`);
  const judged = await judgeWith(path, foundation, new Map(), { strictChecksums: true });
  assert.is(judged.length, comments.length);
  const fates = new Map<string, { taken: boolean; atVtep: boolean; ours: string[] }>();
  for (const [index, comment] of comments.entries()) {
    const [name, , verdict] = comment.split(' | ');
    const known = fates.get(name!) ?? {
      taken: /DELIVERED|ACCEPTED/.test(verdict!),
      atVtep: /DROPPED before/.test(verdict!),
      ours: [],
    };
    known.ours.push(judged[index]!.verdict);
    fates.set(name!, known);
  }
  const wrong: string[] = [];
  for (const [name, { taken, atVtep, ours }] of fates) {
    if (VTEP_EXCEPTIONS.some(([pattern]) => pattern.test(name))) continue;
    // What the kernel took apart and then dropped in its own sockets is past the cell's judgement.
    if (taken && !ours.includes('deliver')) wrong.push(`${name}: the kernel delivered, tagplane ${ours.join(' ')}`);
    if (atVtep && ours.includes('deliver')) wrong.push(`${name}: the kernel dropped, tagplane ${ours.join(' ')}`);
  }
  assert.equal(wrong, []);
});

test.run();
