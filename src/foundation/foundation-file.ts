/**
 * A foundation file (version 1) as a draft. docs/formats.md describes every key.
 *
 *     tagplane: 1
 *     overlay:  { network: BLOCK, vni: NUMBER, port: PORT }
 *     cells:    [{ name, underlay: ADDRESS, lease: BLOCK, interfaces: [NAME] }]
 *     apps:     [{ name, guid, tag, routes, space, space_guid, organization,
 *                  instances: [{ cell, ip, handle, workload, ports: [HOST:CONTAINER], application_ports: [PORT] }] }]
 *     policies: [{ source: NAME or GUID, destination: NAME or GUID, protocol: tcp or udp, ports }]
 *     security_groups: [{ name, guid, rules, running_default, staging_default, ..._space_guids }]
 *     properties: { BOSH properties, see settings.ts }
 */
import type { Draft, DraftApp, DraftCell, DraftInstance, DraftPolicy, Written } from './draft.ts';
import { createDraft } from './draft.ts';
import { FoundationError } from './error.ts';
import * as fields from './fields.ts';
import { type Item, type ObjectItem, placeOf, refusal } from './item.ts';
import type { Overlay } from './model.ts';
import * as scalars from './scalars.ts';
import { readGroup } from './security-groups.ts';
import { readSettings } from './settings.ts';

const TOP_KEYS = ['tagplane', 'overlay', 'cells', 'apps', 'policies', 'security_groups', 'properties'] as const;
const CELL_KEYS = ['name', 'underlay', 'lease', 'interfaces'] as const;
const APP_KEYS = ['name', 'guid', 'tag', 'routes', 'space', 'space_guid', 'organization', 'instances'] as const;
const INSTANCE_KEYS = ['cell', 'ip', 'handle', 'workload', 'ports', 'application_ports'] as const;
const POLICY_KEYS = ['source', 'destination', 'protocol', 'ports'] as const;

/** The only version so far. */
const VERSION = 1;

/** What silk uses unless its jobs are told otherwise; the VNI cannot be told. */
export const DEFAULT_OVERLAY: Overlay = { network: { address: 0x0aff0000, prefixLength: 16 }, vni: 1, port: 4789 };

/** The port that `cf add-network-policy` opens when it is given neither protocol nor port. */
const DEFAULT_PORTS = { start: 8080, end: 8080 } as const;

const written = <T>(item: Item, read: (item: Item) => T): Written<T> => ({ value: read(item), from: item });

/** Read the root item of a foundation file. */
export function readFoundationFile(item: Item): Draft {
  const from = fields.object(item, TOP_KEYS);
  const version = fields.required(from, 'tagplane', 'the version of the format: tagplane: 1');
  if (version.kind !== 'number' || version.text !== String(VERSION)) {
    throw refusal('ERR_FOUNDATION_VALUE', version, `format version ${VERSION}`);
  }
  const draft = createDraft();
  draft.overlay = fields.optional(from, 'overlay', (one) => written(one, readOverlay), null);
  draft.settings = fields.optional(from, 'properties', readSettings, null);
  for (const one of listOf(from, 'cells')) draft.cells.push(readCell(one));
  for (const one of listOf(from, 'apps')) readApp(one, draft);
  for (const one of listOf(from, 'policies')) draft.policies.push(readPolicy(one));
  for (const one of listOf(from, 'security_groups')) draft.groups.push({ from: one, group: readGroup(one) });
  return draft;
}

const listOf = (from: ObjectItem, key: string): readonly Item[] => fields.optional(from, key, fields.list, []);

function readOverlay(item: Item): Overlay {
  const from = fields.object(item, ['network', 'vni', 'port']);
  return {
    network: fields.optional(from, 'network', scalars.block, DEFAULT_OVERLAY.network),
    vni: fields.optional(from, 'vni', (one) => fields.integer(one, 0, 0xffffff), DEFAULT_OVERLAY.vni),
    port: fields.optional(from, 'port', scalars.port, DEFAULT_OVERLAY.port),
  };
}

function readCell(item: Item): DraftCell {
  const from = fields.object(item, CELL_KEYS);
  const interfaces = (one: Item): string[] => {
    const names = fields.list(one).map(scalars.interfaceName);
    if (names.length === 0) throw refusal('ERR_FOUNDATION_VALUE', one, 'at least one interface, such as [eth0]');
    return names;
  };
  return {
    from,
    name: scalars.name(fields.required(from, 'name', 'the name of a cell')),
    underlay: written(fields.required(from, 'underlay', "the cell's address on the underlay"), scalars.address),
    lease: written(fields.required(from, 'lease', "the cell's overlay block such as 10.255.1.0/24"), scalars.block),
    interfaces: fields.optional(from, 'interfaces', interfaces, ['eth0']),
  };
}

function readApp(item: Item, draft: Draft): void {
  const from = fields.object(item, APP_KEYS);
  const app: DraftApp = {
    from,
    name: scalars.name(fields.required(from, 'name', 'the name of an app')),
    guid: scalars.guid(fields.required(from, 'guid', 'the GUID of the app')),
    tag: fields.optional(from, 'tag', (one) => written(one, scalars.tag), null),
    routes: fields.optional(from, 'routes', (one) => fields.list(one).map(scalars.name), []),
    space: fields.optional(from, 'space', scalars.name, null),
    spaceGuid: fields.optional(from, 'space_guid', scalars.name, null),
    organization: fields.optional(from, 'organization', scalars.name, null),
  };
  draft.apps.push(app);
  for (const one of listOf(from, 'instances')) draft.instances.push(readInstance(one, app.guid));
}

function readInstance(item: Item, app: string): DraftInstance {
  const from = fields.object(item, INSTANCE_KEYS);
  return {
    from,
    app,
    cell: written(fields.required(from, 'cell', 'the name of a cell'), scalars.name),
    address: written(fields.required(from, 'ip', "the container's overlay address"), scalars.address),
    handle: fields.optional(from, 'handle', scalars.handle, null),
    workload: fields.optional(from, 'workload', (one) => fields.oneOf(one, ['app', 'task', 'staging']), 'app'),
    ports: fields.optional(from, 'ports', (one) => fields.list(one).map(scalars.portMapping), []),
    applicationPorts: fields.optional(from, 'application_ports', (one) => fields.list(one).map(scalars.port), []),
  };
}

/** Protocol and ports may both be left out, as `cf add-network-policy` allows: tcp 8080. */
function readPolicy(item: Item): DraftPolicy {
  const from = fields.object(item, POLICY_KEYS);
  const protocol = fields.optional(from, 'protocol', (one) => fields.oneOf(one, ['tcp', 'udp']), null);
  const ports = fields.optional(from, 'ports', scalars.ports, null);
  if ((protocol === null) !== (ports === null)) {
    const [given, missing] = protocol === null ? ['ports', 'protocol'] : ['protocol', 'ports'];
    const sentence = `got ${given} without ${missing}, expected both, or neither for tcp 8080`;
    throw new FoundationError('ERR_FOUNDATION_KEY', placeOf(from), sentence);
  }
  return {
    source: written(fields.required(from, 'source', 'the name or GUID of the app that connects'), scalars.name),
    destination: written(
      fields.required(from, 'destination', 'the name or GUID of the app that listens'),
      scalars.name,
    ),
    protocol: protocol ?? 'tcp',
    ports: ports ?? DEFAULT_PORTS,
    byGuid: false,
  };
}
