/**
 * What a capture shows and the emulated cells would not have done is reported, with the frame, the tap and the rule; and
 * what follows is not blamed for it.
 *
 * The captures are of real cells (captures/two-cells). They are held against cells with a policy less or more, and against
 * copies of themselves in which single octets or frames are changed.
 */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { capture, FOUNDATION, inDirectory, tagplane } from './command.ts';
import { rewrite, rewriteText } from './rewritten.ts';

const test = suite('cli/journeys-contradictions');

const FRONTEND = capture('frontend-0.eth0.pcap');
const BACKEND = capture('backend-1.eth0.pcap');
const INSIDE = 'cell-b/s-010255002007/eth0';
const CELL_B = capture('cell-b.eth0.pcapng');
const ALLOWED = '  - { source: frontend, destination: backend, protocol: tcp, ports: "61443" }\n';
/** Of cell-b.eth0.pcapng: a SYN to port 9999, which no policy allows. */
const REJECTED_SYN = 60;

interface Sum {
  readonly tap: string;
  readonly agreed: number;
  readonly different: number;
  readonly missing: number;
  readonly unexpected: number;
}

interface Found {
  readonly journey: number | null;
  readonly origin: string;
  readonly verdict: string;
  readonly reason: string;
  readonly rule: { readonly text: string } | null;
  readonly taps: readonly { readonly tap: string; readonly extra?: boolean }[];
  readonly captured: readonly {
    readonly file: string;
    readonly packet: number;
    readonly tap: string;
    readonly found: string;
    readonly differing?: readonly number[];
  }[];
}

async function journeys(words: readonly string[]): Promise<{ taps: Sum[]; journeys: Found[]; code: number | null }> {
  const { code, stdout, stderr } = await tagplane(['replay', ...words, '--json']);
  assert.ok(code === 0 || code === 1, stderr);
  return { ...(JSON.parse(stdout) as { taps: Sum[]; journeys: Found[] }), code };
}

const sumOf = (taps: readonly Sum[], tap: string): Sum => taps.find((one) => one.tap === tap)!;
const at = (tap: string, file: string): string[] => ['--at', `${tap}=${file}`];

test('dropped where the real cell let it pass: missing, with the rule; the rest goes on behind that cell', () =>
  inDirectory(async (directory) => {
    const without = rewriteText(FOUNDATION, join(directory, 'without.yaml'), ALLOWED, '');
    const words = [FRONTEND, BACKEND, ...at('cell-b/eth0', CELL_B), '--foundation', without];
    const found = await journeys([...words, '--fail-on', 'missing']);
    assert.is(found.code, 1);
    const isMissing = ({ captured }: Found): boolean => captured.some((one) => one.found === 'missing');
    const missing = found.journeys.filter((one) => one.journey !== null && isMissing(one));
    const [opening] = missing;
    assert.is(opening!.verdict, 'reject');
    assert.match(opening!.rule!.text, /-j REJECT/);
    assert.equal(
      opening!.captured.filter((one) => one.found === 'missing').map(({ tap }) => tap),
      ['cell-b/s-010255002007/eth0'],
    );
    assert.ok(missing.every(({ reason }) => reason === 'overlay.reject'));
    // What the rejected connection has nothing to do with agrees: three segments of each of its two openings are missing.
    assert.is(missing.length, 6);
    assert.is(sumOf(found.taps, 'cell-b/eth0').agreed, 89);
    const text = await tagplane(['replay', ...words]);
    assert.match(
      text.stdout,
      /^missing: .*backend-1.eth0.pcap packet \d+, cell-b\/s-010255002007\/eth0: journey \d+ ended with reject overlay\.reject on cell-b, overlay--\S+ rule \d+: -A overlay/m,
    );
  }));

