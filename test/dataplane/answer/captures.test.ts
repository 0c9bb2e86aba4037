/**
 * ICMP errors in captures of real kernels: what they quote, answered again, gives the same octets. IP id and TTL are the
 * captured ones; where a container and its cell sit, the source is what source-address.ts says.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create as createBurst, type RecordBurst } from '../../../src/capture/burst.ts';
import { openSource } from '../../../src/capture/file.ts';
import { open } from '../../../src/capture/reader.ts';
import { createIcmpError, writeIcmpError } from '../../../src/dataplane/answer/icmp-error.ts';
import * as icmp from '../../../src/wire/icmp.ts';
import * as ipv4 from '../../../src/wire/ipv4.ts';
import { locate } from '../../../src/wire/layers.ts';
import { PORT, PROTOCOL } from '../../../src/wire/protocol.ts';
import { create as createLayers, type Stack } from '../../../src/wire/stack.ts';
import { ROOT, shared, sharedTest } from '../../support/shared.ts';
import { address } from '../packets.ts';

const test = suite('dataplane/answer/captures');

interface Found {
  readonly source: number;
  readonly timeToLive: number;
  readonly captured: string;
  readonly rebuilt: string | number;
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** The ICMP error at `stack`, and the same error made from its quote; undefined for other packets and cut ones. */
function readError(burst: RecordBurst, stack: Stack): Found | undefined {
  const { view, octets } = burst;
  const at = stack.transport;
  if (at < 0 || stack.protocol !== PROTOCOL.ICMP || stack.version !== 4 || stack.end !== stack.wireEnd)
    return undefined;
  if (!icmp.isError(icmp.type(view, at))) return undefined;
  const error = createIcmpError();
  error.type = icmp.type(view, at);
  error.code = icmp.code(view, at);
  error.information = view.getUint32(at + 4);
  error.source = ipv4.source(view, stack.network);
  error.identification = ipv4.identification(view, stack.network);
  error.timeToLive = ipv4.timeToLive(view, stack.network);
  const into = new Uint8Array(600);
  const length = writeIcmpError(view, icmp.payloadStart(view, at), stack.end, error, new DataView(into.buffer), 0);
  return {
    source: error.source,
    timeToLive: error.timeToLive,
    captured: hex(octets.subarray(stack.network, stack.end)),
    rebuilt: length > 0 ? hex(into.subarray(0, length)) : length,
  };
}

async function errorsIn(path: string): Promise<Found[]> {
  const reader = await open(await openSource(path));
  const burst = createBurst();
  const layers = createLayers();
  const found: Found[] = [];
  do {
    while (reader.fill(burst) > 0) {
      for (let i = 0; i < burst.count; i += 1) {
        const start = burst.at[i]!;
        const wireEnd = start + burst.originalLength[i]!;
        locate(burst.view, start, burst.end[i]!, wireEnd, burst.linkType[i]!, PORT.VXLAN, layers);
        const error = readError(burst, layers.vxlan < 0 ? layers.outer : layers.inner);
        if (error !== undefined) found.push(error);
      }
    }
  } while (await reader.refill());
  await reader.close();
  return found;
}

async function checkFolder(folder: string): Promise<Found[]> {
  const all: Found[] = [];
  for (const name of readdirSync(folder).filter((one) => /\.pcap(?:ng)?$/.test(one))) {
    for (const found of await errorsIn(join(folder, name))) {
      assert.is(found.rebuilt, found.captured, `${folder}/${name}`);
      all.push(found);
    }
  }
  return all;
}

for (const name of ['two-cells', 'logging-legacy', 'offload']) {
  test(`${name}: every ICMP error is made again from its quote`, async () => {
    const folder = join(ROOT, 'captures', name);
    assert.ok(existsSync(folder));
    assert.ok((await checkFolder(folder)).length > 0);
  });
}

sharedTest(
  test,
  'captures/linux-kernel-6.18-flows',
  'shared captures of another run: so is every one of theirs',
  async () => {
    assert.ok((await checkFolder(shared('captures/linux-kernel-6.18-flows'))).length > 150);
  },
);

sharedTest(test, 'lab/taps', 'lab taps: the addresses that cells answer from', async () => {
  assert.ok((await checkFolder(shared('lab/taps'))).length > 20);
  const sources = async (tap: string): Promise<[number, number][]> =>
    (await errorsIn(shared('lab/taps', tap))).map(({ source, timeToLive }) => [source, timeToLive]);
  assert.equal(await sources('deny.0.cA1.eth0.pcap'), [[address('10.255.2.0'), 63]]);
  assert.equal(await sources('samecell.0.cA1.eth0.pcap'), [[address('169.254.0.1'), 64]]);
  assert.equal(await sources('ttl1.0.cA1.eth0.pcap'), [[address('169.254.0.1'), 64]]);
});

test.run();
