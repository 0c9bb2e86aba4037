/**
 * From a draft to a Foundation: references are resolved, tags given out, contradictions refused.
 *
 * What can contradict: two cells with one name or one underlay address; leases that overlap, or lie outside the overlay;
 * two apps with one GUID, or one name in one space; one address, handle or host port on two instances; an instance outside
 * its cell's lease or on its VTEP's address; one tag on two apps. Every such error names both sides.
 */
import { contains, formatCidr, formatIpv4 } from '../wire/address.ts';
import { checkChainNames } from './chain-names.ts';
import type { Draft, DraftApp, DraftCell, DraftInstance, DraftPolicy, Written } from './draft.ts';
import { FoundationError, quote } from './error.ts';
import { DEFAULT_OVERLAY } from './foundation-file.ts';
import { standInHandle } from './handle.ts';
import { conflict, type Item, mention, placeOf, refusal } from './item.ts';
import { vtepAddress } from './lease.ts';
import type { App, Cell, Foundation, Instance, Overlay, Policy, Settings } from './model.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import { createTagAllocator, formatTag, TAGS_EXHAUSTED } from './tags.ts';

/** Check `draft` and join it into a Foundation. */
export function checkFoundation(draft: Draft): Foundation {
  const overlay = draft.overlay?.value ?? DEFAULT_OVERLAY;
  const settings = draft.settings ?? DEFAULT_SETTINGS;
  const cells = checkCells(draft.cells, overlay);
  const apps = checkApps(draft.apps);
  const instances = checkInstances(draft.instances, cells, settings);
  const policies = resolvePolicies(draft.policies, apps);
  const tags = assignTags(draft, policies, settings);
  const ingressTag = tags.get(INGRESS_ROUTER);
  return {
    overlay,
    cells: draft.cells.map(finishCell),
    apps: draft.apps.map((app) => finishApp(app, tags.get(app.guid) ?? null, instances.get(app.guid) ?? [])),
    policies,
    securityGroups: checkGroups(draft),
    settings,
    ...(ingressTag === undefined ? {} : { ingressTag }),
  };
}

/** The id under which the policy server keeps the ingress router's tag. */
const INGRESS_ROUTER = 'INGRESS_ROUTER';

/** Remember who has `key` first; a second owner is a contradiction. */
function claim<K>(owners: Map<K, Item>, key: K, item: Item, sentence: () => string): void {
  const first = owners.get(key);
  if (first !== undefined) throw conflict(item, first, sentence());
  owners.set(key, item);
}

function checkCells(cells: readonly DraftCell[], overlay: Overlay): Map<string, DraftCell> {
  const names = new Map<string, Item>();
  const underlays = new Map<number, Item>();
  const byName = new Map<string, DraftCell>();
  for (const cell of cells) {
    const { underlay, lease } = cell;
    claim(names, cell.name, cell.from, () => `got a cell called ${quote(cell.name)}, as is`);
    claim(
      underlays,
      underlay.value,
      underlay.from,
      () => `got the underlay address ${formatIpv4(underlay.value)}, as has`,
    );
    byName.set(cell.name, cell);
    const network = formatCidr(overlay.network);
    if (contains(overlay.network, underlay.value)) {
      throw refusal('ERR_FOUNDATION_VALUE', underlay.from, `an address outside the overlay ${network}`);
    }
    if (!contains(overlay.network, lease.value.address) || lease.value.prefixLength < overlay.network.prefixLength) {
      throw refusal('ERR_FOUNDATION_VALUE', lease.from, `a lease inside the overlay ${network}`);
    }
  }
  checkLeases(cells);
  return byName;
}

/** Blocks nest or are apart, so sorted by address an overlap shows between neighbours. */
function checkLeases(cells: readonly DraftCell[]): void {
  const leases = cells.map((cell) => cell.lease);
  leases.sort((a, b) => a.value.address - b.value.address || a.value.prefixLength - b.value.prefixLength);
  for (let at = 1; at < leases.length; at++) {
    const [before, lease] = [leases[at - 1]!, leases[at]!];
    if (contains(before.value, lease.value.address)) {
      const sentence = `got the lease ${formatCidr(lease.value)}, which overlaps ${formatCidr(before.value)} of`;
      throw conflict(lease.from, before.from, sentence);
    }
  }
}

interface AppIndex {
  readonly byGuid: Map<string, DraftApp>;
  readonly byName: Map<string, DraftApp[]>;
}

function checkApps(apps: readonly DraftApp[]): AppIndex {
  const index: AppIndex = { byGuid: new Map(), byName: new Map() };
  const guids = new Map<string, Item>();
  const names = new Map<string, Item>();
  for (const app of apps) {
    claim(guids, app.guid, app.from, () => `got an app with the GUID ${app.guid}, as has`);
    index.byGuid.set(app.guid, app);
    if (app.name === null) continue;
    const full = JSON.stringify([app.organization, app.space ?? app.spaceGuid, app.name]);
    claim(names, full, app.from, () => `got an app called ${quote(app.name!)}, as in the same space is`);
    const others = index.byName.get(app.name);
    if (others === undefined) index.byName.set(app.name, [app]);
    else others.push(app);
  }
  return index;
}

