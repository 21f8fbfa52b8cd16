/** Pieces of shell scripts for members' containers; for dash and mawk, which any image has. */

/** One word, whatever is in it. */
export const quote = (word: string): string =>
  /^[A-Za-z0-9_./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** Prints the container's own IPv4 address in a range such as `10.0.1.0/24`; fails if it has none. */
export const ownAddress = (cidr: string): string => {
  const [network = '', length = '32'] = cidr.split('/')
  const size = 2 ** (32 - Number(length))
  const number = network.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const block = Math.floor(number / size)
  return [
    `awk '/\\|--/ { address = $2 }`,
    `  /host LOCAL/ { split(address, part, ".")`,
    `    number = ((part[1] * 256 + part[2]) * 256 + part[3]) * 256 + part[4]`,
    `    if (int(number / ${size}) == ${block}) { print address; found = 1; exit } }`,
    `  END { exit !found }' /proc/net/fib_trie`,
  ].join('\n')
}
