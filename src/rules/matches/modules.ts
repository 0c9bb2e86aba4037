/** All matches that are understood. A new one is a file beside this one and an entry here. */
import type { Match } from '../model.ts';
import type { MatchModule } from '../text/module.ts';
import { addrtype } from './addrtype.ts';
import { comment } from './comment.ts';
import { conntrack, state } from './conntrack.ts';
import { hashlimit } from './hashlimit.ts';
import { icmp } from './icmp.ts';
import { iprange } from './iprange.ts';
import { limit } from './limit.ts';
import { connmark, mark } from './mark.ts';
import { multiport } from './multiport.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

type Known = Exclude<Match['kind'], 'unknown'>;

/** By the name after `-m`. The type makes the compiler ask for an entry for each kind of the model. */
const MODULES: { readonly [K in Known]: MatchModule<Extract<Match, { kind: K }>> } = {
  addrtype,
  comment,
  connmark,
  conntrack,
  hashlimit,
  icmp,
  iprange,
  limit,
  mark,
  multiport,
  state,
  tcp,
  udp,
};

const byName = new Map<string, MatchModule>(Object.entries<MatchModule>(MODULES));

/** The module called `name`, or undefined when it is not understood. */
export const matchModule = (name: string): MatchModule | undefined => byName.get(name);

/** The module that `-p PROTOCOL` loads when one of its options appears without `-m`. */
export const matchOfProtocol = (protocol: number): MatchModule | undefined =>
  [tcp, udp, icmp].find((module) => module.protocols?.includes(protocol));
