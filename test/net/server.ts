/**
 * A service for tests: HTTP on 8080, TCP on 9090, UDP on 9091. Says its name in every answer.
 * Usage: node server.ts NAME
 */
import { createSocket } from 'node:dgram'
import { createServer as createHttp } from 'node:http'
import { createServer as createTcp } from 'node:net'

const name = process.argv[2] ?? 'server'
let accepted = 0

// GET /?ms=200 takes 200 ms; ?status=503 answers that; /accepted: TCP connections on 9090 so far.
createHttp((request, response) => {
  const url = new URL(request.url ?? '/', 'http://server')
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    setTimeout(
      () => {
        response.writeHead(Number(url.searchParams.get('status') ?? 200), {
          'content-type': 'application/json',
        })
        response.end(
          JSON.stringify({
            name,
            accepted,
            method: request.method,
            path: url.pathname,
            headers: request.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        )
      },
      Number(url.searchParams.get('ms') ?? 0),
    )
  })
})
  .on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: upgrade\r\n\r\n')
    socket.on('data', (data: Buffer) => socket.write(`${name} ${data.toString()}`))
    socket.on('error', () => socket.destroy())
  })
  .listen(8080)

createTcp((socket) => {
  accepted += 1
  socket.write(`${name}\n`)
  socket.on('data', (data) => socket.write(data))
  socket.on('error', () => socket.destroy())
}).listen(9090)

const udp = createSocket('udp4')
udp.on('message', (_message, from) => udp.send(name, from.port, from.address))
udp.bind(9091)

process.stdout.write('ready\n')
