import type { ServiceSpec } from '../engine/index.ts'

/** A port that Swarm itself publishes. */
export type EndpointPortConfig = NonNullable<
  NonNullable<ServiceSpec['EndpointSpec']>['Ports']
>[number]
