import { MusterError } from '../base/index.ts'

/** The newest API version that Muster was written against (Docker 29), and the oldest (Docker 19.03). */
export const API_MAX = '1.52'
export const API_MIN = '1.40'

const parts = (version: string): [number, number] => {
  const [major = '0', minor = '0'] = version.split('.')
  return [Number(major), Number(minor)]
}

/** Negative if `a` is the older API version, 0 if equal. */
export const compareVersions = (a: string, b: string): number => {
  const [majorA, minorA] = parts(a)
  const [majorB, minorB] = parts(b)
  return majorA - majorB || minorA - minorB
}

/**
 * The API version to speak: the newest that both sides know.
 * @throws MusterError ENGINE_TOO_OLD when there is none
 */
export const negotiate = (engine: { api: string; minApi: string }): string => {
  if (compareVersions(engine.api, API_MIN) < 0) {
    throw new MusterError(
      'ENGINE_TOO_OLD',
      `The Docker Engine speaks API ${engine.api || '(unknown)'}; Muster needs ${API_MIN} or newer.`,
      { hint: 'Update Docker to 20.10 or newer.' },
    )
  }
  if (compareVersions(engine.minApi, API_MAX) > 0) {
    throw new MusterError(
      'ENGINE_TOO_OLD',
      `The Docker Engine speaks API ${engine.minApi} to ${engine.api}; this Muster speaks ${API_MIN} to ${API_MAX}.`,
      { hint: 'Update Muster.' },
    )
  }
  return compareVersions(engine.api, API_MAX) < 0 ? engine.api : API_MAX
}
