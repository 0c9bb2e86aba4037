/**
 * Known: what all packets of a kind have in common, and what is left of a rule's conditions for them.
 *
 * A plan for such packets leaves out the rules that none of them can match, and does not ask what all of them fulfil. Most
 * packets of a cell are of one kind: out of the tunnel, for a container. Of silk's chains only policies and the
 * overlay chain's last words remain for them.
 */
import { type Condition, isFence, OP } from './condition.ts';
import { covers, type InterfaceNames } from './interfaces.ts';

export interface Known {
  readonly inInterface: number;
  /** One of these, by number. */
  readonly outInterfaces: ReadonlySet<number>;
  /** The only bits that may be set in the mark as the walk begins. */
  readonly markBits: number;
}

const NEVER: readonly Condition[] = [{ op: OP.NEVER, negated: false, a: 0, b: 0 }];

/**
 * What `conditions` come to for packets that are `known`. `patterns` are those of IN_PATTERN and OUT_PATTERN; `marks` says whether
 * rules may change the mark in mid-walk, so that nothing is known of it.
 */
export function simplified(
  conditions: readonly Condition[],
  known: Known,
  patterns: readonly string[],
  interfaces: InterfaceNames,
  marks: boolean,
): readonly Condition[] {
  const left: Condition[] = [];
  let fenced = false;
  for (const one of conditions) {
    fenced ||= isFence(one);
    const holds = answer(one, known, patterns, interfaces, marks);
    // What is behind a meter is asked after the meter was charged.
    if (holds === false && !fenced) return NEVER;
    if (holds !== true) left.push(one);
  }
  return left;
}

/** Whether all known packets fulfil a condition, or none; null when it depends. */
function answer(
  { op, negated, a, b }: Condition,
  { inInterface, outInterfaces, markBits }: Known,
  patterns: readonly string[],
  interfaces: InterfaceNames,
  marks: boolean,
): boolean | null {
  const outs = (isMeant: (number: number) => boolean): boolean | null => {
    const meant = [...outInterfaces].filter(isMeant).length;
    if (meant === 0) return negated;
    return meant === outInterfaces.size ? !negated : null;
  };
  switch (op) {
    case OP.IN:
      return (a === inInterface) !== negated;
    case OP.IN_PATTERN:
      return covers(patterns[a]!, interfaces.name(inInterface)) !== negated;
    case OP.OUT:
      return outInterfaces.has(a) ? outs((number) => number === a) : negated;
    case OP.OUT_PATTERN:
      return outs((number) => covers(patterns[a]!, interfaces.name(number)));
    case OP.MARK:
      // A value that `& mask` cannot give is never met either.
      return !marks && (a & ~(b & markBits)) !== 0 ? negated : null;
    default:
      return null;
  }
}
