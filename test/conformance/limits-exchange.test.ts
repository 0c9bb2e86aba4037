/**
 * Limits through changes of other rules: the kernel's counters after each change are those of tables that take each other's place.
 * The limits are hourly, so that the clock plays no part: what a limit still lets pass after a change are tokens that it kept, or
 * a new burst.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/rules/compile.ts';
import type { Backend, Evaluator } from '../../src/rules/evaluator.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Chain, Table } from '../../src/rules/model.ts';
import { createOutcome, createPacket } from '../../src/rules/packet.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { skip } from '../support/shared.ts';
import { labObstacle } from './lab.ts';
import { run } from './lab-shell.ts';

const test = suite('conformance/limits-exchange');

const LIMIT = '-A OUTPUT -p udp -m udp --dport 9 -m limit --limit 1/hour --limit-burst 5 -m comment --comment limit';
const HASHLIMIT =
  '-A OUTPUT -p udp -m udp --dport 9 -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 5 --hashlimit-mode dstip --hashlimit-name kept -m comment --comment hashlimit';
const START = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
${LIMIT}
${HASHLIMIT}
COMMIT
`;

/** What an agent does, and the table that it leaves; rules that stay are the same objects. */
interface Change {
  readonly name: string;
  readonly commands: readonly (readonly string[])[];
  readonly input?: string;
  readonly table: (before: Table) => Table;
}

const withChains = (table: Table, change: (chain: Chain) => Chain): Table => ({
  ...table,
  chains: table.chains.map(change),
});
const parse = (text: string): Table =>
  parseRuleset(text, { file: 'rules', unknownMatches: 'error' }).ruleset.tables.find(({ name }) => name === 'filter')!;
const OTHER = parse(`*filter
:OUTPUT ACCEPT [0:0]
:other - [0:0]
-A OUTPUT -j other
-A other -p udp -m udp --dport 10 -j ACCEPT
COMMIT
`);
const [JUMP] = OTHER.chains[0]!.rules;
const FILLED = OTHER.chains[1]!;

const CHANGES: readonly Change[] = [
  {
    name: 'an empty chain and a jump to it in front',
    commands: [
      ['-N', 'other'],
      ['-I', 'OUTPUT', '1', '-j', 'other'],
    ],
    table: (before) => {
      const table = withChains(before, (chain) =>
        chain.name === 'OUTPUT' ? { ...chain, rules: [JUMP!, ...chain.rules] } : chain,
      );
      return { ...table, chains: [...table.chains, { ...FILLED, rules: [] }] };
    },
  },
  {
    name: 'the chain filled by iptables-restore --noflush',
    commands: [],
    input: '*filter\n-A other -p udp -m udp --dport 10 -j ACCEPT\nCOMMIT\n',
    table: (before) => withChains(before, (chain) => (chain.name === 'other' ? FILLED : chain)),
  },
  {
    name: 'jump and chain removed',
    commands: [
      ['-D', 'OUTPUT', '-j', 'other'],
      ['-F', 'other'],
      ['-X', 'other'],
    ],
    table: (before) => ({
      ...before,
      chains: before.chains
        .filter(({ name }) => name !== 'other')
        .map((chain) => ({ ...chain, rules: chain.rules.filter((rule) => rule !== JUMP) })),
    }),
  },
];

const SENDER = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])):
    s.sendto(b'x', ('127.0.0.1', 9))
`;

/** Packets that each of the two rules let pass, by its comment. */
function kernelCounts(inside: readonly string[], backend: Backend): Record<string, number> {
  const dump = run('ip', [...inside, `xtables-${backend}-multi`, 'iptables-save', '-c', '-t', 'filter']).stdout;
  const found = [...dump.matchAll(/^\[([0-9]+):[0-9]+\] -A OUTPUT .*--comment "?(limit|hashlimit)"?/gm)];
  return Object.fromEntries(found.map(([, packets, comment]): [string, number] => [comment!, Number(packets)]));
}

const commentOf = (evaluator: Evaluator, id: number): string | undefined =>
  evaluator.rules.rules[id]!.rule.matches.find((match) => match.kind === 'comment')?.text;

/** The same through tables that take each other's place. */
function createCounting(backend: Backend): {
  send(packets: number): void;
  change(table: (before: Table) => Table): void;
  counts(): Record<string, number>;
} {
  const interfaces = new InterfaceNames();
  const sums: Record<string, number> = { limit: 0, hashlimit: 0 };
  const [packet, outcome] = [createPacket(), createOutcome()];
  Object.assign(packet, {
    protocol: 17,
    transport: 1,
    destination: 0x7f000001,
    destinationPort: 9,
    length: 29,
    time: 1e9,
  });
  let table = parse(START);
  let evaluator: Evaluator = compile(table, interfaces, { backend });
  const settle = (): void => {
    const { packets } = evaluator.counters();
    for (const [id, count] of packets.entries()) {
      const comment = commentOf(evaluator, id);
      if (comment !== undefined) sums[comment]! += count;
    }
  };
  return {
    send(packets) {
      const chain = evaluator.prepare('OUTPUT');
      for (let i = 0; i < packets; i++) evaluator.evaluate(chain, packet, outcome);
    },
    change(next) {
      settle();
      table = next(table);
      const { rules, meters } = evaluator;
      evaluator = compile(table, interfaces, { backend, earlier: { rules, meters } });
    },
    counts() {
      const before = { ...sums };
      settle();
      const now = { ...sums };
      Object.assign(sums, before);
      return now;
    },
  };
}

for (const backend of ['nft', 'legacy'] as const) {
  const name = `${backend}: tokens after every step of a change`;
  const problem = labObstacle(backend, ['python3']);
  if (problem !== undefined) {
    skip(test, name, problem.message);
    continue;
  }
  test(name, () => {
    const namespace = `tagplane-${process.pid}-limits-${backend}`;
    run('ip', ['netns', 'add', namespace]);
    try {
      const inside = ['netns', 'exec', namespace];
      run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
      const iptables = (words: readonly string[], input?: string) =>
        run('ip', [...inside, `xtables-${backend}-multi`, ...words], input === undefined ? {} : { input });
      iptables(['iptables-restore'], START);
      const mine = createCounting(backend);
      const send = (packets: number): void => {
        run('ip', [...inside, 'python3', '-c', SENDER, String(packets)]);
        mine.send(packets);
      };
      send(3);
      assert.equal(mine.counts(), kernelCounts(inside, backend), 'before');
      for (const change of CHANGES) {
        for (const words of change.commands) iptables(['iptables', '-w', ...words]);
        if (change.input !== undefined) iptables(['iptables-restore', '--noflush'], change.input);
        mine.change(change.table);
        send(3);
        assert.equal(mine.counts(), kernelCounts(inside, backend), change.name);
      }
    } finally {
      run('ip', ['netns', 'del', namespace]);
    }
  });
}

test.run();
