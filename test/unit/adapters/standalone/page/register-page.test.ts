import Fastify from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import { registerPage } from '../../../../../adapters/standalone/page/register-page.ts'

it('the page may ask the address that answers name, and asks for a token where one has to log in', async () => {
  const app = Fastify()
  onTestFinished(() => app.close())
  const publicUrl = 'https://uploads.example.com/base'
  await registerPage(app, { tusPath: '/files', apiPrefix: '/<api>', auth: 'jwt', publicUrl })
  const { headers, body } = await app.inject('/')
  expect(headers['content-security-policy']).toContain("connect-src 'self' https://uploads.example.com;")
  expect(body).toContain('<label for="token">Token (JWT)</label>')
  expect(body).toContain('/&lt;api&gt;')
})
