/**
 * Terminal colours as class names. Only SGR ("\x1b[…m") is understood; every other escape sequence
 * is dropped. Nothing here makes markup: the view puts the text of each run into a text node.
 */
export interface Run {
  text: string
  /** Class names, or '' for plain text. */
  style: string
}

const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const

// SGR · other CSI · OSC/DCS/APC/PM/SOS up to BEL or ST · two-character escapes · lone controls
const sequences =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escapes are what this reads
  /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f]/g

// Direction overrides could make a line read differently from what it is.
const direction = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g

interface Style {
  bold: boolean
  dim: boolean
  italic: boolean
  underline: boolean
  strike: boolean
  inverse: boolean
  fg: string
  bg: string
}

function plain(): Style {
  return {
    bold: false,
    dim: false,
    italic: false,
    underline: false,
    strike: false,
    inverse: false,
    fg: '',
    bg: '',
  }
}

function nearest(r: number, g: number, b: number): string {
  const high = Math.max(r, g, b)
  const low = Math.min(r, g, b)
  if (high - low < 40) return high < 100 ? 'black' : 'white'
  const threshold = (high + low) / 2
  const index = (r > threshold ? 1 : 0) | (g > threshold ? 2 : 0) | (b > threshold ? 4 : 0)
  return names[index] ?? ''
}

function palette(n: number): string {
  if (n < 16) return names[n % 8] ?? ''
  if (n >= 232) return n < 244 ? 'black' : 'white'
  const cube = n - 16
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40)
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6))
}

/** 38/48: `5;n` or `2;r;g;b`. Returns the colour and how many parameters it took. */
function extended(codes: number[], at: number): [string, number] {
  if (codes[at + 1] === 5) return [palette(codes[at + 2] ?? 0), 2]
  if (codes[at + 1] === 2)
    return [nearest(codes[at + 2] ?? 0, codes[at + 3] ?? 0, codes[at + 4] ?? 0), 4]
  return ['', 0]
}

function apply(style: Style, codes: number[]): void {
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0
    if (code === 0) Object.assign(style, plain())
    else if (code === 1) style.bold = true
    else if (code === 2) style.dim = true
    else if (code === 3) style.italic = true
    else if (code === 4) style.underline = true
    else if (code === 7) style.inverse = true
    else if (code === 9) style.strike = true
    else if (code === 22) style.bold = style.dim = false
    else if (code === 23) style.italic = false
    else if (code === 24) style.underline = false
    else if (code === 27) style.inverse = false
    else if (code === 29) style.strike = false
    else if (code >= 30 && code <= 37) style.fg = names[code - 30] ?? ''
    else if (code >= 90 && code <= 97) style.fg = code === 90 ? 'grey' : (names[code - 90] ?? '')
    else if (code >= 40 && code <= 47) style.bg = names[code - 40] ?? ''
    else if (code >= 100 && code <= 107) style.bg = names[code - 100] ?? ''
    else if (code === 39) style.fg = ''
    else if (code === 49) style.bg = ''
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes, i)
      if (code === 38) style.fg = colour
      else style.bg = colour
      i += used
    }
  }
}

function classes(style: Style): string {
  let out = ''
  if (style.fg) out += ` fg-${style.fg}`
  if (style.bg) out += ` bg-${style.bg}`
  if (style.bold) out += ' a-bold'
  if (style.dim) out += ' a-dim'
  if (style.italic) out += ' a-italic'
  if (style.underline) out += ' a-underline'
  if (style.strike) out += ' a-strike'
  if (style.inverse) out += ' a-inverse'
  return out.slice(1)
}

/** The runs of one line. Colours do not carry over to the next line: a window starts anywhere. */
export function parseAnsi(line: string): Run[] {
  const text = line.replace(direction, '\ufffd')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the quick way out for ordinary lines
  if (!/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) return text ? [{ text, style: '' }] : []
  const runs: Run[] = []
  const style = plain()
  let current = ''
  let from = 0
  const push = (part: string) => {
    if (!part) return
    const last = runs.at(-1)
    if (last && last.style === current) last.text += part
    else runs.push({ text: part, style: current })
  }
  for (const match of text.matchAll(sequences)) {
    push(text.slice(from, match.index))
    from = match.index + match[0].length
    if (match[1] !== undefined) {
      apply(style, match[1].split(/[;:]/).map(Number))
      current = classes(style)
    }
  }
  push(text.slice(from))
  return runs
}

/** The line without any escape sequence: what "copy" gives. */
export function stripAnsi(line: string): string {
  return line.replace(sequences, '')
}
