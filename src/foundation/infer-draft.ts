/**
 * Inferred facts as statements of a draft, each with the line of the rules file that says it.
 *
 * What a foundation file or an artefact says stands. Rules fill in what those leave open and, where they differ, the
 * difference is told: the rules may be older, or of another cell.
 */
import { contains, formatCidr, formatIpv4 } from '../wire/address.ts';
import type { Draft, DraftApp, DraftCell, DraftInstance, DraftPolicy } from './draft.ts';
import { quote } from './error.ts';
import { type Inference, type InferredCell, type InferredContainer, policyKey } from './infer.ts';
import type { Item, Source } from './item.ts';
import { vtepAddress } from './lease.ts';
import type { Policy } from './model.ts';
import { formatPorts } from './policy-list.ts';
import { formatTag } from './tags.ts';

/** The rules file of a cell. */
export interface RulesText {
  readonly text: string;
  readonly file: string;
}

/** Makes the item of a line of a cell's rules. */
type ItemAt = (cell: string, line: number) => Item;

/**
 * Where a cell's address is unknown it gets one of 0.0.0.0/8, which no packet on a network has as its destination (RFC
 * 1122 section 3.2.1.3): the cell can be emulated, and no frame is taken for one of its own.
 */
const isStandIn = (address: number): boolean => address >>> 24 === 0;

/** Whether nothing said the underlay address of `cell`. */
export const lacksUnderlay = (cell: { readonly underlay: number }): boolean => isStandIn(cell.underlay);

/** The inferred cells, but for those of whose place nothing is known. */
export function draftCells({ cells }: Inference, files: ReadonlyMap<string, RulesText>): DraftCell[] {
  const itemAt = createItemAt(files);
  return cells.flatMap(({ name, underlay, lease, interfaces, containers }, index) => {
    if (lease === null) return [];
    const from = itemAt(name, containers[0]!.line);
    return {
      from,
      name,
      underlay:
        underlay === null ? { value: index + 1, from } : { value: underlay.value, from: itemAt(name, underlay.line) },
      lease: { value: { address: lease.address, prefixLength: lease.prefixLength }, from },
      interfaces: interfaces.length === 0 ? ['eth0'] : interfaces,
    };
  });
}

/**
 * Add to `draft` what it leaves open. Returns a sentence for every contradiction. `policiesGiven` says that the draft's
 * policies are all there are, even if it has none.
 */
export function addInferred(
  draft: Draft,
  inference: Inference,
  files: ReadonlyMap<string, RulesText>,
  policiesGiven: boolean,
): string[] {
  const itemAt = createItemAt(files);
  const remarks = [...inference.remarks];
  if (draft.overlay === null && inference.overlay !== null) {
    const { value, cell, line } = inference.overlay;
    draft.overlay = { value: { network: value, vni: 1, port: 4789 }, from: itemAt(cell, line) };
  }
  for (const cell of inference.cells) addContainers(draft, cell, itemAt, remarks);
  addPolicies(draft, inference, policiesGiven, itemAt, remarks);
  addTags(draft, inference, itemAt, remarks);
  return remarks;
}

function createItemAt(files: ReadonlyMap<string, RulesText>): ItemAt {
  const lines = new Map<string, { source: Source; starts: number[] }>();
  for (const [cell, { text, file }] of files) {
    const starts = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
    lines.set(cell, { source: { file, text, outer: null }, starts });
  }
  return (cell, line) => {
    const { source, starts } = lines.get(cell)!;
    const at = starts[line - 1] ?? 0;
    const value = source.text.slice(at, starts[line] ?? source.text.length).trimEnd();
    return { kind: 'text', value, source, parent: null, key: '', at };
  };
}

function addContainers(draft: Draft, cell: InferredCell, itemAt: ItemAt, remarks: string[]): void {
  const known = draft.cells.find(({ name }) => name === cell.name);
  if (known === undefined) return;
  const label = `cell ${quote(cell.name)}`;
  const lease = known.lease.value;
  const fits = ({ address }: InferredContainer): boolean => contains(lease, address) && address !== vtepAddress(lease);
  remarkPlace(
    known,
    cell,
    cell.containers.filter((container) => !fits(container)),
    remarks,
  );
  const byAddress = new Map(draft.instances.map((instance, index) => [instance.address.value, index]));
  const siblings = draft.instances.filter((instance) => instance.cell.value === cell.name);
  for (const container of cell.containers.filter(fits)) {
    const index = byAddress.get(container.address);
    const others = siblings.filter(({ address }) => address.value !== container.address);
    const free = unclaimed(container, others);
    if (index === undefined) {
      const instance = draftInstance(draft, cell.name, container, free, itemAt(cell.name, container.line));
      draft.instances.push(instance);
      siblings.push(instance);
    } else {
      draft.instances[index] = fillInstance(draft.instances[index]!, container, free, label, remarks);
    }
  }
}

/** Where the rules speak of another place than the cell has. */
function remarkPlace(
  known: DraftCell,
  { name, underlay }: InferredCell,
  outside: readonly InferredContainer[],
  remarks: string[],
): void {
  const label = `cell ${quote(name)}`;
  if (underlay !== null && underlay.value !== known.underlay.value) {
    const [told, said] = [underlay.value, known.underlay.value].map(formatIpv4);
    remarks.push(`${label}: its rules are for underlay address ${told}, but it has ${said}: are they another cell's?`);
  }
  if (outside.length === 0) return;
  const first = outside.slice(0, 4).map(({ address }) => formatIpv4(address));
  const listed = `${first.join(', ')}${outside.length > first.length ? ', ...' : ''}`;
  const lease = formatCidr(known.lease.value);
  remarks.push(`${label}: its rules have containers outside its lease ${lease}, left out: ${listed}`);
}

