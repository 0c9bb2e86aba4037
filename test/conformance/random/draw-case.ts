/** A whole case from a seed: the foundation, which iptables, the MTU, and the steps. */
import { createChance } from './chance.ts';
import { drawFoundation } from './draw-foundation.ts';
import { drawSteps } from './draw-steps.ts';
import { foundationOf } from './rules.ts';
import type { Case } from './step.ts';

/** Longer than a cell asks for a neighbour that does not answer. */
const SETTLED = 3500;

/** A case of about `frames` frames. The backend is told, so that a run can share its frames between both. */
export function drawCase(seed: number, backend: Case['backend'], frames: number): Case {
  const chance = createChance(seed);
  const foundation = drawFoundation(chance);
  const base: Case = { seed, backend, underlayMtu: chance.pick([1500, 1460, 9000]), foundation, steps: [] };
  const steps = drawSteps(chance, foundationOf(base), frames, chance.between(0, 2));
  return { ...base, steps: [...steps, { kind: 'pause', milliseconds: SETTLED }] };
}
