/**
 * A cell's container metadata: `/var/vcap/data/container-metadata/store.json`.
 *
 *     {"HANDLE": {"handle": "HANDLE", "ip": "10.255.1.4", "metadata": {"policy_group_id": GUID, "app_id": GUID,
 *       "space_id": GUID, "org_id": GUID, "ports": "8080", "container_workload": "app", "log_config": "{...}"}}}
 *
 * `policy_group_id` is the app that policies name; the policy agent passes over containers without one, so such a
 * container stands for an app of its own here, called by its handle, which no policy can name.
 */
import type { DraftInstance, Written } from './draft.ts';
import { FoundationError, quote } from './error.ts';
import * as fields from './fields.ts';
import { type Item, type ObjectItem, placeOf, refusal } from './item.ts';
import * as scalars from './scalars.ts';

/** One container and what its metadata says of its app. */
export interface StoredContainer {
  readonly instance: DraftInstance;
  readonly space: Written<string> | null;
  readonly organization: string | null;
}

const WORKLOADS = ['app', 'task', 'staging'] as const;

/** Read the store of the cell called `cell`. */
export function readContainerStore(item: Item, cell: string): StoredContainer[] {
  const from = fields.openObject(item);
  return [...from.entries].map(([handle, entry]) => readContainer(handle, entry, cell));
}

function readContainer(key: string, item: Item, cell: string): StoredContainer {
  const from = fields.openObject(item);
  const written = fields.required(from, 'handle', "the container's handle");
  const handle = scalars.handle(written);
  if (handle !== key) throw refusal('ERR_FOUNDATION_VALUE', written, `${quote(key)}, the key of the entry`);
  const address = fields.required(from, 'ip', "the container's overlay address");
  const metadata = fields.openObject(fields.required(from, 'metadata', "the container's metadata"));
  const app = textOf(metadata, 'policy_group_id', scalars.guid);
  return {
    instance: {
      from,
      app: app?.value ?? handle,
      cell: { value: cell, from },
      address: { value: scalars.address(address), from: address },
      handle,
      workload: textOf(metadata, 'container_workload', (one) => fields.oneOf(one, WORKLOADS))?.value ?? 'app',
      ports: [],
      applicationPorts: textOf(metadata, 'ports', readPorts)?.value ?? [],
    },
    space: textOf(metadata, 'space_id', scalars.name),
    organization: textOf(metadata, 'org_id', scalars.name)?.value ?? null,
  };
}

/** A metadata value that is there and not empty. */
function textOf<T>(metadata: ObjectItem, key: string, read: (item: Item) => T): Written<T> | null {
  const item = metadata.entries.get(key);
  if (item === undefined || item.kind === 'null' || (item.kind === 'text' && item.value === '')) return null;
  return { value: read(item), from: item };
}

/** Ports with commas between. */
const readPorts = (item: Item): number[] =>
  fields
    .text(item, 'ports such as "8080" or "8080,9090"')
    .split(',')
    .map((part) => {
      const port = /^\s*[1-9][0-9]{0,4}\s*$/.test(part) ? Number(part) : 0;
      if (port > 0 && port <= 65535) return port;
      // The agent's own words (vxlan-policy-agent/planner).
      const sentence = `converting container metadata port to int: got ${quote(part)}, expected a port from 1 to 65535`;
      throw new FoundationError('ERR_FOUNDATION_VALUE', placeOf(item), sentence);
    });
