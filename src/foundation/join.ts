/**
 * Joining what an operator can collect into one Foundation: policy-server answers, container stores of cells, and a
 * foundation file for what those do not say.
 *
 * Nothing of it needs YAML; the caller hands over the foundation file as an item (see `read.ts`).
 */

import { formatCidr, maskOf } from '../wire/address.ts';
import { checkFoundation } from './check.ts';
import { readContainerStore, type StoredContainer } from './container-store.ts';
import { createDraft, type Draft, type DraftApp, type DraftCell, type DraftInstance } from './draft.ts';
import { FoundationError, quote } from './error.ts';
import { readFoundationFile } from './foundation-file.ts';
import { conflict, type Item } from './item.ts';
import { parseJson } from './json.ts';
import type { Foundation } from './model.ts';
import * as server from './policy-server.ts';
import { formatTag } from './tags.ts';

/** The text of a file and its name in messages. */
export interface Artefact {
  readonly text: string;
  readonly file: string;
}

export interface Artefacts {
  /** A foundation file, parsed by `parseItem`. */
  readonly foundation?: Item;
  readonly policies?: readonly Artefact[];
  readonly tags?: readonly Artefact[];
  readonly securityGroups?: readonly Artefact[];
  /** Container metadata of the cell called `cell`. */
  readonly stores?: readonly (Artefact & { readonly cell: string })[];
  /** Cells that something else told of, for those that the foundation file does not list. */
  readonly cells?: readonly DraftCell[];
}

/** A draft being joined, with its apps by GUID and its instances by place. */
interface Joining {
  readonly draft: Draft;
  readonly apps: Map<string, DraftApp>;
  /** Index into `draft.instances`, by `keyOf`. */
  readonly instanceAt: Map<string, number>;
}

const keyOf = ({ app, cell, address }: DraftInstance): string => JSON.stringify([app, cell.value, address.value]);

/** Join any mix of inputs and check the whole. Throws FoundationError. */
export const joinArtefacts = (artefacts: Artefacts): Foundation => checkFoundation(draftArtefacts(artefacts));

/** Join any mix of inputs, not yet checked against each other. Throws FoundationError. */
export function draftArtefacts(artefacts: Artefacts): Draft {
  const draft = artefacts.foundation === undefined ? createDraft() : readFoundationFile(artefacts.foundation);
  const listed = new Set(draft.cells.map(({ name }) => name));
  for (const cell of artefacts.cells ?? []) if (!listed.has(cell.name)) draft.cells.push(cell);
  const apps = new Map(draft.apps.map((app) => [app.guid, app]));
  // Two apps of one GUID in the file: leave both to the check, which names them.
  const repeated = draft.apps.filter((app) => apps.get(app.guid) !== app);
  const instanceAt = new Map(draft.instances.map((instance, index) => [keyOf(instance), index]));
  const joining: Joining = { draft, apps, instanceAt };
  for (const store of artefacts.stores ?? []) joinStore(joining, store);
  for (const { text, file } of artefacts.policies ?? []) joinPolicies(joining, parseJson(text, file));
  for (const { text, file } of artefacts.tags ?? []) {
    for (const entry of server.readTagList(parseJson(text, file))) joinTag(joining, entry);
  }
  for (const { text, file } of artefacts.securityGroups ?? []) {
    for (const group of server.readSecurityGroupList(parseJson(text, file), file)) draft.groups.push(group);
  }
  draft.apps.splice(0, draft.apps.length);
  for (const app of [...apps.values(), ...repeated]) draft.apps.push(app);
  return draft;
}

/** The app called `guid`, added by its GUID alone where nothing named it before. */
function appOf({ apps }: Joining, guid: string, from: Item): DraftApp {
  const known = apps.get(guid);
  if (known !== undefined) return known;
  const unknown = { name: null, tag: null, space: null, spaceGuid: null, organization: null };
  const app: DraftApp = { from, guid, routes: [], ...unknown };
  apps.set(guid, app);
  return app;
}

function joinStore(joining: Joining, { text, file, cell }: Artefact & { readonly cell: string }): void {
  const containers = readContainerStore(parseJson(text, file), cell);
  requireCell(joining.draft, cell, file, containers);
  for (const container of containers) joinContainer(joining, container);
}

/** A store says which containers a cell has, and neither its underlay address nor its lease. */
function requireCell(draft: Draft, name: string, file: string, containers: readonly StoredContainer[]): void {
  if (draft.cells.some((cell) => cell.name === name)) return;
  const first = containers[0]?.instance.address.value ?? 0x0aff0100;
  const lease = formatCidr({ address: (first & maskOf(24)) >>> 0, prefixLength: 24 });
  const sentence =
    `got the containers of cell ${quote(name)}, but nothing says its underlay address and lease; ` +
    `add a foundation file such as { tagplane: 1, cells: [{ name: ${quote(name)}, underlay: ADDRESS, lease: ${lease} }] }`;
  throw new FoundationError('ERR_FOUNDATION_MISSING', { file, line: 1, column: 1, path: '' }, sentence);
}

function joinContainer(joining: Joining, { instance, space, organization }: StoredContainer): void {
  const { draft, apps, instanceAt } = joining;
  const app = appOf(joining, instance.app, instance.from);
  if (space !== null && app.spaceGuid !== null && app.spaceGuid !== space.value) {
    throw conflict(space.from, app.from, `got the space ${quote(space.value)} of app ${instance.app}, unlike`);
  }
  apps.set(app.guid, {
    ...app,
    spaceGuid: app.spaceGuid ?? space?.value ?? null,
    organization: app.organization ?? organization,
  });
  const same = instanceAt.get(keyOf(instance));
  // The file knows the host ports, the store the rest.
  if (same !== undefined) draft.instances[same] = { ...instance, ports: draft.instances[same]!.ports };
  else draft.instances.push(instance);
}

function joinPolicies(joining: Joining, item: Item): void {
  const list = server.readPolicyList(item);
  for (const policy of list.policies) {
    appOf(joining, policy.source.value, policy.source.from);
    appOf(joining, policy.destination.value, policy.destination.from);
    joining.draft.policies.push(policy);
  }
  for (const entry of list.tags) joinTag(joining, entry);
}

function joinTag(joining: Joining, { id, type, tag }: server.TagEntry): void {
  const { draft, apps } = joining;
  const other = draft.otherTags.find((one) => one.id === id);
  const app = type === 'app' ? appOf(joining, id, tag.from) : undefined;
  const known = app === undefined ? other?.tag : app.tag;
  if (known !== undefined && known !== null) {
    if (known.value === tag.value) return;
    const sentence = `got the tag ${formatTag(tag.value)} of ${id}, which has ${formatTag(known.value)} at`;
    throw conflict(tag.from, known.from, sentence);
  }
  if (app === undefined) draft.otherTags.push({ id, tag });
  else apps.set(id, { ...app, tag });
}
