/** The rules of an evaluator with what it has counted, as `iptables-save -c` would find them in the kernel. */
import type { Evaluator, TableCounters } from './evaluator.ts';
import type { Chain, Table } from './model.ts';

/** `earlier` is what its rules had counted before it was made, indexed as its own counters. */
export function countedTable(evaluator: Evaluator, earlier: TableCounters | null = null): Table {
  const { rules } = evaluator;
  const numbers = [...rules.chains.values()].map(({ name, policy }) =>
    policy === null ? -1 : evaluator.prepare(name),
  );
  const own = evaluator.counters();
  const counters = earlier === null ? own : sumOf(own, earlier);
  const chains = [...rules.chains.values()].map((chain, index) =>
    countedChain(chain, numbers[index]!, rules.firstId.get(chain.name)!, counters),
  );
  return { name: rules.name, chains };
}

/** `number` is what `prepare` gave, or -1 for a user-defined chain, whose own counters the kernel does not keep. */
function countedChain(chain: Chain, number: number, first: number, counters: TableCounters): Chain {
  const { packets, bytes, policyPackets, policyBytes } = counters;
  return {
    ...chain,
    counters: number < 0 ? null : { packets: policyPackets[number]!, bytes: policyBytes[number]! },
    rules: chain.rules.map((rule, index) => ({
      ...rule,
      counters: { packets: packets[first + index]!, bytes: bytes[first + index]! },
    })),
  };
}

export const sumOf = (one: TableCounters, other: TableCounters): TableCounters => ({
  packets: one.packets.map((value, index) => value + other.packets[index]!),
  bytes: one.bytes.map((value, index) => value + other.bytes[index]!),
  policyPackets: one.policyPackets.map((value, index) => value + other.policyPackets[index]!),
  policyBytes: one.policyBytes.map((value, index) => value + other.policyBytes[index]!),
});
