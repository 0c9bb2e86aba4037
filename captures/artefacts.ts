/**
 * A foundation as the files that describe one: `foundation.yaml`, container metadata per cell, and what the policy
 * server's API answers.
 */
import { Document, isMap, isSeq } from 'yaml';
import type { App, Cell, Foundation, Instance } from '../src/foundation/model.ts';
import { formatCidr, formatIpv4 } from '../src/wire/address.ts';

const hexTag = (tag: number): string => tag.toString(16).toUpperCase().padStart(4, '0');
const portsText = ({ start, end }: { start: number; end: number }): string =>
  start === end ? `${start}` : `${start}-${end}`;
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const HEAD = ` The foundation that the captures beside this file were taken on. Written by captures/make.ts.\n`;

/** The foundation file of the design, one line for each cell, instance and policy. */
export function foundationYaml({ overlay, cells, apps, policies, securityGroups, settings }: Foundation): string {
  const names = new Map(apps.map((app) => [app.guid, app.name]));
  const document = new Document({
    tagplane: 1,
    overlay: { network: formatCidr(overlay.network), vni: overlay.vni, port: overlay.port },
    cells: cells.map((cell) => ({
      name: cell.name,
      underlay: formatIpv4(cell.underlay),
      lease: formatCidr(cell.lease),
    })),
    apps: apps.map((app) => ({
      name: app.name,
      guid: app.guid,
      ...(app.tag === null ? {} : { tag: hexTag(app.tag) }),
      ...(app.routes.length === 0 ? {} : { routes: app.routes }),
      space: app.space,
      organization: app.organization,
      instances: app.instances.map(instanceYaml),
    })),
    policies: policies.map(({ source, destination, protocol, ports }) => ({
      source: names.get(source),
      destination: names.get(destination),
      protocol,
      ports: portsText(ports),
    })),
    security_groups: securityGroups.map((group) => ({
      name: group.name,
      guid: group.guid,
      running_default: group.runningDefault,
      rules: securityGroupRules(group),
    })),
    properties: { iptables_logging: settings.logging },
  });
  document.commentBefore = HEAD.trimEnd();
  for (const path of [['overlay'], ['properties']]) setFlow(document.getIn(path));
  for (const key of ['cells', 'policies']) eachOf(document.get(key), setFlow);
  eachOf(document.get('apps'), (app) => {
    if (!isMap(app)) return;
    setFlow(app.get('routes'));
    eachOf(app.get('instances'), setFlow);
  });
  eachOf(document.get('security_groups'), (group) => {
    if (isMap(group)) eachOf(group.get('rules'), setFlow);
  });
  return document.toString({ lineWidth: 0 });
}

const instanceYaml = ({ cell, address, handle, ports }: Instance): object => ({
  cell,
  ip: formatIpv4(address),
  handle,
  ports: ports.map(({ host, container }) => `${host}:${container}`),
});

function setFlow(node: unknown): void {
  if (isMap(node) || isSeq(node)) node.flow = true;
}

function eachOf(node: unknown, visit: (item: unknown) => void): void {
  if (isSeq(node)) for (const item of node.items) visit(item);
}

const securityGroupRules = ({ rules }: Foundation['securityGroups'][number]): object[] =>
  rules.map(({ protocol, destinations }) => ({
    protocol,
    destination: destinations.map(({ low, high }) => `${formatIpv4(low)}-${formatIpv4(high)}`).join(','),
  }));

/** `/var/vcap/data/container-metadata/store.json` of one cell. */
export const storeJson = ({ apps }: Foundation, cell: Cell): string =>
  json(
    Object.fromEntries(
      apps.flatMap((app) =>
        app.instances.filter((one) => one.cell === cell.name).map((one) => [one.handle, containerMetadata(app, one)]),
      ),
    ),
  );

/** Spaces and organisations have GUIDs of their own there; these are fixed stand-ins. */
const SPACE_GUID = '7be06f4d-58a2-4c91-9d3b-e1f8024c67a9';
const ORGANIZATION_GUID = 'd613c07a-9e25-4b48-a7f0-35c2b86e1d94';

const containerMetadata = (app: App, { handle, address, workload }: Instance): object => ({
  handle,
  ip: formatIpv4(address),
  metadata: {
    policy_group_id: app.guid,
    app_id: app.guid,
    space_id: SPACE_GUID,
    org_id: ORGANIZATION_GUID,
    ports: '8080',
    container_workload: workload,
  },
});

/** GET /networking/v1/external/policies. */
export const policiesJson = ({ policies }: Foundation): string =>
  json({
    total_policies: policies.length,
    policies: policies.map(({ source, destination, protocol, ports }) => ({
      source: { id: source },
      destination: { id: destination, protocol, ports },
    })),
  });

/** GET /networking/v1/external/tags. */
export const tagsJson = ({ apps }: Foundation): string =>
  json({
    tags: apps.flatMap(({ guid, tag }) => (tag === null ? [] : [{ id: guid, tag: hexTag(tag), type: 'app' }])),
  });

/** GET /networking/v1/internal/security_groups: the rules are JSON text inside JSON. */
export const securityGroupsJson = ({ securityGroups }: Foundation): string =>
  json({
    next: 0,
    security_groups: securityGroups.map((group) => ({
      guid: group.guid,
      name: group.name,
      rules: JSON.stringify(securityGroupRules(group)),
      staging_default: group.stagingDefault,
      running_default: group.runningDefault,
      staging_space_guids: group.stagingSpaces,
      running_space_guids: group.runningSpaces,
    })),
  });
