/**
 * What can be known of a foundation from nothing but the rules of its cells.
 *
 * Addresses of containers, their handles as far as chain names show them, apps by GUID, tags, policies towards the cells
 * that were read, host ports and the underlay address of a cell that has one. A lease is in no rule (unless silk keeps it
 * out of masquerading, as it does since its pull request 148), so it is the /24 that holds the cell's containers, or
 * what is needed where that cannot be. Rules read at different times may contradict each other: the first statement
 * stands and the other becomes a remark.
 */
import type { Ruleset } from '../rules/model.ts';
import { type Cidr, contains, formatCidr, formatIpv4, maskOf } from '../wire/address.ts';
import { quote } from './error.ts';
import { DEFAULT_OVERLAY } from './foundation-file.ts';
import { type CellEvidence, readEvidence, type Seen, type SeenContainer } from './infer-rules.ts';
import type { Policy } from './model.ts';
import { formatTag } from './tags.ts';

export interface InferredContainer {
  readonly address: number;
  /** As much of the handle as the rules show, or empty. */
  readonly handle: string;
  /** GUID of the app; null for a container that no policy touches. */
  readonly app: string | null;
  readonly ports: readonly { readonly host: number; readonly container: number }[];
  readonly line: number;
}

export interface InferredCell {
  readonly name: string;
  /** Null where no container of the cell has a host port: then no rule names the cell's address. */
  readonly underlay: Seen<number> | null;
  /** Null where the cell has no container. */
  readonly lease: (Cidr & { readonly from: 'containers' | 'masquerading' }) | null;
  readonly interfaces: readonly string[];
  readonly containers: readonly InferredContainer[];
}

/** Something that a rule says, with the cell whose rule it is. */
export interface Told<T> {
  readonly value: T;
  readonly cell: string;
  readonly line: number;
}

export interface Inference {
  readonly cells: readonly InferredCell[];
  /** Overlay network, where the rules show another one than silk's default. */
  readonly overlay: Told<Cidr> | null;
  /** By app GUID. */
  readonly tags: ReadonlyMap<string, Told<number>>;
  readonly policies: readonly Told<Policy>[];
  /** Contradictions, one sentence each. */
  readonly remarks: readonly string[];
}

/** silk's `subnet_prefix_length` unless its job says otherwise. */
const LEASE_LENGTH = 24;
/** Of the blocks kept out of masquerading, one at least this long is a lease; shorter ones are overlay networks. */
const SHORTEST_LEASE = 20;

type Evidence = readonly [name: string, evidence: CellEvidence];

/** Infer from the rules of each cell, by the cell's name. */
export function inferCells(rulesets: ReadonlyMap<string, Ruleset>): Inference {
  const cells = [...rulesets].map(([name, ruleset]): Evidence => [name, readEvidence(ruleset)]);
  const remarks: string[] = [];
  return {
    cells: cells.map(([name, evidence]) => inferCell(name, evidence, remarks)),
    overlay: inferOverlay(cells),
    tags: inferTags(cells, remarks),
    policies: inferPolicies(cells),
    remarks,
  };
}

function inferCell(name: string, evidence: CellEvidence, remarks: string[]): InferredCell {
  const taken = new Set<number>();
  return {
    name,
    underlay: inferUnderlay(name, evidence.underlays, remarks),
    lease: inferLease(evidence),
    interfaces: [...evidence.interfaces],
    containers: [...evidence.containers.values()].map((container) => inferContainer(name, container, taken, remarks)),
  };
}

/** The address that most rules name. */
function inferUnderlay(name: string, seen: readonly Seen<number>[], remarks: string[]): Seen<number> | null {
  const votes = new Map<number, number>();
  for (const { value } of seen) votes.set(value, (votes.get(value) ?? 0) + 1);
  const [first, second] = [...votes].sort((a, b) => b[1] - a[1]).map(([address]) => address);
  if (first === undefined) return null;
  if (second !== undefined) {
    const both = `both ${formatIpv4(first)} and ${formatIpv4(second)}`;
    remarks.push(`cell ${quote(name)}: host ports are on ${both}; the underlay address is taken to be the first`);
  }
  return seen.find(({ value }) => value === first)!;
}

