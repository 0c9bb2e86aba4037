/** All targets that are understood. A new one is a file beside this one and an entry here. */
import type { Target } from '../model.ts';
import type { TargetModule } from '../text/module.ts';
import { log } from './log.ts';
import { connmark, mark } from './mark.ts';
import { dnat, masquerade, redirect, snat } from './nat.ts';
import { nflog } from './nflog.ts';
import { reject } from './reject.ts';
import { accept, drop, returns } from './standard.ts';

type Known = Exclude<Target['kind'], 'none' | 'jump' | 'goto' | 'unknown'>;

/** By the name after `-j`. The type makes the compiler ask for an entry for each kind of the model. */
const MODULES: { readonly [K in Known]: TargetModule<Extract<Target, { kind: K }>> } = {
  ACCEPT: accept,
  CONNMARK: connmark,
  DNAT: dnat,
  DROP: drop,
  LOG: log,
  MARK: mark,
  MASQUERADE: masquerade,
  NFLOG: nflog,
  REDIRECT: redirect,
  REJECT: reject,
  RETURN: returns,
  SNAT: snat,
};

const byName = new Map<string, TargetModule>(Object.entries<TargetModule>(MODULES));

/** The module called `name`, or undefined when it is not understood. */
export const targetModule = (name: string): TargetModule | undefined => byName.get(name);
