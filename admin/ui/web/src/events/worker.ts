// One event stream for all tabs of a browser profile: browsers allow few open
// connections to one host, and each tab would hold one.

interface Port { postMessage(message: unknown): void; onmessage: ((e: MessageEvent) => void) | null; start(): void }

const ports = new Set<Port>()
const last = new Map<string, unknown>()
let source: EventSource | null = null
let up = false

function tell(message: unknown): void {
  for (const port of ports) port.postMessage(message)
}

function setUp(value: boolean): void {
  if (up === value) return
  up = value
  tell({ up })
}

function open(url: string): void {
  source = new EventSource(url)
  source.onopen = () => setUp(true)
  source.onerror = () => {
    setUp(false)
    if (source?.readyState === EventSource.CLOSED) {
      source = null
      setTimeout(() => { if (!source && ports.size > 0) open(url) }, 15_000)
    }
  }
  const take = (e: MessageEvent<string>) => {
    setUp(true)
    const snapshot = JSON.parse(e.data) as { topic: string }
    last.set(snapshot.topic, snapshot)
    tell({ snapshot })
  }
  source.onmessage = take
  source.addEventListener('ended', (e: MessageEvent<string>) => tell({ ended: (JSON.parse(e.data) as { reason: string }).reason }))
  for (const topic of ['runs', 'me', 'connect']) source.addEventListener(topic, take)
}

function close(): void {
  source?.close()
  source = null
  last.clear()
  setUp(false)
}

;(self as unknown as { onconnect: (e: MessageEvent) => void }).onconnect = (e) => {
  const port = e.ports[0] as unknown as Port
  port.onmessage = (m: MessageEvent<{ open?: string; close?: true; leave?: true }>) => {
    if (m.data.open) {
      ports.add(port)
      if (!source) open(m.data.open)
      port.postMessage({ up })
      for (const snapshot of last.values()) port.postMessage({ snapshot })
    }
    if (m.data.close) close()
    if (m.data.leave) {
      ports.delete(port)
      if (ports.size === 0) close()
    }
  }
  port.start()
}
