import { get } from 'node:http'
import { describe, expect, it } from 'vitest'
import { useServer } from '../protocol/tus/running-server.ts'

describe('GET / of the server', () => {
  const server = useServer({ API_PREFIX: '/up/loads' })

  it('is a page that needs nothing from anywhere else', async () => {
    const page = await fetch(server.url)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'sha256-")
    expect(policy).toContain("connect-src 'self';")
    const html = await page.text()
    expect(html).toContain(
      'content="{&quot;apiPrefix&quot;:&quot;/up/loads&quot;,&quot;tusPath&quot;:&quot;/files&quot;',
    )

    const addresses = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address)
    expect(addresses.length).toBeGreaterThan(20)
    const [status, types] = [new Set<number>(), new Set<string>()]
    for (const address of addresses) {
      expect(address).not.toMatch(/^[/.]|:/)
      const file = await fetch(new URL(address, server.url))
      status.add(file.status)
      types.add(file.headers.get('content-type') ?? '')
      expect(file.headers.get('x-content-type-options')).toBe('nosniff')
      await imported(address, await file.text())
    }
    expect([...status]).toEqual([200])
    expect([...types].toSorted()).toEqual([
      'image/svg+xml',
      'text/html; charset=utf-8',
      'text/javascript; charset=utf-8',
    ])

    /** What a module imports is among what the page names, and is fetched with it. */
    async function imported(address: string, text: string): Promise<void> {
      for (const [, path = ''] of text.matchAll(/^(?:import|export) .*from '([^']+)'/gm)) {
        const found = new URL(path, new URL(address, server.url)).pathname.slice(1)
        expect(addresses, `${address} imports ${path}`).toContain(found)
      }
    }
  })

  it('is sent again only when it has changed', async () => {
    const tag = (await fetch(server.url)).headers.get('etag') ?? ''
    expect(tag).toMatch(/^"[\w-]{22}"$/)
    const again = await new Promise<number | undefined>((resolve, reject) => {
      get(server.url, { headers: { 'If-None-Match': tag } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      }).on('error', reject)
    })
    expect(again).toBe(304)
    expect((await fetch(server.url, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(404)
    expect((await fetch(`${server.url}/page/adapters/standalone/main.js`)).status).toBe(404)
  })
})
