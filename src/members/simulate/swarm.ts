/** What Swarm does: tasks for services, on the hosts that they are pinned to. */
import { endProcess, newFolder, placeOf } from './disk.ts'
import { type SimHost, type World, hasQuorum } from './world.ts'

/** One host's tasks follow their services, if its engine hears a manager. */
export const stepSwarm = (world: World, host: SimHost): boolean => {
  if (!host.up || host.removed) return false
  const led = hasQuorum(world, host)
  let did = false
  for (const place of host.places.values()) {
    const service = world.services.get(place.member)
    const wanted = service?.host === host.id && service.running
    if (!led || (wanted && !service.restart) || place.state === 'rest') continue
    endProcess(world, host, { place, clean: true })
    did = true
  }
  for (const service of world.services.values()) {
    if (service.host !== host.id || !led || !service.running) continue
    const place = placeOf(host, service.member)
    service.restart = false
    if (place.state !== 'rest') continue
    if (!host.folders.has(service.member))
      host.folders.set(service.member, newFolder(world, service.member))
    place.state = 'gate'
    did = true
  }
  return did
}
