/** axe on a page: WCAG 2.2 A and AA, nothing excluded. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

interface Violation {
  id: string
  help: string
  nodes: { target: unknown[]; failureSummary?: string }[]
}

export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(source) // past the content policy: it is the test's, not the page's
  const found = await page.evaluate(async (values) => {
    const { axe } = window as unknown as {
      axe: { run: (root: Document, options: object) => Promise<{ violations: Violation[] }> }
    }
    const result = await axe.run(document, { runOnly: { type: 'tag', values } })
    return result.violations
  }, tags)
  return found.map((each) => {
    const where = each.nodes.slice(0, 4).map((node) => `${node.target} ${node.failureSummary}`)
    return `${each.id}: ${each.help}\n  ${where.join('\n  ')}`
  })
}

export async function sidewaysOverflow(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
}
