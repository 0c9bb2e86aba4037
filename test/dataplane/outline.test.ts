/** Outlines of frames with octets changed at random, held against the general location of layers, in every kind of compiled code. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/capture/reader.ts';
import { fromOctets } from '../../src/capture/source.ts';
import { create } from '../../src/dataplane/burst.ts';
import { createMatcher, locateAll, type Matcher } from '../../src/dataplane/match.ts';
import { HEADER_AT, OUTLINE, OUTLINE_WORDS } from '../../src/dataplane/outline.ts';
import { plan } from '../../src/foundation/plan.ts';
import { reserve } from '../../src/memory/arena.ts';
import type { MakeLoops } from '../../src/memory/loops.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import { locate } from '../../src/wire/layers.ts';
import * as stack from '../../src/wire/stack.ts';
import * as udp from '../../src/wire/udp.ts';
import * as vxlan from '../../src/wire/vxlan.ts';
import { join, pcapHeader, pcapRecord } from '../capture/build.ts';
import { createRandom } from '../support/evaluation.ts';
import { loopsTest } from '../support/loops.ts';
import { dataplaneOf, FOUNDATION, frameOf, packetsOfLongWalks } from './plain-packets.ts';

const test = suite('dataplane: outline');
const FRAMES = 6000;
const HEADERS = 110;

/** Frames of which every third has one octet of its headers changed, and every ninth is cut. */
function framesOf(seed: number): Uint8Array[] {
  const random = createRandom(seed);
  return packetsOfLongWalks(FRAMES, seed).map((packet, index) => {
    const frame = frameOf(packet);
    if (index % 3 === 0) {
      const at = random(Math.min(HEADERS, frame.length));
      frame[at] = random(2) === 0 ? random(256) : frame[at]! ^ (1 << random(8));
    }
    return index % 9 === 0 ? frame.subarray(0, 1 + random(frame.length)) : frame;
  });
}

/** Hold an outline of the matcher's against the layers of the frame. */
function same(outlines: Uint32Array, row: number, view: DataView, layers: stack.Layers): void {
  const of = (word: number): number => outlines[row * OUTLINE_WORDS + word]!;
  const { outer, inner } = layers;
  const start = of(OUTLINE.START);
  assert.equal(
    [outer.link, outer.network, outer.transport, outer.end],
    [start, start + HEADER_AT.NETWORK, start + HEADER_AT.TRANSPORT, start + (of(OUTLINE.ENDS) & 0xffff)],
  );
  assert.equal(
    [layers.vxlan, inner.link, inner.network, inner.transport, inner.payload, inner.end],
    [
      start + HEADER_AT.VXLAN,
      start + HEADER_AT.INNER_LINK,
      start + HEADER_AT.INNER_NETWORK,
      start + HEADER_AT.INNER_TRANSPORT,
      start + HEADER_AT.INNER_TRANSPORT + (of(OUTLINE.TRANSPORT) >>> 8),
      start + (of(OUTLINE.ENDS) >>> 16),
    ],
  );
  assert.equal(
    [inner.protocol, vxlan.mark(view, layers.vxlan), ipv4.source(view, inner.network), inner.end - inner.network],
    [of(OUTLINE.TRANSPORT) & 0xff, of(OUTLINE.MARK), of(OUTLINE.SOURCE), of(OUTLINE.OCTETS)],
  );
  // Ports stand where those of UDP do, in TCP too.
  assert.equal(
    [
      ipv4.destination(view, inner.network),
      udp.sourcePort(view, inner.transport),
      udp.destinationPort(view, inner.transport),
    ],
    [of(OUTLINE.DESTINATION), of(OUTLINE.PORTS) >>> 16, of(OUTLINE.PORTS) & 0xffff],
  );
}

/** A frame without an outline is one of another shape: an option, a fragment, a header that is refused, no tunnel. */
function isOther({ outer, inner, vxlan: tunnel }: stack.Layers, view: DataView): boolean {
  if (outer.fault !== 0 || tunnel < 0 || inner.fault !== 0 || outer.vlanCount + inner.vlanCount > 0) return true;
  if (outer.version !== 4 || inner.version !== 4 || (inner.protocol !== 6 && inner.protocol !== 17)) return true;
  const hasOptions = [outer, inner].some(({ network }) => ipv4.headerLength(view, network) !== 20);
  const isCut = [outer, inner].some(({ end, wireEnd }) => end < wireEnd);
  return hasOptions || isCut || [outer, inner].some(({ network }) => ipv4.isFragment(view, network));
}

/** Locate everything; gives the numbers of the frames without an outline. */
async function locateFrames(capture: Uint8Array, makeLoops: MakeLoops): Promise<number[]> {
  const arena = reserve(2 ** 27, makeLoops)!;
  const dataplane = dataplaneOf(plan(FOUNDATION, 'b'), 1000, arena);
  const matcher: Matcher = createMatcher(dataplane, arena);
  const burst = create(undefined, arena);
  const layers = stack.create();
  const others: number[] = [];
  let seen = 0;
  const reader = await open(fromOctets(capture, 'test.pcap'), { arena, chunkLength: 1 << 15 });
  const packets = await locateAll(reader, matcher, burst, (other) => {
    const { view, at, end, originalLength, linkType, packet, count } = burst.records;
    others.push(packet[other]!);
    const isFirst = others.at(-2) === undefined || others.at(-2)! < packet[0]!;
    for (let row = isFirst ? 0 : other; row < (isFirst ? count : other + 1); row++) {
      locate(view, at[row]!, end[row]!, at[row]! + originalLength[row]!, linkType[row]!, 4789, layers);
      if (row === other) assert.ok(isOther(layers, view), `packet ${packet[row]}`);
      if (matcher.outlines[row * OUTLINE_WORDS + OUTLINE.TRANSPORT] === 0) continue;
      same(matcher.outlines, row, view, layers);
      seen += 1;
    }
  });
  assert.is(packets, FRAMES);
  assert.ok(seen > FRAMES / 3, `${seen} outlines`);
  return others;
}

loopsTest(test, 'frames changed at random', async (makeLoops) => {
  for (const seed of [1, 2, 3]) {
    const records = framesOf(seed).map((frame, index) => pcapRecord(1_700_000_000 + index, 0, frame));
    const capture = join(pcapHeader(), ...records);
    assert.equal(await locateFrames(capture, makeLoops), await locateFrames(capture, () => null));
  }
});

test.run();
