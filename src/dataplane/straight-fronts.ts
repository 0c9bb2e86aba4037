/** The fronts of a plan (rules/front.ts) for compiled code. */
import { createFronts, FRONT_WORDS } from '../rules/front.ts';
import { RULE_VERDICT } from '../rules/packet.ts';
import { ENTRY_WORDS, type Plan } from '../rules/plan.ts';
import { wayOfOne } from '../rules/ways.ts';
import type { Cell } from './cell.ts';
import {
  CONTAINERS,
  CONTAINERS_MASK,
  FRONT_COUNT,
  FRONT_FIELDS,
  FRONT_MISS,
  FRONT_SLOTS,
  FRONT_SUMS,
  FRONT_TABLES,
} from './control-block.ts';
import type { Straight } from './straight.ts';
import { VERDICT } from './verdict.ts';

/** Where reason and verdict stand in what was said of a packet. */
const REASON_SHIFT = 23;
const NEW_CONNECTION = 2 << 30;
const VERDICT_SHIFT = 20;

/** Make the fronts of `plan`, of which there are none when they have no place in the arena. Its ways may move. */
export function makeFronts({ control, arena }: Straight, cell: Cell, plan: Plan): void {
  const { buffer } = arena.memory!;
  const containers = new Set<number>();
  const table = new Int32Array(buffer, control[CONTAINERS], (control[CONTAINERS_MASK]! + 1) * 2);
  for (let at = 0; at < table.length; at += 2) if (table[at + 1] !== 0) containers.add(table[at]! >>> 0);
  const fronts = createFronts(plan, {
    inInterface: cell.vtepInterface,
    isMeant: (destination) => containers.has(destination),
    say: (position) => sayAlone(cell, plan, position),
    arena,
  });
  const isWithinReach = fronts.words.buffer === buffer && fronts.sums.buffer === buffer;
  plan.fronts = isWithinReach ? fronts : { ...fronts, tables: [], miss: -1 };
}

/** Tell the compiled code of the fronts of the plan, if it has any. */
export function bindFronts({ control }: Straight, { fronts, slots }: Plan): void {
  control[FRONT_COUNT] = fronts?.tables.length ?? 0;
  if (fronts === null) return;
  const { words, sums, tables, miss } = fronts;
  control[FRONT_SLOTS] = words.byteOffset;
  control[FRONT_SUMS] = sums.byteOffset;
  for (const [index, { first, mask, source, what }] of tables.entries()) {
    const at = words.byteOffset + first * FRONT_WORDS * 4;
    control.set([at, mask, source, what], FRONT_TABLES + index * FRONT_FIELDS);
  }
  control[FRONT_MISS] = miss < 0 ? 0 : slots.byteOffset + miss * 4;
}

/** What is said of a new connection's packet that the entry at `position` decides: as `noteWay` of native/run.h. */
function sayAlone({ reasons }: Cell, { entries, ways }: Plan, position: number): readonly [said: number, rule: number] {
  const way = wayOfOne(ways, position);
  const [action, rule] = [entries[position * ENTRY_WORDS]!, entries[position * ENTRY_WORDS + 1]!];
  const verdict =
    action === RULE_VERDICT.ACCEPT ? VERDICT.DELIVER : action === RULE_VERDICT.REJECT ? VERDICT.REJECT : VERDICT.DROP;
  const said = (reasons[rule]! << REASON_SHIFT) | (verdict << VERDICT_SHIFT);
  return [way < 0 ? said : said | NEW_CONNECTION | way, rule];
}
