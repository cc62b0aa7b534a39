/**
 * The part of Markdown that a summary uses: paragraphs, headings, lists, fences, `code`, **bold**.
 * It makes React elements, never markup, and no links: the text comes from a model that read what
 * strangers wrote.
 */
import { Fragment, type ReactNode } from 'react'

function inline(text: string): ReactNode[] {
  const parts = text.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/)
  return parts.map((part, i) => {
    // biome-ignore-start lint/suspicious/noArrayIndexKey: parts of one text have no identity
    if (part.length > 2 && part.startsWith('`')) return <code key={i}>{part.slice(1, -1)}</code>
    if (part.length > 4 && part.startsWith('**')) return <b key={i}>{part.slice(2, -2)}</b>
    return <Fragment key={i}>{part}</Fragment>
    // biome-ignore-end lint/suspicious/noArrayIndexKey: as above
  })
}

type Block =
  | { kind: 'text'; text: string }
  | { kind: 'heading'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'list'; ordered: boolean; items: string[] }

export function parseBlocks(source: string): Block[] {
  const blocks: Block[] = []
  let paragraph: string[] = []
  const flush = () => {
    if (paragraph.length > 0) blocks.push({ kind: 'text', text: paragraph.join('\n') })
    paragraph = []
  }
  const lines = source.replace(/\r\n?/g, '\n').split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? ''
    if (line.startsWith('```')) {
      flush()
      const code: string[] = []
      const hidden = line.startsWith('```poppo-question') // shown as the question already
      for (i++; i < lines.length && !lines[i]?.startsWith('```'); i++) code.push(lines[i] ?? '')
      if (hidden) continue
      blocks.push({ kind: 'code', text: code.join('\n') })
      continue
    }
    const heading = /^#{1,6}\s+(.*)$/.exec(line)
    const item = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/.exec(line)
    if (heading) {
      flush()
      blocks.push({ kind: 'heading', text: heading[1] ?? '' })
    } else if (item) {
      flush()
      const ordered = item[1] !== undefined
      const last = blocks.at(-1)
      if (last?.kind === 'list' && last.ordered === ordered) last.items.push(item[2] ?? '')
      else blocks.push({ kind: 'list', ordered, items: [item[2] ?? ''] })
    } else if (line.trim() === '') flush()
    else paragraph.push(line)
  }
  flush()
  return blocks
}

function BlockView({ block }: { block: Block }) {
  if (block.kind === 'heading') return <h3>{inline(block.text)}</h3>
  if (block.kind === 'code')
    return (
      <pre>
        <code>{block.text}</code>
      </pre>
    )
  if (block.kind === 'text') return <p>{inline(block.text)}</p>
  // biome-ignore lint/suspicious/noArrayIndexKey: items of one text have no identity
  const items = block.items.map((item, i) => <li key={i}>{inline(item)}</li>)
  return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>
}

export function Markdown({ text }: { text: string }) {
  return (
    <div className="prose">
      {parseBlocks(text).map((block, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks of one text have no identity
        <BlockView key={i} block={block} />
      ))}
    </div>
  )
}
