/**
 * A foundation as it was written, before anything is known to fit together.
 *
 * Readers fill a draft, each statement with the item it came from; `check.ts` turns it into a Foundation or says which
 * two statements contradict each other.
 */
import type { Cidr } from '../wire/address.ts';
import type { Item } from './item.ts';
import type { Overlay, Policy, SecurityGroup, Settings } from './model.ts';

/** A value and where it was written. */
export interface Written<T> {
  readonly value: T;
  readonly from: Item;
}

export interface DraftCell {
  readonly from: Item;
  readonly name: string;
  readonly underlay: Written<number>;
  readonly lease: Written<Cidr>;
  readonly interfaces: readonly string[];
}

export interface DraftApp {
  readonly from: Item;
  readonly guid: string;
  /** Null for an app that is known by its GUID only. */
  readonly name: string | null;
  /** Null until the policies say whether the app has one. */
  readonly tag: Written<number> | null;
  readonly routes: readonly string[];
  readonly space: string | null;
  readonly spaceGuid: string | null;
  readonly organization: string | null;
}

export interface DraftInstance {
  readonly from: Item;
  readonly app: string;
  readonly cell: Written<string>;
  readonly address: Written<number>;
  readonly handle: string | null;
  readonly workload: 'app' | 'task' | 'staging';
  readonly ports: readonly { readonly host: number; readonly container: number }[];
  readonly applicationPorts: readonly number[];
}

export interface DraftPolicy {
  readonly source: Written<string>;
  readonly destination: Written<string>;
  readonly protocol: Policy['protocol'];
  readonly ports: Policy['ports'];
  /** True when source and destination are GUIDs by format; in a foundation file they may be names. */
  readonly byGuid: boolean;
}

export interface DraftGroup {
  readonly from: Item;
  readonly group: SecurityGroup;
}

export interface Draft {
  overlay: Written<Overlay> | null;
  readonly cells: DraftCell[];
  readonly apps: DraftApp[];
  readonly instances: DraftInstance[];
  readonly policies: DraftPolicy[];
  readonly groups: DraftGroup[];
  settings: Settings | null;
  /** Tags that belong to no app (`INGRESS_ROUTER`), by the id that has them. */
  readonly otherTags: { readonly id: string; readonly tag: Written<number> }[];
}

export const createDraft = (): Draft => ({
  overlay: null,
  cells: [],
  apps: [],
  instances: [],
  policies: [],
  groups: [],
  settings: null,
  otherTags: [],
});
