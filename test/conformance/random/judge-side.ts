/**
 * A case through tagplane's judge: each cell by itself, fed with what came into it on the kernel, in that order and at
 * those times.
 */
import { create as createRecords } from '../../../src/capture/burst.ts';
import { type Burst, create as createBurst, HELD } from '../../../src/dataplane/burst.ts';
import type { Dataplane } from '../../../src/dataplane/dataplane.ts';
import { exchange } from '../../../src/dataplane/exchange.ts';
import { finish, judge } from '../../../src/dataplane/judge.ts';
import { fill as fillLate } from '../../../src/dataplane/late.ts';
import { createDataplane } from '../../../src/dataplane/setup.ts';
import { REASONS, VERDICT_NAMES } from '../../../src/dataplane/verdict.ts';
import type { Evaluator } from '../../../src/rules/evaluator.ts';
import { type Count, ruleName } from './kernel.ts';
import type { Epoch } from './rules.ts';
import type { Case } from './step.ts';
import type { Event } from './wire-lab.ts';

export interface Judgement {
  readonly ctstate: number;
  readonly verdict: string;
  readonly reason: string;
  /** `CHAIN NUMBER` of the rule that decided; empty when none did. */
  readonly rule: string;
}

export interface JudgedEpoch {
  /** In the order of the arrivals; null for a fragment that waited until the end. */
  readonly judgements: readonly Judgement[];
  readonly counts: ReadonlyMap<string, Count>;
}

const OPTIONS = { vxlanPort: 4789, strictChecksums: true, windows: true, connectionLimit: 1 << 20 };

/** A dataplane with the rules of `epoch`: that of the epoch before, in which only the rules are others. */
function enterEpoch(one: Case, epoch: Epoch, name: string, before: Dataplane | null): Dataplane {
  if (before !== null) {
    exchange(before, before.cells.find((cell) => cell.name === name)!, epoch.rules.get(name)!);
    return before;
  }
  const rules = new Map([...epoch.rules].map(([cell, ruleset]) => [cell, { ruleset, backend: one.backend }]));
  return createDataplane(epoch.foundation, rules, { ...OPTIONS, judged: [name] });
}

function decidedBy(dataplane: Dataplane, cell: number, rule: number): string {
  if (cell < 0 || rule < 0) return '';
  const place = dataplane.cells[cell]!.filter.rules.rules[rule]!;
  return `${place.chain.name} ${place.chain.rules.indexOf(place.rule) + 1}`;
}

/** Counters of the rules of `evaluator`, by `ruleName`. */
export function countsOf(evaluator: Evaluator): Map<string, Count> {
  const { packets, bytes } = evaluator.counters();
  const { name, rules } = evaluator.rules;
  return new Map(
    rules.map(({ chain, rule }, id): [string, Count] => [
      ruleName(name, chain.name, chain.rules.indexOf(rule) + 1),
      [packets[id]!, bytes[id]!],
    ]),
  );
}

/** Judge the arrivals at `cell`, epoch by epoch. `origin` is the moment that counts as time 0. */
export function judgeCell(
  one: Case,
  cell: string,
  epochs: readonly { readonly epoch: Epoch; readonly arrivals: readonly Event[] }[],
  origin: bigint,
): JudgedEpoch[] {
  const judgements: (Judgement | undefined)[] = [];
  const ends: { from: number; until: number; counts: Map<string, Count> }[] = [];
  const [burst, lateBurst] = [createBurst(), createBurst(createRecords())];
  let dataplane: Dataplane | null = null;
  const observe = (seen: Burst): void => {
    for (let i = 0; i < seen.records.count; i++) {
      if (seen.verdict[i] === HELD) continue;
      judgements[seen.records.packet[i]! - 1] = {
        ctstate: seen.ctstate[i]!,
        verdict: VERDICT_NAMES[seen.verdict[i]!]!,
        reason: REASONS[seen.reason[i]!]!.code,
        rule: decidedBy(dataplane!, seen.cell[i]!, seen.rule[i]!),
      };
    }
  };
  const settle = (): void => {
    while (dataplane!.late.length > 0) {
      fillLate(lateBurst, dataplane!.late);
      observe(lateBurst);
    }
  };
  let number = 0;
  for (const { epoch, arrivals } of epochs) {
    dataplane = enterEpoch(one, epoch, cell, dataplane);
    const from = number;
    for (const event of arrivals) {
      number += 1;
      fillOne(burst, event, number, Number(event.time - origin));
      judge(dataplane, burst);
      observe(burst);
      settle();
    }
    ends.push({ from, until: number, counts: countsOf(dataplane.cells.find(({ name }) => name === cell)!.filter) });
  }
  if (dataplane !== null) {
    finish(dataplane);
    settle();
  }
  return ends.map(({ from, until, counts }) => ({ judgements: judgements.slice(from, until) as Judgement[], counts }));
}

function fillOne({ records }: Burst, { octets }: Event, packet: number, time: number): void {
  records.octets = octets;
  records.view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  records.at[0] = 0;
  records.end[0] = octets.length;
  records.originalLength[0] = octets.length;
  records.time[0] = time;
  records.linkType[0] = 1;
  records.interfaceIndex[0] = 0;
  records.file[0] = 0;
  records.packet[0] = packet;
  records.offset[0] = 0;
  records.count = 1;
}