test('passed where the real cell rejected: extra behind it, and its answer is missing', () =>
  inDirectory(async (directory) => {
    const more = `${ALLOWED}${ALLOWED.replace('61443', '9999')}`;
    const foundation = rewriteText(FOUNDATION, join(directory, 'more.yaml'), ALLOWED, more);
    const words = [FRONTEND, BACKEND, ...at('cell-b/eth0', CELL_B), '--foundation', foundation];
    const found = await journeys([...words, '--fail-on', 'extra']);
    assert.is(found.code, 1);
    const extra = found.journeys.filter(({ taps }) => taps.some((one) => one.extra === true));
    assert.is(extra.length, 1);
    assert.is(extra[0]!.verdict, 'deliver');
    assert.equal(
      extra[0]!.taps.filter((one) => one.extra === true).map(({ tap }) => tap),
      ['cell-b/s-010255002007/eth0'],
    );
    assert.ok(extra[0]!.captured.some((one) => one.tap === 'cell-b/eth0' && one.packet === REJECTED_SYN));
    // ICMP 3/3, as the cell sent it and as the container got it; the container's own cell has rejected such a SYN, too.
    const alone = found.journeys.filter(({ journey }) => journey === null).flatMap(({ captured }) => captured);
    assert.equal(
      alone.map(({ tap, packet }) => [tap, packet]),
      [
        ['cell-b/eth0', REJECTED_SYN + 1],
        ['cell-a/s-010255001004/eth0', 47],
        ['cell-a/s-010255001004/eth0', 71],
      ],
    );
    assert.is(sumOf(found.taps, 'cell-b/eth0').agreed, 89);
  }));

test('octets changed: differs, at the offsets, and what the tap got goes on', () =>
  inDirectory(async (directory) => {
    const GROUP_ID = 45;
    const WRONG_TAG = 0xc4;
    let changed = 0;
    const file = await rewrite(CELL_B, join(directory, 'changed.pcap'), (frame) => {
      // The first SYN from frontend to port 8080 of backend.
      const isSyn = frame.octets.length === 124 && frame.octets[GROUP_ID] === 1 && frame.octets[97] === 2;
      if (!isSyn || changed > 0) return frame;
      changed = frame.packet;
      const octets = frame.octets.slice();
      octets[GROUP_ID] = WRONG_TAG;
      octets.set([0, 0], 40);
      return { ...frame, octets };
    });
    assert.ok(changed > 0);
    const words = [FRONTEND, ...at('cell-b/eth0', file), '--foundation', FOUNDATION];
    const found = await journeys([...words, '--fail-on', 'differ']);
    assert.is(found.code, 1);
    const different = found.journeys.flatMap((one) =>
      one.captured.filter((seen) => seen.found === 'different').map((seen) => ({ one, seen })),
    );
    assert.is(different.length, 1);
    const [{ one, seen }] = different as [(typeof different)[0]];
    assert.is(seen.packet, changed);
    assert.equal(seen.differing, [40, 41, GROUP_ID]);
    // A packet with that tag is let in by no policy.
    assert.is(one.verdict, 'reject');
  }));

test('an octet behind those that make the name differs, too', () =>
  inDirectory(async (directory) => {
    let changed: { packet: number; at: number } | undefined;
    const file = await rewrite(BACKEND, join(directory, 'changed.pcap'), (frame) => {
      if (changed !== undefined || frame.octets.length < 200 || frame.octets[6] !== 0xaa) return frame;
      const octets = frame.octets.slice();
      changed = { packet: frame.packet, at: octets.length - 1 };
      octets[changed.at]! ^= 0x20;
      return { ...frame, octets };
    });
    const { journeys: found } = await journeys([FRONTEND, ...at(INSIDE, file), '--foundation', FOUNDATION]);
    const seen = found.flatMap(({ captured }) => captured).filter((one) => one.found === 'different');
    assert.equal(
      seen.map(({ packet, differing }) => ({ packet, differing })),
      [{ packet: changed!.packet, differing: [changed!.at] }],
    );
  }));

test('a frame that one capture lacks is extra there, and nothing else is', () =>
  inDirectory(async (directory) => {
    const file = await rewrite(CELL_B, join(directory, 'less.pcap'), (frame) =>
      frame.packet === REJECTED_SYN ? null : frame,
    );
    const { taps } = await journeys([FRONTEND, ...at('cell-b/eth0', file), '--foundation', FOUNDATION]);
    for (const { tap, different, missing, unexpected } of taps) {
      assert.equal([different, missing, unexpected], [0, 0, tap === 'cell-b/eth0' ? 1 : 0], tap);
    }
  }));

test.run();
