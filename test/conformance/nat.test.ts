/**
 * NAT against the kernel: the packets of nat-scenarios.ts go through a namespace with the same rules and through our own
 * cell. Every packet that leaves is compared octet for octet, and the tuples of all connections with `conntrack -L`. Ports
 * that the kernel draws must lie in their range, and are what our search for a free port then begins with.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRuleset } from '../../src/rules/parse.ts';
import { skip } from '../support/shared.ts';
import { conntrackLines, createNatCell, type NatCell } from './nat-cell.ts';
import { type Backend, type KernelCell, natObstacle, type Seen, withKernelCell } from './nat-kernel.ts';
import type { Scenario, Step } from './nat-packets.ts';
import { NAT_SCENARIOS } from './nat-scenarios.ts';

const test = suite('conformance/nat');
const NANOSECONDS = 1e9;
/** Where an IP header has its identification. */
const IDENTIFICATION = 4;

/** The number that the kernel drew: our own search starts there. */
interface Draw {
  value: number | null;
  asked: number;
}

const text = ({ device, octets, partial }: Seen): string =>
  `${device}${partial ? ' partial' : ''} ${Buffer.from(octets).toString('hex')}`;

const port = (octets: Uint8Array, at: number): number => (octets[at]! << 8) | octets[at + 1]!;

/** `DEVICE SOURCE > DESTINATION` of a packet, with ports for TCP and UDP. */
function summary({ device, octets }: Seen): string {
  const ported = octets[9] === 6 || octets[9] === 17;
  const end = (address: number, at: number): string =>
    `${octets.slice(address, address + 4).join('.')}${ported ? `:${port(octets, at)}` : ''}`;
  return `${device} ${end(12, 20)} > ${end(16, 22)}`;
}

/** `*` is any port, `?` any device or address. */
const patternOf = (leaves: string): RegExp =>
  new RegExp(`^${leaves.replaceAll('.', '\\.').replaceAll('*', '\\d+').replaceAll('?', '[\\w.-]+')}$`);

function checkLeaves(what: string, { leaves, draws }: Step, seen: readonly Seen[]): void {
  if (leaves === '') {
    assert.equal(seen.map(summary), [], what);
    return;
  }
  assert.is(seen.length, 1, `${what}: ${seen.map(summary).join(', ') || 'nothing left'}`);
  assert.match(summary(seen[0]!), patternOf(leaves), what);
  if (draws === undefined) return;
  const drawn = port(seen[0]!.octets, draws.at);
  assert.ok(drawn >= draws.low && drawn <= draws.high, `${what}: drew ${drawn}, not in ${draws.low} to ${draws.high}`);
}

async function play({ steps, rules }: Scenario, backend: Backend, kernel: KernelCell): Promise<NatCell> {
  const { ruleset } = parseRuleset(rules, { file: 'rules', unknownMatches: 'error' });
  const draw: Draw = { value: null, asked: 0 };
  const offset = (): number => {
    draw.asked += 1;
    if (draw.value === null) throw new Error('a port was drawn where the kernel drew none');
    return draw.value;
  };
  let step = 0;
  const cell = createNatCell(ruleset, backend, { offset }, () => step * 1e6 + NANOSECONDS);
  const left: Uint8Array[] = [];
  for (const one of steps) {
    const what = `step ${++step} of ${backend}`;
    const packet = typeof one.packet === 'function' ? one.packet(left) : one.packet;
    const seen = await kernel.send(one.in, packet, one.partial === true, one.leaves !== '');
    checkLeaves(what, one, seen);
    const { draws } = one;
    draw.asked = 0;
    draw.value = draws === undefined ? null : seen.length === 0 ? 0 : port(seen[0]!.octets, draws.at) - draws.low;
    const { answer } = one;
    const ours = cell.send(
      one.in,
      packet,
      one.partial === true,
      answer === undefined ? null : (delivered) => answer(delivered, port(seen[0]!.octets, IDENTIFICATION)),
    );
    assert.equal(ours.map(text), seen.map(text), what);
    assert.is(draw.asked > 0, draws !== undefined, `${what}: whether a port was drawn`);
    left.push(seen[0]?.octets ?? new Uint8Array(0));
  }
  return cell;
}

for (const backend of ['nft', 'legacy'] as const) {
  const problem = natObstacle(backend);
  for (const scenario of NAT_SCENARIOS) {
    const name = `${scenario.name} (${backend})`;
    if (problem !== undefined) skip(test, name, problem.message);
    else {
      test(name, async () => {
        await withKernelCell(backend, scenario.rules, scenario.settings ?? [], async (kernel) => {
          const cell = await play(scenario, backend, kernel);
          const known = conntrackLines(kernel.connections());
          assert.ok(known.length > 0);
          assert.equal([...new Set(cell.connections())].sort(), known.sort());
        });
      });
    }
  }
}

test.run();
