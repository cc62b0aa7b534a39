/**
 * The stand-in as a server of its own: the built UI with the platform's security headers, the API of
 * platform.ts, and a WebSocket that streams log lines. `npm run standin`.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import type { Duplex } from 'node:stream'
import { logText } from './fixtures'
import { type Answer, StandIn } from './platform'

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}

/** Scripts and styles from us alone. The hash is that of an empty <style>: Emotion fills it by CSSOM. */
const policy =
  "default-src 'self'; style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; " +
  "img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; " +
  "form-action 'self'; frame-ancestors 'none'"

async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString()
  return text ? JSON.parse(text) : undefined
}

function send(response: ServerResponse, answer: Answer): void {
  const type = answer.text === undefined ? 'application/json' : 'text/plain; charset=utf-8'
  response.writeHead(answer.status, { 'Content-Type': type, ...answer.headers })
  response.end(answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json)))
}

async function sendFile(root: string, path: string, response: ServerResponse): Promise<void> {
  const clean = normalize(path).replace(/^(\.\.[/\\])+/, '')
  const file = join(root, extname(clean) ? clean : 'index.html')
  try {
    const body = await readFile(file)
    response.writeHead(200, {
      'Content-Type': types[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': policy,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    })
    response.end(body)
  } catch {
    response.writeHead(404).end()
  }
}

/** One text frame, not masked (server to browser). */
function frame(text: string): Buffer {
  const body = Buffer.from(text)
  if (body.length < 126) return Buffer.concat([Buffer.from([0x81, body.length]), body])
  if (body.length < 65536) {
    const head = Buffer.from([0x81, 126, 0, 0])
    head.writeUInt16BE(body.length, 2)
    return Buffer.concat([head, body])
  }
  const head = Buffer.alloc(10)
  head[0] = 0x81
  head[1] = 127
  head.writeBigUInt64BE(BigInt(body.length), 2)
  return Buffer.concat([head, body])
}

/** Text frames of a browser (masked, small, not fragmented: what our client sends). */
function readFrames(buffer: Buffer): string[] {
  const out: string[] = []
  let at = 0
  while (at + 6 <= buffer.length) {
    const opcode = (buffer[at] ?? 0) & 15
    let length = (buffer[at + 1] ?? 0) & 127
    let start = at + 2
    if (length === 126) {
      length = buffer.readUInt16BE(start)
      start += 2
    }
    const mask = buffer.subarray(start, start + 4)
    const body = Buffer.from(buffer.subarray(start + 4, start + 4 + length))
    for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0)
    if (opcode === 1) out.push(body.toString())
    at = start + 4 + length
  }
  return out
}

export interface Running {
  url: string
  standIn: StandIn
  /** Sends lines of the running execution's log to whoever follows it. */
  addLines: (id: string, count: number) => void
  publish: (topic: string, event: string, data: unknown) => void
  dropSockets: () => void
  close: () => Promise<void>
}

export async function startStandIn(options: { root: string; port?: number }): Promise<Running> {
  const standIn = new StandIn()
  const sockets = new Map<Duplex, Set<string>>()
  const seqs = new Map<string, number>()

  const tell = (topic: string, message: object) => {
    for (const [socket, topics] of sockets)
      if (topics.has(topic)) socket.write(frame(JSON.stringify(message)))
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://standin')
    if (!url.pathname.startsWith('/api/')) return sendFile(options.root, url.pathname, response)
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    )
    send(
      response,
      standIn.answer({
        method: request.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        body: await readBody(request),
        headers,
      }),
    )
  })

  server.on('upgrade', (request, socket) => {
    const key = String(request.headers['sec-websocket-key'])
    const accept = createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    const topics = new Set<string>()
    sockets.set(socket, topics)
    socket.on('data', (data) => {
      for (const text of readFrames(data)) {
        const { op, topic } = JSON.parse(text) as { op: string; topic: string }
        if (op === 'subscribe') {
          topics.add(topic)
          const seq = seqs.get(topic) ?? 0
          socket.write(frame(JSON.stringify({ type: 'subscribed', topic, seq })))
        } else topics.delete(topic)
      }
    })
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => sockets.delete(socket))
  })

  await new Promise<void>((done) => server.listen(options.port ?? 0, '127.0.0.1', done))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0

  return {
    url: `http://127.0.0.1:${port}`,
    standIn,
    addLines(id, count) {
      const execution = standIn.world.executions.find((each) => each.id === id)
      if (!execution) return
      const from = standIn.lines(execution)
      standIn.logLines.set(id, from + count)
      tell(`log:${id}`, {
        type: 'log',
        topic: `log:${id}`,
        from,
        count,
        text: logText(from, count),
      })
    },
    publish(topic, event, data) {
      const seq = (seqs.get(topic) ?? 0) + 1
      seqs.set(topic, seq)
      tell(topic, { type: 'event', topic, seq, event, data })
    },
    dropSockets() {
      for (const socket of sockets.keys()) socket.destroy()
    },
    close() {
      for (const socket of sockets.keys()) socket.destroy()
      server.closeAllConnections()
      return new Promise((done) => server.close(() => done()))
    },
  }
}
