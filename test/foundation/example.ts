/** The foundation of the design's example, and ways to change one line of it. */
import * as assert from 'uvu/assert';
import { FoundationError } from '../../src/foundation/error.ts';

export const SOURCE_GUID = '6b817f74-0000-4000-8000-7fe5290ffb61';
export const DESTINATION_GUID = '20e39f68-0000-4000-8000-d432d5716f29';

export const EXAMPLE = `tagplane: 1
overlay: { network: 10.255.0.0/16, vni: 1, port: 4789 }
cells:
  - { name: cell-a, underlay: 10.0.0.101, lease: 10.255.1.0/24 }
  - { name: cell-b, underlay: 10.0.0.102, lease: 10.255.2.0/24 }
apps:
  - name: source-app
    guid: ${SOURCE_GUID}
    tag: "0001"
    instances: [{ cell: cell-a, ip: 10.255.1.4 }]
  - name: dest-app
    guid: ${DESTINATION_GUID}
    routes: [dest-app.apps.internal]
    instances: [{ cell: cell-b, ip: 10.255.2.7 }]
policies:
  - { source: source-app, destination: dest-app, protocol: tcp, ports: "8080" }
`;

/** The example with one piece of text replaced; the piece must be there. */
export function edited(piece: string, by: string, text = EXAMPLE): string {
  assert.ok(text.includes(piece), `the example has no ${piece}`);
  return text.replace(piece, by);
}

/** Run `read` and return the FoundationError that it must throw. */
export function refused(read: () => unknown): FoundationError {
  try {
    read();
  } catch (error) {
    if (error instanceof FoundationError) return error;
    throw error;
  }
  return assert.unreachable('expected a FoundationError') as never;
}
