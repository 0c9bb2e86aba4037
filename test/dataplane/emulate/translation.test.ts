/** The mangle and nat tables of emulated cells: what they count, and answers that belong to a connection with NAT. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SCENARIOS } from '../../../captures/scenarios.ts';
import { planned } from '../../scenarios/support.ts';
import { address, ethernet, FLAG, ipv4, silkMac, tcp } from '../packets.ts';
import { countingDraws, type Input, seenIn, type Travelled, travel } from './emulating.ts';

const test = suite('dataplane/emulate/translation');
const { foundation } = SCENARIOS[0]!;
const CLIENT = '10.0.0.101';
const CELL_B = '10.0.0.102';
const INSTANCES = foundation.apps.flatMap(({ instances }) => instances);
/** A host port of a container on cell B. */
const { host } = INSTANCES.find(({ cell, ports }) => cell === 'cell-b' && ports.length > 0)!.ports[0]!;

const setup = {
  foundation,
  rules: planned(foundation),
  dataplane: { strictChecksums: true },
  translated: true,
} as const;
const onUnderlay = (packet: Iterable<number>): Input => ({
  tap: 'cell-b/eth0',
  octets: ethernet('42:01:0a:00:00:66', '42:01:0a:00:00:65', 0x0800, packet),
  time: 0,
});
const toHostPort = (timeToLive: number): Uint8Array => {
  const ends = { source: CLIENT, destination: CELL_B };
  return ipv4(ends, 6, tcp(ends, 40_000, host, { flags: FLAG.SYN }), { timeToLive });
};

/** What cell B's rules in `table` counted: packets, by chain and number from 1. */
function counted({ emulation }: Travelled, table: string): Record<string, number> {
  const evaluator = emulation.translation.tables(1).find(({ rules }) => rules.name === table)!;
  const { packets } = evaluator.counters();
  return Object.fromEntries(
    evaluator.rules.rules
      .map(({ chain, rule }, id) => [`${chain.name} ${chain.rules.indexOf(rule) + 1}`, packets[id]!] as const)
      .filter(([, count]) => count > 0),
  );
}

test('a packet to a host port is counted by the rules of mangle and nat, once each', () => {
  const travelled = travel(setup, [onUnderlay(toHostPort(64))], countingDraws());
  for (const table of ['mangle', 'nat']) {
    const rules = counted(travelled, table);
    assert.is(rules['PREROUTING 1'], 1, table);
    assert.ok(
      Object.keys(rules).some((name) => name.startsWith('netin--')),
      table,
    );
  }
});

test('time exceeded about a packet to a host port comes from where it went, and quotes it as it was sent', () => {
  const sent = toHostPort(1);
  const travelled = travel(setup, [onUnderlay(sent)], countingDraws());
  const answers = seenIn(travelled, 'cell-a/eth0').map(({ hex }) => hex.slice(28));
  assert.is(answers.length, 1);
  const answer = Buffer.from(answers[0]!, 'hex');
  assert.is(answer.readUInt32BE(12), address(CELL_B));
  assert.is(answer.subarray(20, 22).toString('hex'), '0b00');
  assert.is(answer.subarray(28).toString('hex'), Buffer.from(sent).toString('hex'));
});

test('a cell hears its own broadcast: the answer it sends there is counted on its way in', () => {
  const ends = { source: '10.255.255.255', destination: '10.255.2.7' };
  const packet = ipv4(ends, 6, tcp(ends, 40_000, 9, { flags: FLAG.SYN }));
  const input = {
    tap: 'cell-b/silk-vtep',
    octets: ethernet(silkMac('ee', '10.255.2.0'), silkMac('ee', '10.255.1.0'), 0x0800, packet),
    time: 0,
  };
  const travelled = travel(setup, [input], countingDraws());
  assert.is(counted(travelled, 'mangle')['PREROUTING 1'], 2);
  assert.is(counted(travelled, 'nat')['PREROUTING 1'], 1);
});

test.run();
