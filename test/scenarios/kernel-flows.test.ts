/**
 * VXLAN-GBP traffic of a real kernel between two cells, taken on the underlay: a frame was rejected exactly if the
 * capture holds an ICMP port unreachable that quotes it; everything else that
 * entered a cell was let through.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as bursts from '../../src/capture/burst.ts';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import * as icmp from '../../src/wire/icmp.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import { locate } from '../../src/wire/layers.ts';
import { PROTOCOL } from '../../src/wire/protocol.ts';
import * as stack from '../../src/wire/stack.ts';
import { ROOT, shared, sharedTest } from '../support/shared.ts';
import { foundationAt, judgeWith, planned } from './support.ts';

const test = suite('scenarios/kernel-flows');
const FOLDER = 'captures/linux-kernel-6.18-flows';
const FOUNDATION = `${ROOT}/test/fixtures/kernel-flows.yaml`;

/** What an ICMP error quotes at least: addresses, IP identification, and the first eight octets of the payload. */
function identity(view: DataView, at: number): string {
  const payload = ipv4.payloadStart(view, at);
  const words = [
    ipv4.source(view, at),
    ipv4.destination(view, at),
    ipv4.identification(view, at),
    ipv4.protocol(view, at),
  ];
  return [...words, view.getUint32(payload), view.getUint32(payload + 4)].join(' ');
}

/** Numbers of the VXLAN packets of a capture, and of those that an ICMP 3/3 in it quotes. */
async function answered(path: string): Promise<{ tunnelled: Set<number>; rejected: Set<number> }> {
  const reader = await open(await openSource(path));
  const burst = bursts.create();
  const layers = stack.create();
  const numbers = new Map<string, number[]>();
  const quoted = new Set<string>();
  const tunnelled = new Set<number>();
  do {
    while (reader.fill(burst) > 0) {
      for (let i = 0; i < burst.count; i++) {
        const { view, at, end, originalLength } = burst;
        locate(view, at[i]!, end[i]!, at[i]! + originalLength[i]!, burst.linkType[i]!, 4789, layers);
        const { inner, vxlan } = layers;
        if (vxlan < 0 || inner.version !== 4 || inner.end - inner.network < 28) continue;
        tunnelled.add(burst.packet[i]!);
        const key = identity(view, inner.network);
        numbers.set(key, [...(numbers.get(key) ?? []), burst.packet[i]!]);
        const isIcmp = inner.protocol === PROTOCOL.ICMP && inner.transport >= 0;
        if (isIcmp && icmp.type(view, inner.transport) === 3 && icmp.code(view, inner.transport) === 3) {
          quoted.add(identity(view, inner.payload));
        }
      }
    }
  } while (await reader.refill());
  await reader.close();
  return { tunnelled, rejected: new Set([...quoted].flatMap((key) => numbers.get(key) ?? [])) };
}

for (const [name, rejects] of [
  ['small', 5],
  ['nano-snap128', 20],
  ['udpfrag', 10],
  ['offload-gso', 10],
  ['large', 225],
] as const) {
  sharedTest(test, FOLDER, `${name}: rejected exactly if answered with ICMP 3/3, delivered otherwise`, async () => {
    const path = shared(FOLDER, `kernel-gbp-${name}.pcap`);
    const { tunnelled, rejected } = await answered(path);
    const foundation = foundationAt(FOUNDATION);
    const judged = await judgeWith(path, foundation, planned(foundation));
    for (const { packet, verdict, reason } of judged) {
      if (!tunnelled.has(packet)) continue;
      const expected = rejected.has(packet) ? 'reject' : 'deliver';
      assert.is(verdict, expected, `${name} packet ${packet}: ${verdict} (${reason})`);
    }
    assert.ok(rejected.size >= rejects - rejects / 5, `${rejected.size} rejects in ${name}`);
  });
}

test.run();
