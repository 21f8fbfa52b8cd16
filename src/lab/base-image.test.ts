import { expect, test } from 'vitest'
import { debianSources, fetchSettings } from './base-image.ts'

test('the base image comes from where this machine gets its own packages', () => {
  const targets = `http://mirror.example/debian/|bookworm|main|Debian|bookworm|
http://mirror.example/debian/|bookworm|contrib|Debian|bookworm|
http://mirror.example/debian/|bookworm-updates|main|Debian|bookworm-updates|
http://mirror.example/debian-security/|bookworm-security|main|Debian|bookworm-security|
https://apt.example/|stable|main|Somebody|stable|`
  expect(debianSources(targets)).toEqual([
    'deb http://mirror.example/debian/ bookworm main',
    'deb http://mirror.example/debian/ bookworm-updates main',
    'deb http://mirror.example/debian-security/ bookworm-security main',
  ])
})

test('a machine with another release of Debian takes bookworm from its own mirror', () => {
  expect(debianSources('http://mirror.example/debian/|trixie|main|Debian|trixie|')).toEqual([
    'deb http://mirror.example/debian/ bookworm main',
    'deb http://mirror.example/debian/ bookworm-updates main',
  ])
})

test('a machine whose apt knows nothing of Debian gives no sources', () => {
  expect(debianSources('')).toEqual([])
})

test('proxies and clock settings of apt are taken over, nothing else', () => {
  const dump = `APT "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::Proxy "";
Acquire::Check-Valid-Until "false";
Acquire::Languages "";
Acquire::Retries "3";`
  expect(fetchSettings(dump)).toEqual([
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::Check-Valid-Until "false";',
  ])
})
