/** ACCEPT, DROP and RETURN (libxt_standard.c): no options. */
import type { TargetModule, TargetOf } from '../text/module.ts';

const PLAIN = { options: [], save: () => '', list: () => '' } as const;

export const accept: TargetModule<TargetOf<'ACCEPT'>> = { kind: 'ACCEPT', ...PLAIN, parse: () => ({ kind: 'ACCEPT' }) };
export const drop: TargetModule<TargetOf<'DROP'>> = { kind: 'DROP', ...PLAIN, parse: () => ({ kind: 'DROP' }) };
export const returns: TargetModule<TargetOf<'RETURN'>> = {
  kind: 'RETURN',
  ...PLAIN,
  parse: () => ({ kind: 'RETURN' }),
};
