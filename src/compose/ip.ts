const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^${BYTE}(?:\\.${BYTE}){3}$`)
const GROUP = /^[0-9a-f]{1,4}$/i

/**
 * True for an IPv4 or IPv6 address, written out. (`isIP` of node:net would load the whole of it,
 * which takes longer than reading a Compose file.)
 */
export const isIpAddress = (text: string): boolean => IPV4.test(text) || isIpv6(text)

/** True for an address with the length of its network: `10.1.0.0/16`. */
export const isSubnet = (text: string): boolean => {
  const [address = '', bits = '', ...rest] = text.split('/')
  if (rest.length > 0 || !isIpAddress(address) || !/^(0|[1-9]\d{0,2})$/.test(bits)) return false
  return Number(bits) <= (address.includes(':') ? 128 : 32)
}

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
