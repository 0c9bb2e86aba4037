/** What a compiled built-in chain looks like, as plain data for people: `tagplane policy --plan` prints it. */
import type { CompiledTable } from './compile.ts';
import { ACTION } from './flatten.ts';
import { BARRIER, ENTRY_WORDS, type Plan, SLICED, SLOT_WORDS } from './plan.ts';
import { slicedFields } from './slices.ts';
import { nameOf, type Shape, shapeOf } from './tuples.ts';

export interface PlanDescription {
  readonly chain: string;
  readonly policy: 'ACCEPT' | 'DROP';
  /** Entries that are looked up, and unconditional rules whose counts are derived. */
  readonly entries: number;
  readonly derived: number;
  readonly tuples: readonly TupleDescription[];
  /** Jumps that are asked where they stand instead of in front of every rule of their target, by rule id. */
  readonly barriers: readonly number[];
  /** Chains that got sections of their own, by number, and the rules that call them. */
  readonly calledChains: readonly number[];
  readonly calls: number;
  /** Octets of hash tables, entries and lists. */
  readonly octets: number;
}

export interface TupleDescription {
  /** Such as `destination/32 protocol mark`; empty for the list that every packet walks. */
  readonly fields: string;
  readonly entries: number;
  readonly buckets: number;
  readonly longestBucket: number;
  /** Buckets that were cut by destination port (`intervals.ts`), and by every field (`slices.ts`). */
  readonly cutBuckets: number;
  readonly slicedBuckets: number;
  /** What the longest bucket in slices is cut by; empty without one. */
  readonly slicedBy: readonly { readonly field: string; readonly intervals: number }[];
  /** Entries that want more than these fields exactly, and how many shapes they are of: too few of each for tables of their own. */
  readonly guests: number;
  readonly guestShapes: number;
  /** Slots of its hash table, a power of two. */
  readonly slots: number;
}

/** Describe the plan for regular packets. */
export function describe({ name, accepts, regular: plan }: ReturnType<CompiledTable['matcher']>): PlanDescription {
  const barriers: number[] = [];
  let calls = 0;
  for (let at = 0; at < plan.entries.length; at += ENTRY_WORDS) {
    if ((plan.entries[at]! & BARRIER) !== 0) barriers.push(plan.entries[at + 1]!);
    if ((plan.entries[at]! & 0xff) === ACTION.CALL) calls += 1;
  }
  const arrays = [plan.slots, plan.entries, plan.positions, plan.cuts, plan.program];
  const derived = plan.flat.entries.filter((one) => one === null).length;
  return {
    chain: name,
    policy: accepts ? 'ACCEPT' : 'DROP',
    entries: plan.flat.entries.length - derived,
    derived,
    tuples: Array.from({ length: plan.tuples }, (_, tuple) => describeTuple(plan, tuple)),
    barriers,
    calledChains: plan.flat.called,
    calls,
    octets: arrays.reduce((sum, array) => sum + array.byteLength, 0),
  };
}

function describeTuple(plan: Plan, tuple: number): TupleDescription {
  const slots = plan.sizes[tuple]! + 1;
  let [entries, buckets, longestBucket, cutBuckets, slicedBuckets, longestSliced] = [0, 0, 0, 0, 0, 0];
  let slicedBy: TupleDescription['slicedBy'] = [];
  const shape = tupleShape(plan, tuple);
  const guests: string[] = [];
  for (let slot = 0; slot < slots; slot += 1) {
    const at = plan.offsets[tuple]! + slot * SLOT_WORDS;
    const [first, end, how] = [plan.slots[at + 4]!, plan.slots[at + 5]!, plan.slots[at + 6]!];
    const length = end - first;
    if (length === 0) continue;
    buckets += 1;
    entries += length;
    longestBucket = Math.max(longestBucket, length);
    if (how >= 0) cutBuckets += 1;
    if (how <= SLICED) slicedBuckets += 1;
    if (how <= SLICED && length > longestSliced) {
      longestSliced = length;
      slicedBy = slicedFields(plan.cuts, SLICED - how);
    }
    for (const position of plan.positions.subarray(first, end)) {
      const own = nameOf(shapeOf(plan.flat.entries[position]!));
      if (own !== nameOf(shape)) guests.push(own);
    }
  }
  const guestShapes = new Set(guests).size;
  const cut = { longestBucket, cutBuckets, slicedBuckets, slicedBy };
  return { fields: fieldsOf(shape), entries, buckets, ...cut, guests: guests.length, guestShapes, slots };
}

const tupleShape = (plan: Plan, tuple: number): Shape => ({
  source: plan.sourceMasks[tuple]!,
  destination: plan.destinationMasks[tuple]!,
  mark: plan.markMasks[tuple]!,
  rest: plan.restMasks[tuple]!,
});

function fieldsOf({ source, destination, mark, rest }: Shape): string {
  const fields: string[] = [];
  if (source !== 0) fields.push(`source/${prefixOf(source)}`);
  if (destination !== 0) fields.push(`destination/${prefixOf(destination)}`);
  if ((rest & 0xff) !== 0) fields.push('protocol');
  if (mark !== 0) fields.push('mark');
  if ((rest & 0xfff00) !== 0) fields.push('in-interface');
  if (rest >>> 20 !== 0) fields.push('out-interface');
  return fields.join(' ');
}

/** A prefix length, or the mask in hexadecimal when it has holes. */
function prefixOf(mask: number): string {
  const length = Math.clz32(~mask);
  return mask << length === 0 || length === 32 ? `${length}` : `0x${(mask >>> 0).toString(16)}`;
}

/** The description as text: a line for each tuple, and behind it why it is as it is. */
export function printPlan(plan: PlanDescription): string {
  const lines = [
    `${plan.chain} (policy ${plan.policy}): ${plan.entries} entries, ${plan.derived} derived counters, ${plan.octets} octets`,
  ];
  for (const tuple of plan.tuples) lines.push(...printTuple(tuple));
  if (plan.barriers.length > 0) {
    lines.push(`  ${plan.barriers.length} jumps asked in place: their limits or marks may change on the way`);
  }
  if (plan.calledChains.length > 0) {
    lines.push(`  ${plan.calledChains.length} chains called ${plan.calls} times: copies would outgrow the budget`);
  }
  return `${lines.join('\n')}\n`;
}

function printTuple(tuple: TupleDescription): string[] {
  const { fields, entries, buckets, longestBucket, cutBuckets, slicedBuckets, slicedBy, guests, guestShapes } = tuple;
  const where = fields === '' ? 'every packet' : fields;
  const byPort = cutBuckets > 0 ? `, ${cutBuckets} cut by destination port` : '';
  const byField = slicedBuckets > 0 ? `, ${slicedBuckets} cut by every field` : '';
  const cut = `(longest ${longestBucket}${byPort}${byField})`;
  const lines = [`  by ${where}: ${entries} entries in ${buckets} buckets ${cut}, ${tuple.slots} slots`];
  if (guests > 0) {
    const shapes = guestShapes === 1 ? 'one narrower shape' : `${guestShapes} narrower shapes`;
    lines.push(`    ${guests} of them of ${shapes}: one more list to walk costs less than one more table to ask`);
  }
  if (slicedBuckets > 0) {
    const intervals = slicedBy.map(({ field, intervals: count }) => `${field} (${count})`).join(', ');
    lines.push(`    ports alone leave long lists, so bits of these intervals are ANDed: ${intervals}`);
  }
  return lines;
}
