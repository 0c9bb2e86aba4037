/** `-m limit` (libxt_limit.c): a token bucket per rule. */
import { type MatchModule, type MatchOf, optionalValue } from '../text/module.ts';
import { readInteger } from '../text/values.ts';
import { LIMIT_SCALE, printRate, readRate } from './rate.ts';

const DEFAULT_RATE = { count: 3, per: 'hour' } as const;
const DEFAULT_BURST = 5;
const MAXIMUM_BURST = 10_000;

export const limit: MatchModule<MatchOf<'limit'>> = {
  kind: 'limit',
  options: [{ name: '--limit' }, { name: '--limit-burst' }],
  parse(written) {
    const rate = optionalValue(written, '--limit');
    const burst = optionalValue(written, '--limit-burst');
    return {
      kind: 'limit',
      rate: rate === undefined ? DEFAULT_RATE : readRate(rate, LIMIT_SCALE),
      burst: burst === undefined ? DEFAULT_BURST : readInteger(burst, 1, MAXIMUM_BURST),
    };
  },
  save({ rate, burst }) {
    const printed = `--limit ${printRate(rate, LIMIT_SCALE)}`;
    return burst === DEFAULT_BURST ? printed : `${printed} --limit-burst ${burst}`;
  },
  list: ({ rate, burst }) => `limit: avg ${printRate(rate, LIMIT_SCALE)} burst ${burst}`,
};
