/** Other rules for an emulated cell; see `dataplane/exchange.ts`. Frames on their way meet the new ones at their next hook. */
import type { Ruleset } from '../../rules/model.ts';
import { exchange } from '../exchange.ts';
import { outputOf } from './create.ts';
import type { Emulation, Host } from './emulation.ts';

/** Put `ruleset` in the place of the rules of `host`. Throws ChainError. */
export function exchangeRules(emulation: Emulation, host: Host, ruleset: Ruleset): void {
  exchange(emulation.dataplane, host.cell, ruleset);
  Object.assign(host, outputOf(host.cell));
}