type Unclaimed = Pick<DraftInstance, 'handle' | 'ports'>;

/** Of a container's handle and host ports, what no other container of the cell has: statements stand, and so do they. */
function unclaimed({ handle, ports }: InferredContainer, others: readonly DraftInstance[]): Unclaimed {
  const taken = handle === '' || others.some((one) => one.handle?.startsWith(handle));
  const hostPorts = new Set(others.flatMap((one) => one.ports.map(({ host }) => host)));
  return { handle: taken ? null : handle, ports: ports.filter(({ host }) => !hostPorts.has(host)) };
}

/** A container that nothing else names, with the app that its rules name or one that stands for it alone. */
function draftInstance(
  draft: Draft,
  cell: string,
  { address, app }: InferredContainer,
  free: Unclaimed,
  from: Item,
): DraftInstance {
  const guid = app ?? standInGuid(address);
  if (!draft.apps.some((one) => one.guid === guid)) {
    draft.apps.push(draftApp(guid, app === null ? `container ${formatIpv4(address)}` : null, from));
  }
  return {
    ...free,
    from,
    app: guid,
    cell: { value: cell, from },
    address: { value: address, from },
    workload: 'app',
    applicationPorts: [],
  };
}

/** An app for one container that no policy touches: nothing says which app it is an instance of. */
const standInGuid = (address: number): string => `container-${formatIpv4(address).replaceAll('.', '-')}`;

const draftApp = (guid: string, name: string | null, from: Item): DraftApp => ({
  from,
  guid,
  name,
  tag: null,
  routes: [],
  space: null,
  spaceGuid: null,
  organization: null,
});

function fillInstance(
  known: DraftInstance,
  { address, app }: InferredContainer,
  free: Unclaimed,
  label: string,
  remarks: string[],
): DraftInstance {
  if (app !== null && app !== known.app) {
    const where = formatIpv4(address);
    remarks.push(`${label}: its rules give ${where} to app ${app}, but it is an instance of ${known.app}`);
  }
  return { ...known, handle: known.handle ?? free.handle, ports: known.ports.length > 0 ? known.ports : free.ports };
}

/** Policies that were given are the whole truth; without any, those that the rules stand for are. */
function addPolicies(draft: Draft, { policies }: Inference, given: boolean, itemAt: ItemAt, remarks: string[]): void {
  const known = new Set(given ? resolvedKeys(draft) : []);
  const apps = new Set(draft.apps.map(({ guid }) => guid));
  const extra = new Map<string, Policy[]>();
  for (const { value: policy, cell, line } of policies) {
    if (known.has(policyKey(policy))) continue;
    if (given) {
      const others = extra.get(cell);
      if (others === undefined) extra.set(cell, [policy]);
      else others.push(policy);
      continue;
    }
    const from = itemAt(cell, line);
    for (const guid of [policy.source, policy.destination]) {
      if (apps.has(guid)) continue;
      apps.add(guid);
      draft.apps.push(draftApp(guid, null, from));
    }
    draft.policies.push(draftPolicy(policy, from));
  }
  for (const [cell, [first, ...more]] of extra) {
    const { source, destination, protocol, ports } = first!;
    const example = `${source} to ${destination}, ${protocol} ${formatPorts(ports)}`;
    const rest = more.length === 0 ? '' : ` and ${more.length} more`;
    remarks.push(`cell ${quote(cell)}: its rules allow what no given policy does: ${example}${rest}`);
  }
}

const draftPolicy = ({ source, destination, protocol, ports }: Policy, from: Item): DraftPolicy => ({
  source: { value: source, from },
  destination: { value: destination, from },
  protocol,
  ports,
  byGuid: true,
});

/** Keys of the given policies, whose ends may be names. A name that fits several apps is the check's to refuse. */
function resolvedKeys(draft: Draft): string[] {
  const guids = new Map(draft.apps.map(({ name, guid }) => [name, guid]));
  const resolve = (value: string): string => guids.get(value) ?? value;
  return draft.policies.map(({ source, destination, protocol, ports }) =>
    policyKey({ source: resolve(source.value), destination: resolve(destination.value), protocol, ports }),
  );
}

function addTags(draft: Draft, { tags }: Inference, itemAt: ItemAt, remarks: string[]): void {
  const owners = new Map<number, string>();
  for (const { guid, tag } of draft.apps) if (tag !== null) owners.set(tag.value, guid);
  for (const { id, tag } of draft.otherTags) owners.set(tag.value, id);
  const indexes = new Map(draft.apps.map(({ guid }, index) => [guid, index]));
  for (const [guid, { value, cell, line }] of tags) {
    const index = indexes.get(guid);
    const app = index === undefined ? undefined : draft.apps[index]!;
    const owner = owners.get(value);
    const where = `cell ${quote(cell)}, line ${line}: app ${guid} has tag ${formatTag(value)}`;
    if (app?.tag?.value === value) continue;
    if (app?.tag) remarks.push(`${where}, but its tag is ${formatTag(app.tag.value)}: are the rules out of date?`);
    else if (owner !== undefined) remarks.push(`${where}, which belongs to ${owner}: are the rules out of date?`);
    else if (app !== undefined) draft.apps[index!] = { ...app, tag: { value, from: itemAt(cell, line) } };
  }
}