function inferContainer(
  cell: string,
  { address, line, handle, apps, ports }: SeenContainer,
  taken: Set<number>,
  remarks: string[],
): InferredContainer {
  const [app = null, other] = apps;
  if (other !== undefined) {
    const both = `both app ${app} and app ${other}`;
    remarks.push(`cell ${quote(cell)}: rules give ${formatIpv4(address)} to ${both}; it is taken to be the first's`);
  }
  // A packet to a host port meets the first rule for it.
  const own = ports.filter(({ host }) => !taken.has(host) && taken.add(host));
  return { address, handle, app, ports: own, line };
}

function inferLease({ containers, unmasqueraded }: CellEvidence): InferredCell['lease'] {
  const addresses = [...containers.keys()];
  if (addresses.length === 0) return null;
  const kept = unmasqueraded[0]?.value;
  if (kept !== undefined && kept.prefixLength >= SHORTEST_LEASE && addresses.every((one) => contains(kept, one))) {
    return { ...kept, from: 'masquerading' };
  }
  // The network address of a lease is its VTEP's, so no container may have it.
  let prefixLength = LEASE_LENGTH;
  while (prefixLength > 0 && !fits(addresses, prefixLength)) prefixLength -= 1;
  return { address: (addresses[0]! & maskOf(prefixLength)) >>> 0, prefixLength, from: 'containers' };
}

function fits(addresses: readonly number[], prefixLength: number): boolean {
  const block = { address: (addresses[0]! & maskOf(prefixLength)) >>> 0, prefixLength };
  return addresses.every((address) => contains(block, address) && address !== block.address);
}

/** Silk's default where it holds all containers, else the block that is kept out of masquerading. */
function inferOverlay(cells: readonly Evidence[]): Told<Cidr> | null {
  const addresses = cells.flatMap(([, { containers }]) => [...containers.keys()]);
  if (addresses.every((address) => contains(DEFAULT_OVERLAY.network, address))) return null;
  for (const [cell, { unmasqueraded }] of cells) {
    const found = unmasqueraded.find(({ value }) => addresses.every((address) => contains(value, address)));
    if (found !== undefined) return { ...found, cell };
  }
  return null;
}

/** An app's own cell knows its tag best: it writes the tag on the app's packets. */
function inferTags(cells: readonly Evidence[], remarks: string[]): Map<string, Told<number>> {
  const tags = new Map<string, Told<number>>();
  const owners = new Map<number, string>();
  const reported = new Set<string>();
  const told = cells.flatMap(([cell, { tags: seen, containers }]) => {
    const local = new Set([...containers.values()].flatMap(({ apps }) => [...apps]));
    return seen.map(({ app, tag, line }) => ({ app, own: local.has(app), value: tag, cell, line }));
  });
  for (const { app, value, cell, line } of [...told.filter(({ own }) => own), ...told.filter(({ own }) => !own)]) {
    const known = tags.get(app);
    const owner = owners.get(value);
    if (known === undefined && owner === undefined) {
      tags.set(app, { value, cell, line });
      owners.set(value, app);
    } else if (known?.value !== value && !reported.has(`${app} ${value}`)) {
      reported.add(`${app} ${value}`);
      remarks.push(tagRemark(app, known, owner, { value, cell, line }));
    }
  }
  return new Map([...tags].sort(([, a], [, b]) => a.value - b.value));
}

function tagRemark(app: string, known: Told<number> | undefined, owner: string | undefined, now: Told<number>): string {
  const where = `cell ${quote(now.cell)}, line ${now.line}: app ${app} has tag ${formatTag(now.value)}`;
  if (known === undefined) return `${where}, which belongs to app ${owner}`;
  return `${where}, but ${formatTag(known.value)} on cell ${quote(known.cell)}, line ${known.line}, which is used`;
}

/** Each policy once, in the order of the rules. */
function inferPolicies(cells: readonly Evidence[]): Told<Policy>[] {
  const policies = new Map<string, Told<Policy>>();
  for (const [cell, evidence] of cells) {
    for (const { value, line } of evidence.policies) {
      const key = policyKey(value);
      if (!policies.has(key)) policies.set(key, { value, cell, line });
    }
  }
  return [...policies.values()];
}

/** What makes two policies the same one. */
export const policyKey = ({ source, destination, protocol, ports }: Policy): string =>
  `${source} ${destination} ${protocol} ${ports.start} ${ports.end}`;

/** How an inferred lease is told to people. */
export const describeLease = (lease: NonNullable<InferredCell['lease']>): string =>
  lease.from === 'masquerading'
    ? `${formatCidr(lease)} (its rules keep it out of masquerading)`
    : `${formatCidr(lease)} (the block that holds its containers)`;
