/**
 * A foundation as a foundation file: what `--foundation` reads, from whatever the foundation was joined or inferred.
 *
 * Everything is written out that a reader could not find by itself; properties only where they differ from silk's.
 */

import type { App, Foundation, Instance, Policy, SecurityGroup, SecurityGroupRule } from '../../foundation/model.ts';
import { formatPorts } from '../../foundation/policy-list.ts';
import { formatTag } from '../../foundation/tags.ts';
import { formatCidr, formatIpv4 } from '../../wire/address.ts';
import { describeProperties } from './properties.ts';

/** The document; `yaml` or `JSON.stringify` writes it. Keys whose value says nothing are left out. */
export function foundationDocument(foundation: Foundation): object {
  const { overlay, cells, apps, policies, securityGroups } = foundation;
  const references = referencesOf(apps);
  return {
    tagplane: 1,
    overlay: { network: formatCidr(overlay.network), vni: overlay.vni, port: overlay.port },
    cells: cells.map(({ name, underlay, lease, interfaces }) => ({
      name,
      underlay: formatIpv4(underlay),
      lease: formatCidr(lease),
      ...(interfaces.length === 1 && interfaces[0] === 'eth0' ? {} : { interfaces }),
    })),
    apps: apps.map(appDocument),
    policies: policies.map((policy) => policyDocument(policy, references)),
    ...(securityGroups.length === 0 ? {} : { security_groups: securityGroups.map(groupDocument) }),
    ...describeProperties(foundation.settings),
  };
}

/** How policies name each app: by name where no other app could be meant, else by GUID. */
function referencesOf(apps: readonly App[]): Map<string, string> {
  const uses = new Map<string, number>();
  for (const { name, guid } of apps)
    for (const word of new Set([name, guid])) uses.set(word, (uses.get(word) ?? 0) + 1);
  return new Map(apps.map(({ name, guid }) => [guid, uses.get(name) === 1 ? name : guid]));
}

const appDocument = ({ name, guid, tag, routes, space, spaceGuid, organization, instances }: App): object => ({
  name,
  guid,
  ...(tag === null ? {} : { tag: formatTag(tag) }),
  ...(routes.length === 0 ? {} : { routes }),
  ...(space === null || space === spaceGuid ? {} : { space }),
  ...(spaceGuid === undefined ? {} : { space_guid: spaceGuid }),
  ...(organization === null ? {} : { organization }),
  ...(instances.length === 0 ? {} : { instances: instances.map(instanceDocument) }),
});

const instanceDocument = ({ cell, address, handle, workload, ports, applicationPorts }: Instance): object => ({
  cell,
  ip: formatIpv4(address),
  handle,
  ...(workload === 'app' ? {} : { workload }),
  ...(ports.length === 0 ? {} : { ports: ports.map(({ host, container }) => `${host}:${container}`) }),
  ...(applicationPorts === undefined ? {} : { application_ports: applicationPorts }),
});

const policyDocument = (
  { source, destination, protocol, ports }: Policy,
  references: ReadonlyMap<string, string>,
): object => ({
  source: references.get(source),
  destination: references.get(destination),
  protocol,
  ports: formatPorts(ports),
});

const groupDocument = (group: SecurityGroup): object => ({
  name: group.name,
  ...(group.guid === group.name ? {} : { guid: group.guid }),
  rules: group.rules.map(groupRuleDocument),
  ...(group.runningDefault ? { running_default: true } : {}),
  ...(group.stagingDefault ? { staging_default: true } : {}),
  ...(group.runningSpaces.length === 0 ? {} : { running_space_guids: group.runningSpaces }),
  ...(group.stagingSpaces.length === 0 ? {} : { staging_space_guids: group.stagingSpaces }),
});

const groupRuleDocument = ({ protocol, destinations, ports, type, code, log }: SecurityGroupRule): object => ({
  protocol,
  destination: destinations
    .map(({ low, high }) => (low === high ? formatIpv4(low) : `${formatIpv4(low)}-${formatIpv4(high)}`))
    .join(','),
  ...(ports.length === 0 ? {} : { ports: ports.map(formatPorts).join(',') }),
  ...(type === null ? {} : { type }),
  ...(code === null ? {} : { code }),
  ...(log ? { log } : {}),
});
