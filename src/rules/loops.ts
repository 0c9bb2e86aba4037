/** Chains that jump in a circle. The kernel refuses them, and every walk over rules relies on that. */
import { RuleError } from './error.ts';
import type { Word } from './text/words.ts';

export interface Jump {
  readonly from: string;
  readonly to: string;
  /** The chain's name in the rule. */
  readonly at: Word;
}

interface Visit {
  readonly chain: string;
  readonly jumps: readonly Jump[];
  next: number;
}

/** Fail at the jump that closes a circle. Walks without recursion: a file may nest chains as deep as it likes. */
export function checkLoops(jumps: readonly Jump[]): void {
  const byChain = new Map<string, Jump[]>();
  for (const jump of jumps) {
    const known = byChain.get(jump.from);
    if (known === undefined) byChain.set(jump.from, [jump]);
    else known.push(jump);
  }
  const visit = (chain: string): Visit => ({ chain, jumps: byChain.get(chain) ?? [], next: 0 });
  const done = new Set<string>();
  const open = new Set<string>();
  for (const start of byChain.keys()) {
    if (done.has(start)) continue;
    const path = [visit(start)];
    open.add(start);
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const jump = last.jumps[last.next++];
      if (jump === undefined) {
        open.delete(last.chain);
        done.add(last.chain);
        path.pop();
      } else if (open.has(jump.to)) {
        throw new RuleError('ERR_RULE_CHAIN', jump.at, `this jump closes a circle: ${circle(path, jump.to)}`);
      } else if (!done.has(jump.to)) {
        path.push(visit(jump.to));
        open.add(jump.to);
      }
    }
  }
}

const SHOWN_CHAINS = 8;

function circle(path: readonly Visit[], to: string): string {
  const chains = path.slice(path.findIndex(({ chain }) => chain === to)).map(({ chain }) => chain);
  const shown = chains.length > SHOWN_CHAINS ? [...chains.slice(0, SHOWN_CHAINS), '...'] : chains;
  return [...shown, to].join(' -> ');
}
