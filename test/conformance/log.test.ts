/**
 * LOG lines against the kernel: packets of every kind pass LOG rules with every option at FORWARD, INPUT and OUTPUT, with
 * both iptables backends, and what the kernel prints must be what `logLine` says, character by character.
 */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { logPackets } from '../dataplane/log-packets.ts';
import { expectedLines, logTable } from '../dataplane/log-rules.ts';
import { type Ends, ipv4 } from '../dataplane/packets.ts';
import { skip } from '../support/shared.ts';
import { linesDuring, logObstacle, withNamespacesLogged } from './kernel-log.ts';
import { runIn } from './lab-shell.ts';
import { BEYOND, IN, LINK, type LogNetwork, OUT, ROUTER, SENDER, withLogNetwork } from './log-network.ts';

const test = suite('conformance/log');
const SEED = Number(process.env.TAGPLANE_SEED ?? Date.now() & 0x7fffffff);
const RANDOM_PACKETS = 150;
/** Few enough that the kernel's ring buffer holds their lines. */
const BATCH = 50;

const FORWARDED: Ends = { source: SENDER, destination: BEYOND };
const TAKEN: Ends = { source: SENDER, destination: ROUTER };
const SENT: Ends = { source: ROUTER, destination: SENDER };

interface Hook {
  readonly name: string;
  readonly ends: Ends;
  readonly interfaces: { readonly inInterface: string; readonly outInterface: string };
  readonly link: string;
  /** What becomes of a packet on its way to the rules. */
  readonly atRule: (packet: Uint8Array) => Uint8Array;
  /** Whether fragments come that far; on the way to INPUT they are put together first. */
  readonly takesFragments: boolean;
  readonly send: (network: LogNetwork, packets: readonly Uint8Array[]) => void;
}

const decremented = (packet: Uint8Array): Uint8Array => packet.with(8, packet[8]! - 1);
const unchanged = (packet: Uint8Array): Uint8Array => packet;
const isFragment = (packet: Uint8Array): boolean => (packet[6]! & 0x3f) !== 0 || packet[7] !== 0;

const HOOKS: readonly Hook[] = [
  {
    name: 'FORWARD',
    ends: FORWARDED,
    interfaces: { inInterface: IN, outInterface: OUT },
    link: LINK,
    atRule: decremented,
    takesFragments: true,
    send: ({ deliver }, packets) => deliver(packets),
  },
  {
    name: 'INPUT',
    ends: TAKEN,
    interfaces: { inInterface: IN, outInterface: '' },
    link: LINK,
    atRule: unchanged,
    takesFragments: false,
    send: ({ deliver }, packets) => deliver(packets),
  },
  {
    name: 'OUTPUT',
    ends: SENT,
    interfaces: { inInterface: '', outInterface: IN },
    link: '',
    atRule: unchanged,
    takesFragments: true,
    send: ({ emit }, packets) => emit(packets),
  },
];

/** Packets with random fields: any service, identification and TTL, any protocol the kernel knows, octets cut anywhere. */
const randomPackets = (ends: Ends): fc.Arbitrary<Uint8Array> =>
  fc
    .record({
      protocol: fc.constantFrom(1, 1, 6, 17, 136, 50, 51, 132),
      type: fc.constantFrom(0, 3, 4, 5, 8, 11, 12, 13, 17, 40),
      quoted: fc.uint8Array({ minLength: 0, maxLength: 70 }),
      payload: fc.uint8Array({ minLength: 0, maxLength: 70 }),
      typeOfService: fc.integer({ min: 0, max: 255 }),
      identification: fc.integer({ min: 1, max: 0xffff }),
      timeToLive: fc.integer({ min: 2, max: 255 }),
      fragment: fc.constantFrom(0, 0, 0, 0x4000, 0x8000, 0x2000, 0x0003, 0x2fff),
    })
    .map(({ protocol, type, quoted, payload, ...fields }) => {
      const message = [type, ...payload.subarray(0, 7), 0x45, ...quoted];
      return ipv4(ends, protocol, protocol === 1 ? message : payload, fields);
    });

/** Send `packets` in batches and compare every line. */
async function compare(network: LogNetwork, hook: Hook, word: string, all: readonly Uint8Array[]): Promise<void> {
  const packets = hook.takesFragments ? all : all.filter((packet) => !isFragment(packet));
  for (let from = 0; from < packets.length; from += BATCH) {
    const batch = packets.slice(from, from + BATCH);
    const expected = batch.flatMap((packet) => expectedLines(word, hook.interfaces, hook.link, hook.atRule(packet)));
    const isOurs = (text: string): boolean =>
      text.startsWith(word) && text.includes(`IN=${hook.interfaces.inInterface} OUT=${hook.interfaces.outInterface} `);
    const lines = await linesDuring(isOurs, expected.length, () => hook.send(network, batch));
    for (const [at, line] of expected.entries()) {
      const octets = Buffer.from(batch[Math.floor((at * batch.length) / expected.length)]!).toString('hex');
      assert.equal(lines[at], line, `${hook.name}, packet ${octets}, TAGPLANE_SEED=${SEED}`);
    }
    assert.is(lines.length, expected.length);
  }
}

for (const backend of ['nft', 'legacy'] as const) {
  const multi = `xtables-${backend}-multi`;
  const problem = logObstacle(['ip', 'sysctl', 'python3', multi]);
  for (const hook of HOOKS) {
    const name = `${backend} ${hook.name}: every line is the kernel's`;
    if (problem !== undefined) {
      skip(test, name, problem);
      continue;
    }
    test(name, () =>
      withNamespacesLogged(() =>
        withLogNetwork(async (network) => {
          const word = `t${process.pid}${backend[0]}`;
          runIn(network.router, multi, ['iptables-restore'], { input: logTable(word) });
          await compare(network, hook, word, logPackets(hook.ends));
          await compare(
            network,
            hook,
            word,
            fc.sample(randomPackets(hook.ends), { numRuns: RANDOM_PACKETS, seed: SEED }),
          );
        }),
      ),
    );
  }
}

test.run();
