/** For every component test: texts loaded, the stand-in behind fetch, nothing left over afterwards. */
import '@testing-library/jest-dom/vitest'
import { configure } from '@testing-library/dom'
import { cleanup } from '@testing-library/react'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { clearToasts } from '../src/design/toast'
import { setLanguage } from '../src/i18n/t'
import { resetStandIn, server } from './msw/server'

configure({
  asyncUtilTimeout: 20_000,
  getElementError: (message) => new Error(message ?? 'not found'),
})

beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
beforeEach(async () => {
  localStorage.clear()
  sessionStorage.clear()
  resetStandIn()
  await setLanguage('ja')
})
afterEach(() => {
  cleanup()
  clearToasts()
  server.resetHandlers()
})
afterAll(() => server.close())
