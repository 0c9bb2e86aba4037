/** The rules of every cell: those of its file, or what silk and the policy agent would write. */
import type { CellRules } from '../../dataplane/setup.ts';
import type { Foundation, Policy } from '../../foundation/model.ts';
import { plan } from '../../foundation/plan.ts';
import type { Backend } from '../../rules/evaluator.ts';
import type { RulesFile } from './rules.ts';
import { listed } from './text.ts';

type RulesFiles = ReadonlyMap<string, RulesFile>;

/** Rules by cell name, in the order of the cells. `backend` runs those that are planned. Throws FoundationError. */
export function rulesOf(foundation: Foundation, files: RulesFiles, backend: Backend): Map<string, CellRules> {
  const policies = policiesByCell(foundation);
  const rulesFor = (name: string): CellRules => {
    const file = files.get(name);
    if (file !== undefined) return { ruleset: file.ruleset, backend: file.backend };
    return { ruleset: plan({ ...foundation, policies: policies.get(name) ?? [] }, name), backend };
  };
  return new Map(foundation.cells.map(({ name }) => [name, rulesFor(name)]));
}

/** The policies that touch each cell: a plan looks at all it is given, and 200 cells share 60,000. */
function policiesByCell({ apps, policies }: Foundation): Map<string, Policy[]> {
  const cellsOf = new Map(apps.map(({ guid, instances }) => [guid, instances.map(({ cell }) => cell)]));
  const byCell = new Map<string, Policy[]>();
  for (const policy of policies) {
    for (const cell of new Set([...cellsOf.get(policy.source)!, ...cellsOf.get(policy.destination)!])) {
      const others = byCell.get(cell);
      if (others === undefined) byCell.set(cell, [policy]);
      else others.push(policy);
    }
  }
  return byCell;
}

/**
 * Tags that nothing told are given out as the policy server would, which real rules need not agree with. Planned rules
 * need them all the same; where every cell's rules are real, a tag that nobody knows stays unknown.
 */
export function withoutGuesses(foundation: Foundation, guessed: ReadonlySet<string>, files: RulesFiles): Foundation {
  if (files.size === 0 || foundation.cells.some(({ name }) => !files.has(name))) return foundation;
  return { ...foundation, apps: foundation.apps.map((app) => (guessed.has(app.guid) ? { ...app, tag: null } : app)) };
}

/** A sentence about the tags that were given out, if any were. */
export function guessedTags({ apps }: Foundation, guessed: ReadonlySet<string>): string[] {
  const names = apps.filter(({ guid, tag }) => tag !== null && guessed.has(guid)).map(({ name }) => name);
  if (names.length === 0) return [];
  return [`no file says the tags of ${listed(names)}, so the lowest free ones are used: give --tags FILE`];
}