/** Instances of each app by its GUID, in the order written. */
function checkInstances(
  drafts: readonly DraftInstance[],
  cells: ReadonlyMap<string, DraftCell>,
  settings: Settings,
): Map<string, Instance[]> {
  const addresses = new Map<number, Item>();
  const handles = new Map<string, Item>();
  const hostPorts = new Map<string, Item>();
  const chains = new Map<string, Item>();
  const byApp = new Map<string, Instance[]>();
  for (const draft of drafts) {
    const siblings = byApp.get(draft.app) ?? [];
    const handle = draft.handle ?? standInHandle(draft.app, siblings.length);
    checkAddress(draft, cellOf(draft, cells));
    const address = formatIpv4(draft.address.value);
    claim(addresses, draft.address.value, draft.address.from, () => `got the overlay address ${address}, as has`);
    claim(handles, handle, draft.from, () => `got the handle ${quote(handle)}, as has`);
    checkChainNames(chains, { cell: draft.cell.value, handle, from: draft.from, settings });
    for (const { host } of draft.ports) {
      const key = `${host}/${draft.cell.value}`;
      claim(hostPorts, key, draft.from, () => `got host port ${host} of cell ${quote(draft.cell.value)}, as has`);
    }
    siblings.push(finishInstance(draft, handle));
    byApp.set(draft.app, siblings);
  }
  return byApp;
}

function cellOf(draft: DraftInstance, cells: ReadonlyMap<string, DraftCell>): DraftCell {
  const cell = cells.get(draft.cell.value);
  if (cell !== undefined) return cell;
  const known = cells.size === 0 ? 'none is known' : `known: ${[...cells.keys()].slice(0, 8).map(quote).join(', ')}`;
  throw refusal('ERR_FOUNDATION_REFERENCE', draft.cell.from, 'the name of a cell', known);
}

function checkAddress({ address }: DraftInstance, cell: DraftCell): void {
  const lease = cell.lease.value;
  const written = formatIpv4(address.value);
  if (!contains(lease, address.value)) {
    const sentence = `got the address ${written}, which is outside the lease ${formatCidr(lease)} of cell ${quote(cell.name)},`;
    throw conflict(address.from, cell.lease.from, sentence);
  }
  if (address.value === vtepAddress(lease)) {
    const sentence = `got the address ${written}, which is the VTEP's own address on cell ${quote(cell.name)},`;
    throw conflict(address.from, cell.lease.from, sentence);
  }
}

function resolvePolicies(drafts: readonly DraftPolicy[], apps: AppIndex): Policy[] {
  return drafts.map((draft) => ({
    source: resolveApp(draft.source, draft.byGuid, apps),
    destination: resolveApp(draft.destination, draft.byGuid, apps),
    protocol: draft.protocol,
    ports: draft.ports,
  }));
}

/** The GUID of the app that is meant: by its GUID, or by its name where that is one app's only. */
function resolveApp({ value, from }: Written<string>, byGuid: boolean, apps: AppIndex): string {
  const exact = apps.byGuid.get(value);
  const named = byGuid ? [] : (apps.byName.get(value) ?? []).filter((app) => app !== exact);
  const found = exact === undefined ? named : [exact, ...named];
  if (found.length === 1) return found[0]!.guid;
  if (found.length === 0) throw refusal('ERR_FOUNDATION_REFERENCE', from, 'the name or GUID of an app');
  const candidates = found.slice(0, 4).map((app) => `${app.guid} at ${mention(app.from)}`);
  throw refusal('ERR_FOUNDATION_REFERENCE', from, 'a GUID, since the name fits several apps', candidates.join(', '));
}

/** Tag of every app by its GUID: those that were given, then lowest free first in the order of the policies. */
function assignTags(draft: Draft, policies: readonly Policy[], settings: Settings): Map<string, number> {
  const owners = new Map<number, Item>();
  const tags = new Map<string, number>();
  for (const { guid, tag } of [...draft.apps, ...draft.otherTags.map(({ id, tag }) => ({ guid: id, tag }))]) {
    if (tag === null) continue;
    claim(owners, tag.value, tag.from, () => `got the tag ${formatTag(tag.value)}, as has`);
    tags.set(guid, tag.value);
  }
  const allocator = createTagAllocator(new Set(owners.keys()));
  const assign = (guid: string, from: Item | null): void => {
    if (tags.has(guid)) return;
    const tag = allocator.next();
    if (tag === undefined) {
      throw new FoundationError('ERR_FOUNDATION_TAGS_EXHAUSTED', from && placeOf(from), TAGS_EXHAUSTED);
    }
    tags.set(guid, tag);
  };
  for (const [index, { source, destination }] of policies.entries()) {
    assign(source, draft.policies[index]!.source.from);
    assign(destination, draft.policies[index]!.destination.from);
  }
  if (settings.overlayIngressRules === true) assign(INGRESS_ROUTER, null);
  return tags;
}

function checkGroups(draft: Draft): Foundation['securityGroups'] {
  const guids = new Map<string, Item>();
  for (const { from, group } of draft.groups) {
    claim(guids, group.guid, from, () => `got a security group with the GUID ${quote(group.guid)}, as has`);
  }
  return draft.groups.map(({ group }) => group);
}

const finishCell = (cell: DraftCell): Cell => ({
  name: cell.name,
  underlay: cell.underlay.value,
  lease: cell.lease.value,
  interfaces: cell.interfaces,
});

const finishInstance = (draft: DraftInstance, handle: string): Instance => ({
  cell: draft.cell.value,
  address: draft.address.value,
  handle,
  workload: draft.workload,
  ports: draft.ports,
  ...(draft.applicationPorts.length === 0 ? {} : { applicationPorts: draft.applicationPorts }),
});

const finishApp = (app: DraftApp, tag: number | null, instances: readonly Instance[]): App => ({
  name: app.name ?? app.guid,
  guid: app.guid,
  tag,
  routes: app.routes,
  instances,
  space: app.space ?? app.spaceGuid,
  ...(app.spaceGuid === null ? {} : { spaceGuid: app.spaceGuid }),
  organization: app.organization,
});
