/** Policies that change while a capture of a real kernel is replayed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import { createVerdictLines, isFinal } from '../../src/cli/replay/verdict-lines.ts';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { createDataplane } from '../../src/dataplane/setup.ts';
import { type AgentTiming, type ControlEvent, scheduleOf } from '../../src/foundation/schedule.ts';
import { reserve } from '../../src/memory/arena.ts';
import { type Plan, play } from '../../src/replay/player.ts';
import { createTimeline, type Timeline } from '../../src/replay/timeline.ts';
import { countedTable } from '../../src/rules/counted.ts';
import { ROOT } from '../support/shared.ts';
import { foundationAt, OPTIONS, planned } from './support.ts';

const test = suite('scenarios/control');
const CAPTURE = `${ROOT}/captures/two-cells/cell-b.eth0.pcapng`;
const FOUNDATION = foundationAt(`${ROOT}/captures/two-cells/foundation.yaml`);
const WITHOUT = { ...FOUNDATION, policies: [] };
const MILLISECOND = 1e6;
const TIMING: Omit<AgentTiming, 'firstPoll'> = {
  pollInterval: 10 * MILLISECOND,
  groupPollInterval: 10 * MILLISECOND,
  insert: 0,
  fill: 0,
  remove: 0,
};

interface Line {
  readonly packet: number;
  readonly timestamp: string;
  readonly cell: string | null;
  readonly verdict: string;
  readonly reason: string;
  readonly rule: { readonly chain: string; readonly number: number; readonly text: string } | null;
  readonly ctstate: string | null;
  readonly protocol: string | null;
}

interface Replayed {
  readonly lines: readonly Line[];
  readonly dataplane: Dataplane;
  readonly timeline: Timeline | null;
  readonly text: string;
}

async function replay(
  events: ((first: number) => ControlEvent[]) | null,
  timing: Partial<AgentTiming> = {},
  judged: readonly string[] = [],
): Promise<Replayed> {
  const rules = planned(FOUNDATION);
  const arena = judged.length === 1 ? (reserve(2 ** 26) ?? undefined) : undefined;
  const options = { ...OPTIONS, judged, ...(arena === undefined ? {} : { arena }) };
  const dataplane = createDataplane(FOUNDATION, rules, options);
  const reader = await open(await openSource(CAPTURE), arena === undefined ? {} : { arena });
  const lines = createVerdictLines(dataplane, [CAPTURE], () => reader.epochNanoseconds);
  let [text, timeline]: [string, Timeline | null] = ['', null];
  const plan: Plan = (first, epoch) => {
    const all = FOUNDATION.cells.flatMap(({ name }) =>
      scheduleOf(
        name,
        rules.get(name)!.ruleset,
        FOUNDATION,
        events!(first),
        { ...TIMING, firstPoll: first, ...timing },
        epoch,
      ),
    );
    timeline = createTimeline(all.sort((a, b) => a.at - b.at));
    return timeline;
  };
  const playback = await play(
    reader,
    dataplane,
    [
      (burst) => {
        for (let i = 0; i < burst.records.count; i++) if (isFinal(burst, i)) text += lines.line(burst, i);
      },
    ],
    { plan: events === null ? null : plan },
  );
  await reader.close();
  assert.is(playback.damage, null);
  return {
    lines: text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line),
    dataplane,
    timeline,
    text,
  };
}

const removedAt =
  (milliseconds: number) =>
  (first: number): ControlEvent[] => [
    { kind: 'policies', at: first + milliseconds * MILLISECOND, foundation: WITHOUT },
  ];

for (const judged of [[], ['cell-b']]) {
  const which = judged.length === 0 ? 'both cells' : 'one cell, compiled';
  test(`${which}: without policies from the middle on, connections go on and new ones are rejected`, async () => {
    const before = await replay(null, {}, judged);
    const [first] = before.lines;
    let [changed, went] = [0, 0];
    for (const milliseconds of [0, 100, 200, 300, 400, 500]) {
      const after = await replay(removedAt(milliseconds), {}, judged);
      const due = BigInt(first!.timestamp) + BigInt(milliseconds * MILLISECOND);
      for (const [index, line] of after.lines.entries()) {
        const old = before.lines[index]!;
        if (BigInt(line.timestamp) < due) {
          assert.equal(line, old);
        } else if (old.rule?.chain.startsWith('vpa--') && line.ctstate === 'NEW') {
          assert.is(line.verdict, 'reject', `packet ${line.packet}`);
          assert.match(line.rule!.text, /^-A overlay--.* -j REJECT /);
          changed += 1;
        } else if (line.ctstate === 'ESTABLISHED' && old.ctstate === 'ESTABLISHED') {
          assert.is(line.verdict, old.verdict, `packet ${line.packet}`);
          went += 1;
        }
        if (line.rule !== null) assert.ok(line.rule.text.startsWith(`-A ${line.rule.chain} `));
      }
    }
    assert.ok(changed > 20, `${changed} opening packets`);
    assert.ok(went > 50, `${went} packets of known connections`);
  });
}

test('in the window with both chains the old policies still hold', async () => {
  const window = { insert: 10 * MILLISECOND, fill: 5_000 * MILLISECOND, remove: 5_000 * MILLISECOND };
  const before = await replay(null);
  const { lines, timeline } = await replay(removedAt(0), window);
  assert.equal(
    lines.map(({ verdict }) => verdict),
    before.lines.map(({ verdict }) => verdict),
  );
  assert.ok(timeline!.applied.length > 0);
});

test('a schedule that changes nothing gives the same lines and counters', async () => {
  const before = await replay(null);
  const same = await replay((first) => [{ kind: 'policies', at: first, foundation: FOUNDATION }]);
  assert.is(same.text, before.text);
  const counters = ({ dataplane }: Replayed) => dataplane.cells.map((cell) => countedTable(cell.filter, cell.earlier));
  assert.equal(counters(same), counters(before));
  assert.is(same.timeline!.changes.length, 0);
});

test('rules that stay keep their counters through a change', async () => {
  const before = await replay(null);
  // Removed and at once restored: the last chain has the same rules, and packets before the change counted on the old one.
  const again = await replay((first) => [
    { kind: 'policies', at: first + 300 * MILLISECOND, foundation: WITHOUT },
    { kind: 'policies', at: first + 310 * MILLISECOND, foundation: FOUNDATION },
  ]);
  assert.is(again.timeline!.applied.length, 12);
  for (const [index, cell] of before.dataplane.cells.entries()) {
    const changed = again.dataplane.cells[index]!;
    const table = countedTable(changed.filter, changed.earlier);
    for (const chain of countedTable(cell.filter).chains) {
      if (!chain.name.startsWith('overlay--')) continue;
      const packets = chain.rules.map(({ counters }) => counters!.packets);
      const kept = table.chains.find(({ name }) => name === chain.name)!;
      assert.ok(packets.reduce((sum, one) => sum + one, 0) > 0 || cell.name !== 'cell-b');
      for (const [rule, one] of kept.rules.entries()) assert.ok(one.counters!.packets >= packets[rule]!, chain.name);
    }
  }
});

test('after the flush of a restart everything is accepted, and stays so', async () => {
  const { lines } = await replay((first) => [{ kind: 'restart', at: first }]);
  assert.is(lines.filter(({ verdict }) => verdict === 'reject').length, 0);
});

test.run();
