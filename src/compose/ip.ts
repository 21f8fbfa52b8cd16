const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^${BYTE}(?:\\.${BYTE}){3}$`)
const GROUP = /^[0-9a-f]{1,4}$/i

/**
 * True for an IPv4 or IPv6 address, written out. (`isIP` of node:net would load the whole of it,
 * which takes longer than reading a Compose file.)
 */
export const isIpAddress = (text: string): boolean => IPV4.test(text) || isIpv6(text)

const isIpv6 = (text: string): boolean => {
  const halves = text.split('::')
  if (halves.length > 2 || !text.includes(':')) return false
  let groups = 0
  for (const [index, half] of halves.entries()) {
    const parts = half === '' ? [] : half.split(':')
    const last = parts.at(-1)
    const endsInIpv4 = index === halves.length - 1 && last !== undefined && IPV4.test(last)
    if (!(endsInIpv4 ? parts.slice(0, -1) : parts).every((part) => GROUP.test(part))) return false
    groups += parts.length + (endsInIpv4 ? 1 : 0)
  }
  return halves.length === 2 ? groups < 8 : groups === 8
}
